/* SPDX-License-Identifier: MPL-2.0 */
/* One queue for letters and replies, so that their order is kept: each waits for the batch of notes
 * that was appended last before it. Usually that is a few milliseconds.
 *
 * TASKs are the exception: that others were completed does not matter to them. They wait for notes
 * of every other kind (the stage was started, an attempt was used up), and never overtake another
 * letter to a worker, so work goes on while results are being written. Nor do such notes go to the
 * journal for their sake: the event that follows them within milliseconds takes them all at once.
 *
 * While the disk is slow, workers must not take the coordinator for dead: a heartbeat that would
 * wait behind others for long leaves at once too, bare, so that it acknowledges nothing. */
#include "coordinator/outgoing.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/snapshot.h"

enum {
    SLOW_MS = 250,
    BACKLOG_MAX = 256 /* batches that are not durable, above which no more work is handed out */
};

#define SNAPSHOT_BYTES_MIN (UINT64_C(32) * ZN_MIB)

typedef struct held {
    uint64_t after; /* number of the batch that must be durable */
    uint64_t since_ns;
    bool is_reply;
    bool went_bare;   /* a heartbeat that did not wait */
    zn_letter letter; /* unless it is a reply, which is in `reply` */
    zn_buf reply;
} held;

struct zn_outgoing {
    zn_outgoing_parts parts;
    held *queue; /* those from `first` on wait */
    size_t first;
    size_t count;
    size_t capacity;
    bool owes_reply;
    size_t waiting_work;     /* letters to workers that wait */
    uint64_t appended;       /* batches */
    uint64_t binding;        /* the last one that TASKs wait for */
    uint64_t bytes;          /* in the journal since the last snapshot */
    uint64_t snapshot_bytes; /* of that */
    zn_decoder *decoder;     /* of replies that waited */
};

zn_outgoing *zn_outgoing_new(const zn_outgoing_parts *parts) {
    zn_outgoing *outgoing = ZN_NEW(zn_outgoing);
    outgoing->parts = *parts;
    outgoing->snapshot_bytes = parts->journal_bytes;
    outgoing->decoder = zn_decoder_new();
    return outgoing;
}

/* ---- notes ---- */

/* Replaces a journal that has grown long, so that its size stays that of the state. */
static void append_snapshot(zn_outgoing *outgoing) {
    zn_journal_batch batch = { .snapshot = true };
    zn_snapshot_write(outgoing->parts.scheduler, &batch.notes);
    outgoing->snapshot_bytes = batch.notes.len;
    outgoing->bytes = 0;
    outgoing->appended = zn_journal_append(outgoing->parts.journal, &batch);
}

static void take_notes(zn_outgoing *outgoing) {
    zn_notes *notes = &outgoing->parts.scheduler->notes;
    zn_notes_settle(notes);
    if (outgoing->parts.journal == NULL || (notes->bytes.len == 0 && notes->past.len == 0)) {
        zn_notes_clear(notes);
        return;
    }
    outgoing->bytes += notes->bytes.len;
    zn_journal_batch batch = { .notes = notes->bytes, .past = notes->past };
    notes->bytes = (zn_buf){ 0 };
    notes->past = (zn_buf){ 0 };
    outgoing->appended = zn_journal_append(outgoing->parts.journal, &batch);
    outgoing->binding = notes->binding ? outgoing->appended : outgoing->binding;
    notes->binding = false;
    if (outgoing->bytes > SNAPSHOT_BYTES_MIN && outgoing->bytes > 2 * outgoing->snapshot_bytes) {
        append_snapshot(outgoing);
    }
}

/* Whether something sent now would leave before its time. */
static bool must_wait(const zn_outgoing *outgoing) {
    return outgoing->count > outgoing->first ||
           (outgoing->parts.journal != NULL &&
            zn_journal_durable(outgoing->parts.journal) < outgoing->appended);
}

static bool is_task(const zn_letter *letter) {
    return letter->kind == ZN_LETTER_WORK && letter->message.number == ZN_MSG_TASK;
}

static bool letter_must_wait(const zn_outgoing *outgoing, const zn_letter *letter) {
    if (is_task(letter) && outgoing->parts.journal != NULL) {
        uint64_t durable = zn_journal_durable(outgoing->parts.journal);
        return outgoing->waiting_work > 0 || durable < outgoing->binding ||
               outgoing->appended - durable > BACKLOG_MAX;
    }
    return must_wait(outgoing);
}

/* ---- sending ---- */

static void send_letter(zn_outgoing *outgoing, const zn_letter *letter) {
    const zn_outgoing_parts *parts = &outgoing->parts;
    if (letter->kind == ZN_LETTER_EVENT) {
        zn_channel_send(parts->events, NULL, &letter->message, NULL);
        return;
    }
    if (letter->message.number == ZN_MSG_WELCOME) {
        zn_gate_tell(parts->gate, parts->work, &letter->peer);
    }
    zonda_err err = zn_channel_send(parts->work, &letter->peer, &letter->message, NULL);
    if (err != ZONDA_OK && letter->epoch != 0) {
        zn_scheduler_unreachable(parts->scheduler, zn_clock_ns(), letter->epoch);
    }
}

