/* SPDX-License-Identifier: MPL-2.0 */
/* State directories: what was written is read again in order, damage is cut at the last whole
 * record, and a directory that cannot be used says why. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "coordinator/journal.h"

enum {
    RECORDS = 200,
    RECORD_BYTES = 700
};

static char *make_folder(void) {
    char *folder =
        zn_format("%s/zonda-journal-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(char *folder) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char *path = zn_format("%s/%s", folder, entry->d_name);
        unlink(path);
        free(path);
    }
    closedir(dir);
    rmdir(folder);
    free(folder);
}

/* A record that says which one it is: one note, behind its length. */
static void make_record(zn_buf *out, uint32_t index) {
    uint8_t bytes[4];
    zn_put_u32(bytes, RECORD_BYTES);
    zn_buf_append(out, bytes, 4);
    for (uint32_t i = 0; i < RECORD_BYTES; i++) {
        zn_buf_append_byte(out, (uint8_t)(index * 31 + i));
    }
}

static void write_records(zn_journal_db *db, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++) {
        zonda_error error = { 0 };
        zn_journal_batch batch = { 0 };
        make_record(&batch.notes, i);
        const zn_journal_batch *batches[] = { &batch };
        assert_ok(zn_journal_db_write(db, batches, 1, 10, &error), error);
        zn_buf_free(&batch.notes);
    }
}

/* Counts records and fails if one is not what was written as that one. */
static zonda_err check_record(void *context, zn_bytes record, zonda_error *error) {
    (void)error;
    uint32_t *count = context;
    zn_buf expected = { 0 };
    make_record(&expected, *count);
    assert_true(zn_bytes_equal(record, zn_buf_bytes(&expected)));
    zn_buf_free(&expected);
    ++*count;
    return ZONDA_OK;
}

static uint32_t count_records(zn_journal_db *db) {
    uint32_t count = 0;
    zonda_error error = { 0 };
    assert_ok(zn_journal_db_read(db, check_record, &count, &error), error);
    return count;
}

static zn_journal_db *open_db(const char *folder) {
    zonda_error error = { 0 };
    zn_journal_db *db = zn_journal_db_open(folder, &error);
    assert_ok(error.code, error);
    assert_non_null(db);
    return db;
}

static void test_journal_reads_what_was_written(void **state) {
    (void)state;
    char *folder = make_folder();
    zn_journal_db *db = open_db(folder);
    write_records(db, 0, RECORDS);
    zn_journal_db_close(&db);
    db = open_db(folder);
    assert_int_equal(count_records(db), RECORDS);
    write_records(db, RECORDS, 1);
    assert_int_equal(count_records(db), RECORDS + 1);
    zn_journal_db_close(&db);
    remove_folder(folder);
}

static void test_journal_snapshot_replaces_what_was_before(void **state) {
    (void)state;
    char *folder = make_folder();
    zonda_error error = { 0 };
    zn_journal_db *db = open_db(folder);
    write_records(db, 1000, 5);
    zn_journal_batch batch = { .snapshot = true };
    make_record(&batch.notes, 0);
    const zn_journal_batch *batches[] = { &batch };
    assert_ok(zn_journal_db_write(db, batches, 1, 10, &error), error);
    write_records(db, 1, 2);
    zn_journal_db_close(&db);
    db = open_db(folder);
    assert_int_equal(count_records(db), 3);
    zn_buf_free(&batch.notes);
    zn_journal_db_close(&db);
    remove_folder(folder);
}

/* A copy of the database as a process that was killed leaves it. */
static char *copy_as_killed(const char *folder) {
    char *copy = make_folder();
    static const char *const names[] = { "journal.sqlite", "journal.sqlite-wal" };
    for (size_t i = 0; i < 2; i++) {
        char *command = zn_format("cp '%s/%s' '%s/'", folder, names[i], copy);
        assert_int_equal(system(command), 0);
        free(command);
    }
    return copy;
}

static off_t file_size(const char *path) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

