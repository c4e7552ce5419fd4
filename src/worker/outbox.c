/* SPDX-License-Identifier: MPL-2.0 */
/* The list of actions that the slot manager leaves for its shell (or its tests) to carry out.
 * Memory that the messages need lives in the arena until the outbox is cleared, so that a step owes
 * nothing to the message that caused it. */
#include "worker/outbox.h"

#include <stdlib.h>

#include "base/alloc.h"

zn_action *zn_outbox_add(zn_outbox *outbox, zn_action_kind kind) {
    ZN_GROW(outbox->items, outbox->count, outbox->capacity);
    zn_action *action = &outbox->items[outbox->count++];
    *action = (zn_action){ .kind = kind };
    return action;
}

zn_message *zn_outbox_send(zn_outbox *outbox, zn_action_kind kind, uint32_t slot,
                           zn_message_number number) {
    zn_action *action = zn_outbox_add(outbox, kind);
    action->slot = slot;
    action->message.number = number;
    return &action->message;
}

void zn_outbox_clear(zn_outbox *outbox) {
    outbox->count = 0;
    zn_arena_reset(&outbox->arena);
}

void zn_outbox_free(zn_outbox *outbox) {
    free(outbox->items);
    zn_arena_free(&outbox->arena);
    *outbox = (zn_outbox){ 0 };
}
