/* SPDX-License-Identifier: MPL-2.0 */
/* The only way in which a decision of the scheduler becomes visible: letters in the order in which
 * they have to leave. The shell sends and clears after each step; tests read them. */
#include "coordinator/scheduler_outbox.h"

#include <stdlib.h>

#include "base/alloc.h"

static void append(zn_scheduler_outbox *outbox, const zn_letter *letter) {
    ZN_GROW(outbox->letters, outbox->count, outbox->capacity);
    outbox->letters[outbox->count++] = *letter;
}

void zn_scheduler_outbox_send(zn_scheduler_outbox *outbox, uint64_t epoch, const zn_peer *peer,
                              const zn_message *message, void *owned) {
    append(outbox, &(zn_letter){ .kind = ZN_LETTER_WORK,
                                 .epoch = epoch,
                                 .peer = *peer,
                                 .message = *message,
                                 .owned = owned });
}

void zn_scheduler_outbox_event(zn_scheduler_outbox *outbox, const zn_message *message) {
    append(outbox, &(zn_letter){ .kind = ZN_LETTER_EVENT, .message = *message });
}

void zn_scheduler_outbox_refuse(zn_scheduler_outbox *outbox, const zn_peer *peer, uint64_t request,
                                const zonda_error *error) {
    struct refusal {
        zonda_error error;
        zn_failure failure;
    } *refusal = ZN_NEW(struct refusal);
    refusal->error = *error;
    zn_failure_from_error(&refusal->error, &refusal->failure);
    zn_message message = { .number = ZN_MSG_REFUSAL };
    message.refusal =
        (zn_msg_refusal){ .request = request, .failure = &refusal->failure, .failure_count = 1 };
    zn_scheduler_outbox_send(outbox, 0, peer, &message, refusal);
}

void zn_scheduler_outbox_clear(zn_scheduler_outbox *outbox) {
    for (size_t i = 0; i < outbox->count; i++) {
        free(outbox->letters[i].owned);
    }
    outbox->count = 0;
}

void zn_scheduler_outbox_free(zn_scheduler_outbox *outbox) {
    zn_scheduler_outbox_clear(outbox);
    free(outbox->letters);
    *outbox = (zn_scheduler_outbox){ 0 };
}
