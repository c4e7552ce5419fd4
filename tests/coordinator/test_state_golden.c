/* SPDX-License-Identifier: MPL-2.0 */
/* State directories that earlier versions have written: this one reads them and makes the state
 * that is described beside them. There is one with notes as they were made, and one with a
 * snapshot. With the words "write DIR" the program writes them anew (target update-state-golden),
 * which is right only together with another ZN_STATE_FORMAT. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "coordinator/journal.h"

static const char *const kinds[] = { "notes", "snapshot" };

/* ---- the scene that is kept ---- */

/* A result that stays with its worker. */
static void finish_away(rig *r, size_t worker, uint64_t job) {
    zn_task_run run = r->workers[worker].runs[0];
    zn_reference reference = { .segment = zn_bytes_of_text("job-s0"), .offset = 8, .length = 90 };
    zn_counter counter = {
        .name = zn_bytes_of_text("seen"), .sum = 3, .min = 1, .max = 2, .count = 2
    };
    zn_outcome outcome = rig_outcome(run.first, 1, run.value);
    outcome.records_in = 5;
    outcome.records_out = 4;
    outcome.reference = &reference;
    outcome.reference_count = 1;
    outcome.counters = &counter;
    outcome.counters_count = 1;
    rig_result(r, worker, job, 0, outcome);
}

/* One job is complete and closed, one failed, one is closing, one runs. */
static rig *play(void) {
    rig *r = rig_new();
    rig_join(r, 0, 4, 4);
    uint64_t complete = rig_open(r, "complete");
    rig_start(r, complete, 0, 5);
    rig_drain(r);
    rig_close(r, complete);
    rig_send(r, 0, (zn_message){ .number = ZN_MSG_DONE, .done = { .job = complete } });
    uint64_t failed = rig_open(r, "failed");
    rig_start(r, failed, 0, 2);
    rig_assign(r);
    rig_fail_first(r, 0, ZONDA_ERR_USER, true);
    uint64_t closing = rig_open(r, "closing");
    rig_start(r, closing, 0, 2);
    rig_assign(r);
    rig_close(r, closing);
    uint64_t running = rig_open(r, "running");
    rig_start(r, running, 0, 12);
    rig_join(r, 1, 2, 3);
    rig_assign(r);
    finish_away(r, 1, running);
    rig_assign(r);
    rig_fail_first(r, 0, ZONDA_ERR_CRASH, false);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    r->forgetful = true;
    return r;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static zn_scheduler *new_scheduler(void) {
    zn_scheduler_config config = { .cluster = 1,
                                   .first_job = 1,
                                   .first_epoch = 1,
                                   .heartbeat_ms = 1000,
                                   .lost_ms = 3000,
                                   .blob_bytes_max = 64 * ZN_MIB,
                                   .wall_ms = 60000 };
    return zn_scheduler_new(&config, UINT64_C(1000000000000));
}

static zonda_err replay(void *context, zn_bytes record, zonda_error *error) {
    zn_decoder *decoder = zn_decoder_new();
    zonda_err err = zn_replay_batch(context, decoder, record, error);
    zn_decoder_destroy(&decoder);
    return err;
}

static zonda_err count_past(void *context, zn_bytes job, zonda_error *error) {
    (void)error;
    zn_scheduler *scheduler = context;
    zn_history_restore(&scheduler->history, job);
    return ZONDA_OK;
}

/* The state that a directory makes, as text. */
static char *describe(const char *folder) {
    zonda_error error = { 0 };
    zn_journal *journal = zn_journal_open(folder, &error);
    assert_ok(error.code, error);
    zn_journal_db *db = zn_journal_database(journal);
    zn_scheduler *scheduler = new_scheduler();
    assert_ok(zn_journal_db_read(db, replay, scheduler, &error), error);
    assert_ok(zn_journal_db_read_past(db, count_past, scheduler, &error), error);
    char *state = rig_snapshot(scheduler);
    char *text = zn_format("%shistory of %zu jobs\n", state, scheduler->history.count);
    free(state);
    zn_scheduler_destroy(&scheduler);
    zn_journal_close(&journal);
    return text;
}

static void write_golden(const char *folder) {
    rig *r = play();
    for (size_t i = 0; i < 2; i++) {
        zonda_error error = { 0 };
        char *path = zn_format("%s/%s", folder, kinds[i]);
        zn_notes_settle(&r->scheduler->notes);
        zn_journal_batch batch = { .snapshot = i == 1 };
        if (i == 0) {
            const zn_notes *notes = &r->scheduler->notes;
            zn_buf_append(&batch.notes, notes->bytes.data, notes->bytes.len);
            zn_buf_append(&batch.past, notes->past.data, notes->past.len);
        } else {
            zn_snapshot_write(r->scheduler, &batch.notes);
        }
        zn_journal *journal = zn_journal_open(path, &error);
        assert_ok(error.code, error);
        const zn_journal_batch *batches[] = { &batch };
        assert_ok(zn_journal_db_write(zn_journal_database(journal), batches, 1, 10, &error), error);
        zn_journal_close(&journal);
        char *text = describe(path);
        char *text_path = zn_format("%s/%s.txt", folder, kinds[i]);
        char *lock = zn_format("%s/lock", path);
        write_file(text_path, text);
        unlink(lock);
        zn_buf_free(&batch.notes);
        zn_buf_free(&batch.past);
        free(lock);
        free(text_path);
        free(text);
        free(path);
    }
    rig_free(&r);
}

/* ---- the tests ---- */

static char *read_text(const char *path) {
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    zn_buf text = { 0 };
    int byte;
    while ((byte = fgetc(file)) != EOF) {
        zn_buf_append_byte(&text, (uint8_t)byte);
    }
    fclose(file);
    zn_buf_append_byte(&text, 0);
    return (char *)text.data;
}

static void check_golden(const char *kind) {
    char *folder =
        zn_format("%s/zonda-golden-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(folder));
    char *copy = zn_format("cp '" GOLDEN "/%s/journal.sqlite' '%s/'", kind, folder);
    assert_int_equal(system(copy), 0);
    char *path = zn_format(GOLDEN "/%s.txt", kind);
    char *expected = read_text(path);
    char *text = describe(folder);
    assert_string_equal(text, expected);
    char *clean = zn_format("rm -r '%s'", folder);
    assert_int_equal(system(clean), 0);
    free(clean);
    free(text);
    free(expected);
    free(path);
    free(copy);
    free(folder);
}

static void test_state_golden_notes_make_the_state(void **state) {
    (void)state;
    check_golden("notes");
}

static void test_state_golden_snapshot_makes_the_state(void **state) {
    (void)state;
    check_golden("snapshot");
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        write_golden(argv[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_golden_notes_make_the_state),
        cmocka_unit_test(test_state_golden_snapshot_makes_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