static void send_kept_reply(zn_outgoing *outgoing, held *item) {
    zn_message reply;
    zonda_error error;
    if (zn_decoder_decode(outgoing->decoder, zn_buf_bytes(&item->reply), &reply, &error) ==
        ZONDA_OK) { /* it is our own */
        zn_channel_send(outgoing->parts.control, NULL, &reply, NULL);
    }
    zn_buf_free(&item->reply);
    outgoing->owes_reply = false;
}

static held *hold(zn_outgoing *outgoing) {
    if (outgoing->first > 0 && outgoing->first == outgoing->count) {
        outgoing->first = 0;
        outgoing->count = 0;
    }
    ZN_GROW(outgoing->queue, outgoing->count, outgoing->capacity);
    held *item = &outgoing->queue[outgoing->count++];
    *item = (held){ .after = outgoing->appended, .since_ns = zn_clock_ns() };
    return item;
}

static void send_bare_heartbeat(zn_outgoing *outgoing, const zn_letter *letter) {
    zn_letter bare = *letter;
    bare.message.heartbeat.sent = 0;
    bare.message.heartbeat.received = 0;
    send_letter(outgoing, &bare);
}

static void hold_letter(zn_outgoing *outgoing, zn_letter *letter) {
    held *item = hold(outgoing);
    item->letter = *letter;
    letter->owned = NULL;
    outgoing->waiting_work += letter->kind == ZN_LETTER_WORK ? 1 : 0;
}

/* Sends the heartbeats that wait, bare, if something has waited for long. */
static void send_bare_heartbeats(zn_outgoing *outgoing) {
    uint64_t now_ns = zn_clock_ns();
    bool slow = outgoing->first < outgoing->count &&
                now_ns - outgoing->queue[outgoing->first].since_ns > SLOW_MS * ZN_NS_PER_MS;
    for (size_t i = outgoing->count; slow && i > outgoing->first; i--) {
        held *item = &outgoing->queue[i - 1];
        bool heartbeat = !item->is_reply && item->letter.kind == ZN_LETTER_WORK &&
                         item->letter.message.number == ZN_MSG_HEARTBEAT;
        if (heartbeat && item->went_bare) {
            return; /* and so did those before it */
        }
        if (heartbeat) {
            item->went_bare = true;
            zn_letter letter = item->letter;
            send_bare_heartbeat(outgoing, &letter);
        }
    }
}

/* Sends what waits and need not any more. */
static void release(zn_outgoing *outgoing) {
    uint64_t durable =
        outgoing->parts.journal != NULL ? zn_journal_durable(outgoing->parts.journal) : 0;
    while (outgoing->first < outgoing->count && outgoing->queue[outgoing->first].after <= durable) {
        held item = outgoing->queue[outgoing->first++];
        if (item.is_reply) {
            send_kept_reply(outgoing, &item);
        } else {
            outgoing->waiting_work -= item.letter.kind == ZN_LETTER_WORK ? 1 : 0;
            send_letter(outgoing, &item.letter);
            free(item.letter.owned);
        }
    }
}

/* Takes one letter after the other, because sending one may add notes and letters. */
static void take_letters(zn_outgoing *outgoing) {
    zn_scheduler_outbox *outbox = &outgoing->parts.scheduler->outbox;
    const zn_notes *notes = &outgoing->parts.scheduler->notes;
    for (size_t i = 0; i < outbox->count; i++) {
        if (notes->binding || !is_task(&outbox->letters[i])) {
            take_notes(outgoing);
        }
        if (letter_must_wait(outgoing, &outbox->letters[i])) {
            hold_letter(outgoing, &outbox->letters[i]);
        } else {
            zn_letter letter = outbox->letters[i];
            send_letter(outgoing, &letter);
        }
    }
    zn_scheduler_outbox_clear(outbox);
}

void zn_outgoing_flush(zn_outgoing *outgoing) {
    release(outgoing);
    take_letters(outgoing);
    send_bare_heartbeats(outgoing);
    const zn_notes *notes = &outgoing->parts.scheduler->notes;
    if (notes->binding || notes->bytes.len > ZN_BATCH_BYTES) {
        take_notes(outgoing);
    }
}

void zn_outgoing_reply(zn_outgoing *outgoing, const zn_message *reply) {
    take_notes(outgoing);
    if (!must_wait(outgoing)) {
        zn_channel_send(outgoing->parts.control, NULL, reply, NULL); /* who went away needs none */
        return;
    }
    held *item = hold(outgoing);
    item->is_reply = true;
    zn_message_encode(reply, &item->reply);
    outgoing->owes_reply = true;
}

bool zn_outgoing_owes_reply(const zn_outgoing *outgoing) {
    return outgoing->owes_reply;
}

void zn_outgoing_destroy(zn_outgoing **outgoing_pointer) {
    zn_outgoing *outgoing = *outgoing_pointer;
    if (outgoing == NULL) {
        return;
    }
    take_notes(outgoing);
    for (size_t i = outgoing->first; i < outgoing->count; i++) {
        free(outgoing->queue[i].letter.owned);
        zn_buf_free(&outgoing->queue[i].reply);
    }
    free(outgoing->queue);
    zn_decoder_destroy(&outgoing->decoder);
    free(outgoing);
    *outgoing_pointer = NULL;
}
