/* SPDX-License-Identifier: MPL-2.0 */
/* Readers of blocks: from the file and from the worker, in little memory, of segments that grow,
 * are damaged, or are not what they should be. */
#include "test.h"

#include "base/limits.h"
#include "reading.h"

enum {
    LONG_MS = 60000,
    SHORT_MS = 150
};

static const char nobody[] = "inproc://nobody-at-all";

static zonda_err next_code(reading *from, zonda_error *error) {
    zn_bytes values = { 0 };
    uint32_t count = 0;
    return zn_block_reader_next(from->reader, &values, &count, error);
}

/* The worker of a file on this host is not asked; memory is charged while it is held. */
static void test_block_reader_reads_the_file_itself(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch first = write_result(segment, 1, 3000);
    zn_stretch empty = write_result(segment, 2, 0);
    zn_stretch last = write_result(segment, 3, 1);
    zn_fetcher *fetcher = zn_fetcher_new(SHORT_MS);
    zn_memory memory = { .limit = ZN_MIB };
    const zn_stretch places[] = { first, empty, last };
    static const uint32_t counts[] = { 3000, 0, 1 };
    for (uint32_t i = 0; i < 3; i++) {
        reading from = open_at(fetcher, nobody, *state, places[i], i + 1, &memory);
        assert_int_equal(memory.used, 0);
        zn_block_reader_prefetch(from.reader);
        assert_int_equal(take_block(&from), counts[i] > 0);
        assert_int_equal(memory.used > 0, counts[i] > 0);
        take_rest(&from);
        assert_int_equal(from.records, counts[i]);
        assert_int_equal(memory.used, 0);
        zn_block_reader_close(&from.reader);
        zn_block_reader_close(&from.reader);
    }
    uint64_t raw = 3000 * (uint64_t)RECORD_BYTES;
    assert_true(memory.peak <= zn_block_reader_bytes(first, raw) + 2 * RECORD_BYTES);
    zn_fetcher_destroy(&fetcher);
    zn_segment_destroy(&segment);
}

/* Makes `folder`/<name of the segment> what the worker would not want to be read. */
static void put_trap(const char *folder, const char *kind, const char *decoy) {
    char *path = zn_format("%s/%s", folder, segment_name);
    assert_int_equal(mkdir(folder, 0700), 0);
    if (strcmp(kind, "link") == 0) {
        assert_int_equal(symlink(decoy, path), 0);
    } else if (strcmp(kind, "pipe") == 0) {
        assert_int_equal(mkfifo(path, 0600), 0);
    } else if (strcmp(kind, "folder") == 0) {
        assert_int_equal(mkdir(path, 0700), 0);
    } else if (strcmp(kind, "stranger") == 0) {
        file_put(path, zn_bytes_of_text("of another user"));
        assert_int_equal(chown(path, 1, 1), 0);
    }
    free(path);
}

/* No such folder, no absolute path, a link, a pipe, a folder, a file of another user: the worker is
 * asked instead. */
static void test_block_reader_falls_back_to_the_worker_table(void **state) {
    static const char *const kinds[] = { "none", "link", "pipe", "folder", "stranger" };
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 700);
    char *decoy = zn_format("%s/decoy", (char *)*state);
    file_put(decoy, zn_bytes_of_text("not what is asked for"));
    zn_data_server *server = start_server("inproc://fallback", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (size_t i = 0; i < 5; i++) {
        if (i == 4 && geteuid() != 0) {
            continue; /* only root can give files away */
        }
        char *folder = zn_format("%s/%s", (char *)*state, kinds[i]);
        put_trap(folder, kinds[i], decoy);
        reading from = open_at(fetcher, "inproc://fallback", folder, at, 1, NULL);
        take_rest(&from);
        assert_int_equal(from.records, 700);
        zn_block_reader_close(&from.reader);
        free(folder);
    }
    static const char *const folders[] = { NULL, "", ".", "relative", "/nonexistent/folder" };
    for (size_t i = 0; i < 5; i++) {
        reading from = open_at(fetcher, "inproc://fallback", folders[i], at, 1, NULL);
        take_rest(&from);
        assert_int_equal(from.records, 700);
        zn_block_reader_close(&from.reader);
    }
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
    free(decoy);
}

