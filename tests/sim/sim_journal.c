/* SPDX-License-Identifier: MPL-2.0 */
/* The journal of the simulated coordinator, and what waits for it: a letter or reply leaves only
 * when every note made before it is on the disk. Notes are committed in groups, one at a time; a
 * commit takes a while, and now and then a long one. What a commit was about when the coordinator
 * dies may be on the disk as a whole, in part up to the end of some turn, or not at all. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "coordinator/snapshot.h"
#include "sim_slot.h"

enum {
    COMMIT_MS_MAX = 8,
    SLOW_MS_MAX = 1500,
    SLOW_PER_MILLE = 5,
    BREAK_PER_MILLE = 2,   /* commits that fail for good: the coordinator ends */
    SNAPSHOT_PER_MILLE = 5 /* turns in which everything is durable that end with one */
};

void sim_journal_put(sim *s, const sim_event *to, const zn_message *message, uint64_t epoch) {
    sim_journal *journal = &s->journal;
    ZN_GROW(journal->letters, journal->letter_count, journal->letter_capacity);
    sim_letter *letter = &journal->letters[journal->letter_count++];
    *letter = (sim_letter){ .to = *to, .epoch = epoch, .after = UINT64_MAX };
    zn_message_encode(message, &letter->to.bytes);
}

/* What was decided since the last turn waits for all notes so far. */
static void take_notes(sim *s) {
    sim_journal *journal = &s->journal;
    zn_notes *notes = &s->scheduler->notes;
    zn_notes_settle(notes);
    if (notes->bytes.len > 0) {
        zn_buf_append(&journal->notes, notes->bytes.data, notes->bytes.len);
        ZN_GROW(journal->batches, journal->batch_count, journal->batch_capacity);
        journal->batches[journal->batch_count++] = journal->notes.len;
    }
    zn_notes_clear(notes);
    for (size_t i = journal->letter_count; i > 0 && journal->letters[i - 1].after == UINT64_MAX;
         i--) {
        journal->letters[i - 1].after = journal->notes.len;
    }
}

static void begin_commit(sim *s) {
    sim_journal *journal = &s->journal;
    if (journal->committing > 0 || journal->durable == journal->notes.len) {
        return;
    }
    bool faults = s->now_ns < s->settings.faults_end_ns;
    bool slow = faults && sim_chance(s, SLOW_PER_MILLE);
    uint64_t ms_max = slow ? SLOW_MS_MAX : COMMIT_MS_MAX;
    uint64_t full_ns = journal->full_ns > s->now_ns ? journal->full_ns - s->now_ns : 0;
    journal->committing = journal->notes.len;
    sim_event *event =
        sim_add(s, SIM_COORDINATOR_DISK, full_ns + sim_roll(s, ms_max * ZN_NS_PER_MS));
    event->life = journal->life;
    event->value = faults && sim_chance(s, BREAK_PER_MILLE) ? 1 : 0;
}

/* The journal begins anew with the shortest notes that make the same state. */
static void compact(sim *s) {
    sim_journal *journal = &s->journal;
    if (journal->notes.len == 0 || journal->letter_count > 0 || sim_journal_waits(s) ||
        !sim_chance(s, SNAPSHOT_PER_MILLE)) {
        return;
    }
    zn_buf_free(&journal->notes);
    zn_snapshot_write(s->scheduler, &journal->notes);
    journal->durable = journal->notes.len;
}

void sim_journal_turn(sim *s) {
    take_notes(s);
    begin_commit(s);
    compact(s);
}

bool sim_journal_waits(const sim *s) {
    return s->journal.durable < s->journal.notes.len;
}

bool sim_journal_next(sim *s, sim_letter *out) {
    sim_journal *journal = &s->journal;
    if (journal->letter_count == 0 || journal->letters[0].after > journal->durable) {
        return false;
    }
    *out = journal->letters[0];
    memmove(journal->letters, journal->letters + 1,
            --journal->letter_count * sizeof *journal->letters);
    return true;
}

void sim_journal_committed(sim *s) {
    sim_journal *journal = &s->journal;
    size_t left = 0;
    for (size_t i = 0; i < journal->batch_count; i++) {
        if (journal->batches[i] > journal->committing) {
            journal->batches[left++] = journal->batches[i];
        }
    }
    journal->batch_count = left;
    journal->durable = journal->committing;
    journal->committing = 0;
}

static void drop_letters(sim_journal *journal) {
    for (size_t i = 0; i < journal->letter_count; i++) {
        zn_buf_free(&journal->letters[i].to.bytes);
    }
    journal->letter_count = 0;
}

void sim_journal_crash(sim *s) {
    sim_journal *journal = &s->journal;
    size_t kept = journal->durable;
    for (size_t i = 0; i < journal->batch_count && sim_chance(s, 800); i++) {
        kept = journal->batches[i] <= journal->committing ? journal->batches[i] : kept;
    }
    drop_letters(journal);
    journal->notes.len = kept;
    journal->durable = kept;
    journal->committing = 0;
    journal->batch_count = 0;
    journal->life++;
}

void sim_journal_free(sim_journal *journal) {
    drop_letters(journal);
    free(journal->letters);
    free(journal->batches);
    zn_buf_free(&journal->notes);
}