/* The tail of the log is cut off anywhere: the records before it are there, whole and in order. */
static void test_journal_torn_tail_is_cut(void **state) {
    (void)state;
    char *folder = make_folder();
    zn_journal_db *db = open_db(folder);
    write_records(db, 0, 20);
    for (off_t cut = 1; cut < 60000; cut += 4999) {
        char *copy = copy_as_killed(folder);
        char *wal = zn_format("%s/journal.sqlite-wal", copy);
        assert_int_equal(truncate(wal, file_size(wal) - cut), 0);
        zn_journal_db *again = open_db(copy);
        uint32_t count = count_records(again);
        assert_true(count < 20);
        write_records(again, count, 3);
        assert_int_equal(count_records(again), count + 3);
        zn_journal_db_close(&again);
        free(wal);
        remove_folder(copy);
    }
    zn_journal_db_close(&db);
    remove_folder(folder);
}

static void flip_byte(const char *path, off_t at) {
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x5a;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* A byte of the log or of the database itself is another one: nothing that is read differs from
 * what was written, and the journal can be used again. */
static void test_journal_flipped_bytes_are_never_believed(void **state) {
    (void)state;
    static const char *const names[] = { "journal.sqlite-wal", "journal.sqlite" };
    char *folder = make_folder();
    zn_journal_db *db = open_db(folder);
    write_records(db, 0, 1000); /* more than the log keeps */
    for (size_t name = 0; name < 2; name++) {
        for (int i = 1; i < 24; i++) {
            char *copy = copy_as_killed(folder);
            char *path = zn_format("%s/%s", copy, names[name]);
            flip_byte(path, file_size(path) / 24 * i + 101 * i);
            zonda_error error = { 0 };
            zn_journal_db *again = zn_journal_db_open(copy, &error);
            if (again != NULL) {
                uint32_t count = count_records(again);
                write_records(again, count, 2);
                assert_int_equal(count_records(again), count + 2);
            } else {
                assert_int_equal(error.code, ZONDA_ERR_STATE);
            }
            zn_journal_db_close(&again);
            free(path);
            remove_folder(copy);
        }
    }
    zn_journal_db_close(&db);
    remove_folder(folder);
}

static void test_journal_of_another_format_is_refused(void **state) {
    (void)state;
    char *folder = make_folder();
    zonda_error error = { 0 };
    zn_journal_db *db = open_db(folder);
    assert_ok(zn_journal_db_set(db, "format", "7", &error), error);
    zn_journal_db_close(&db);
    assert_null(zn_journal_db_open(folder, &error));
    assert_int_equal(error.code, ZONDA_ERR_STATE);
    assert_non_null(strstr(error.text, "format 7"));
    remove_folder(folder);
}

static void test_journal_in_use_names_the_process(void **state) {
    (void)state;
    char *folder = make_folder();
    zonda_error error = { 0 };
    zn_journal *journal = zn_journal_open(folder, &error);
    assert_non_null(journal);
    assert_null(zn_journal_open(folder, &error));
    assert_int_equal(error.code, ZONDA_ERR_STATE);
    char *pid = zn_format("in use by process %ld", (long)getpid());
    assert_non_null(strstr(error.text, pid));
    free(pid);
    zn_journal_close(&journal);
    remove_folder(folder);
}

/* The thread writes everything before it ends, in order. */
static void test_journal_thread_writes_all_before_it_ends(void **state) {
    (void)state;
    char *folder = make_folder();
    zonda_error error = { 0 };
    zn_journal *journal = zn_journal_open(folder, &error);
    assert_ok(zn_journal_start(journal, 10, &error), error);
    for (uint32_t i = 0; i < RECORDS; i++) {
        zn_journal_batch batch = { 0 };
        make_record(&batch.notes, i);
        assert_int_equal(zn_journal_append(journal, &batch), i + 1);
    }
    zn_journal_close(&journal);
    zn_journal_db *db = open_db(folder);
    assert_int_equal(count_records(db), RECORDS);
    zn_journal_db_close(&db);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_reads_what_was_written),
        cmocka_unit_test(test_journal_snapshot_replaces_what_was_before),
        cmocka_unit_test(test_journal_torn_tail_is_cut),
        cmocka_unit_test(test_journal_flipped_bytes_are_never_believed),
        cmocka_unit_test(test_journal_of_another_format_is_refused),
        cmocka_unit_test(test_journal_in_use_names_the_process),
        cmocka_unit_test(test_journal_thread_writes_all_before_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
