/* SPDX-License-Identifier: MPL-2.0 */
/* Makes the state directory of a coordinator that was killed in the middle of a stage: all of its
 * tasks but one are completed, with results that are all alike or all different.
 *   restart DIR TASKS same|distinct */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/journal.h"
#include "coordinator/notes.h"

enum {
    OUTCOMES_PER_RESULT = 4096
};

static void add_job(zn_notes *notes, const zn_digest *body, zn_bytes bytes, uint64_t tasks) {
    zn_message note = { .number = ZN_MSG_NOTE_BEGUN };
    note.note_begun = (zn_msg_note_begun){
        .cluster = 7, .first_job = 1, .next_job = 1, .next_epoch = 1, .next_worker = 1, .restart = 1
    };
    zn_notes_add(notes, &note);
    note = (zn_message){ .number = ZN_MSG_NOTE_JOB };
    note.note_job = (zn_msg_note_job){ .job = 1,
                                       .client = 5,
                                       .request = 1,
                                       .name = zn_bytes_of_text("restart"),
                                       .fingerprint = zn_digest_bytes(body),
                                       .opened_ms = zn_clock_wall_ms(),
                                       .detach = 1 };
    zn_notes_add(notes, &note);
    note = (zn_message){ .number = ZN_MSG_NOTE_BLOB };
    note.note_blob = (zn_msg_note_blob){
        .job = 1, .digest = zn_digest_bytes(body), .size = bytes.len, .bytes = bytes
    };
    zn_notes_add(notes, &note);
    note = (zn_message){ .number = ZN_MSG_NOTE_STAGE };
    note.note_stage = (zn_msg_note_stage){ .job = 1,
                                           .name = zn_bytes_of_text("map"),
                                           .task_count = tasks,
                                           .body = zn_digest_bytes(body),
                                           .at_ms = zn_clock_wall_ms() };
    zn_notes_add(notes, &note);
}

/* What one RESULT reported: as many tasks as go into it, from `first` on. */
static void add_outcomes(zn_notes *notes, uint64_t first, uint64_t count, bool distinct) {
    static zn_outcome outcomes[OUTCOMES_PER_RESULT];
    static uint8_t records[OUTCOMES_PER_RESULT][9];
    size_t outcome_count = distinct ? count : 1;
    for (uint64_t i = 0; i < outcome_count; i++) {
        records[i][0] = 0xcf; /* a record: the number of the task */
        zn_put_u64(&records[i][1], distinct ? first + i : 0);
        outcomes[i] = (zn_outcome){ .first = first + i,
                                    .count = distinct ? 1 : count,
                                    .attempt = 1,
                                    .records_in = 1,
                                    .records_out = 1,
                                    .bytes_in = 9,
                                    .bytes_out = 9,
                                    .records = { records[i], sizeof records[i] } };
    }
    zn_message note = { .number = ZN_MSG_NOTE_OUTCOMES };
    note.note_outcomes = (zn_msg_note_outcomes){ .job = 1,
                                                 .holder = 500,
                                                 .worker = 1,
                                                 .at_ms = zn_clock_wall_ms(),
                                                 .outcomes = outcomes,
                                                 .outcomes_count = outcome_count };
    zn_notes_add(notes, &note);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: restart DIR TASKS same|distinct\n");
        return 2;
    }
    uint64_t tasks = strtoull(argv[2], NULL, 10);
    bool distinct = strcmp(argv[3], "distinct") == 0;
    zonda_error error = { 0 };
    zn_journal *journal = zn_journal_open(argv[1], &error);
    if (journal == NULL || zn_journal_start(journal, 10, &error) != ZONDA_OK) {
        fprintf(stderr, "restart: %s\n", error.text);
        return 1;
    }
    static const uint8_t bytes[] = "a body";
    zn_bytes blob = { bytes, sizeof bytes };
    zn_digest body = zn_digest_of(blob);
    zn_notes notes = { .kept = true };
    add_job(&notes, &body, blob, tasks);
    for (uint64_t first = 0; first + 1 < tasks; first += OUTCOMES_PER_RESULT) {
        uint64_t rest = tasks - 1 - first;
        add_outcomes(&notes, first, rest < OUTCOMES_PER_RESULT ? rest : OUTCOMES_PER_RESULT,
                     distinct);
        zn_journal_batch batch = { .notes = notes.bytes };
        notes.bytes = (zn_buf){ 0 };
        zn_journal_append(journal, &batch);
    }
    zn_journal_close(&journal);
    zn_notes_free(&notes);
    return 0;
}