/* Names, stretches and endpoints that cannot be are refused at once. */
static void test_block_reader_refuses_places_table(void **state) {
    static const struct {
        const char *endpoint;
        const char *segment;
        zn_stretch at;
    } rows[] = {
        { nobody, "../etc/passwd", { 0, 10 } },
        { nobody, "", { 0, 10 } },
        { nobody, segment_name, { INT64_MAX, 1 } },
        { nobody, segment_name, { 0, UINT64_MAX } },
        { nobody, segment_name, { UINT64_MAX, 1 } },
        { "carrier-pigeon://x", segment_name, { 0, 10 } },
        { "", segment_name, { 0, 10 } },
        { "tcp://127.0.0.1:*", segment_name, { 0, 10 } },
    };
    zn_fetcher *fetcher = zn_fetcher_new(SHORT_MS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zonda_error error = { 0 };
        zn_place place = { .endpoint = rows[i].endpoint,
                           .folder = *state,
                           .segment = zn_bytes_of_text(rows[i].segment) };
        assert_null(zn_block_reader_open(fetcher, &place, rows[i].at, NULL, &error));
        assert_int_equal(error.code, ZONDA_ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
    zn_fetcher_destroy(&fetcher);
}

/* A reader goes on where another one stopped. */
static void test_block_reader_resumes_at_a_position(void **state) {
    zn_segment *segment = new_segment(*state);
    write_result(segment, 9, 5);
    zn_stretch at = write_result(segment, 1, 2000);
    zn_data_server *server = start_server("inproc://resume", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    uint64_t end = at.offset + at.length;
    uint32_t records = 0;
    for (int i = 0; at.length > 0; i++) {
        reading from = open_at(fetcher, "inproc://resume", i % 2 == 0 ? NULL : *state, at, 1, NULL);
        from.records = records;
        assert_int_equal(zn_block_reader_position(from.reader), at.offset);
        assert_true(take_block(&from));
        records = from.records;
        at.offset = zn_block_reader_position(from.reader);
        at.length = end - at.offset;
        zn_block_reader_close(&from.reader);
    }
    assert_int_equal(records, 2000);
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

/* The writer goes on while finished results are read: appends, and cuts off what it gave up. */
static void test_block_reader_reads_while_the_segment_grows(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 6000);
    zn_data_server *server = start_server("inproc://growing", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    reading readings[] = { open_at(fetcher, "inproc://growing", NULL, at, 1, NULL),
                           open_at(fetcher, "inproc://growing", *state, at, 1, NULL) };
    uint8_t record[RECORD_BYTES];
    make_record(7, 7, record);
    for (bool more = true; more;) {
        zonda_error error = { 0 };
        assert_ok(zn_segment_start(segment, &error), error);
        for (uint32_t i = 0; i < 500; i++) {
            assert_ok(zn_segment_add(segment, (zn_bytes){ record, RECORD_BYTES }, &error), error);
        }
        more = take_block(&readings[0]);
        assert_int_equal(take_block(&readings[1]), more);
        zn_stretch next = write_result(segment, 2, 300);
        reading fresh = open_at(fetcher, "inproc://growing", more ? NULL : *state, next, 2, NULL);
        take_rest(&fresh);
        assert_int_equal(fresh.records, 300);
        zn_block_reader_close(&fresh.reader);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(readings[i].records, 6000);
        zn_block_reader_close(&readings[i].reader);
    }
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

static void flip_byte(const char *folder, uint64_t offset) {
    char *path = zn_format("%s/%s", folder, segment_name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
    free(path);
}

/* One byte in the middle is wrong: the blocks before it are right, and the error names the segment,
 * the byte where its block begins, and where it was read. */
static void test_block_reader_names_the_damaged_block(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 2000);
    flip_byte(*state, at.length / 2);
    zn_data_server *server = start_server("inproc://broken", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (int here = 0; here < 2; here++) {
        reading from = open_at(fetcher, "inproc://broken", here ? *state : NULL, at, 1, NULL);
        zonda_error error = { 0 };
        uint64_t position = 0;
        zn_bytes values;
        uint32_t count = 1;
        while (zn_block_reader_next(from.reader, &values, &count, &error) == ZONDA_OK) {
            assert_true(count > 0);
            position = zn_block_reader_position(from.reader);
        }
        assert_int_equal(error.code, ZONDA_ERR_CORRUPT);
        assert_true(position > 0 && position <= at.length / 2);
        char *where = zn_format("segment %s at byte %llu %s%s%son inproc://broken: the checksum",
                                segment_name, (unsigned long long)position, here ? "in " : "",
                                here ? (char *)*state : "", here ? " " : "");
        assert_ptr_equal(strstr(error.text, where), error.text);
        free(where);
        zn_block_reader_close(&from.reader);
    }
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

/* A stretch that is not whole blocks, and one that the file does not have. */
static void test_block_reader_wrong_stretches_are_corrupt(void **state) {
    zn_segment *segment = new_segment(*state);
    zn_stretch at = write_result(segment, 1, 10);
    const zn_stretch rows[] = {
        { 0, at.length + 1 }, { 0, at.length - 1 }, { 1, at.length - 1 }, { 0, 31 }, { 0, 1 },
        { 1ul << 40, 10 }
    };
    zn_data_server *server = start_server("inproc://stretches", *state);
    zn_fetcher *fetcher = zn_fetcher_new(LONG_MS);
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        reading from = open_at(fetcher, "inproc://stretches", i % 2 == 0 ? NULL : *state,
                               rows[i / 2], 1, NULL);
        zonda_error error = { 0 };
        zonda_err code = ZONDA_OK;
        for (int blocks = 0; blocks < 3 && code == ZONDA_OK; blocks++) {
            code = next_code(&from, &error);
        }
        assert_err(code, CORRUPT);
        assert_non_null(strstr(error.text, segment_name));
        zn_block_reader_close(&from.reader);
    }
    zn_fetcher_destroy(&fetcher);
    zn_data_server_stop(&server);
    zn_segment_destroy(&segment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_block_reader_reads_the_file_itself),
        folder_test(test_block_reader_falls_back_to_the_worker_table),
        folder_test(test_block_reader_refuses_places_table),
        folder_test(test_block_reader_resumes_at_a_position),
        folder_test(test_block_reader_reads_while_the_segment_grows),
        folder_test(test_block_reader_names_the_damaged_block),
        folder_test(test_block_reader_wrong_stretches_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
