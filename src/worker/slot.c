/* SPDX-License-Identifier: MPL-2.0 */
/* The interface of slots: each call goes to the implementation that made the slot. Called by the
 * worker's shell only. */
#include "worker/slot.h"

#include "base/alloc.h"

void zn_slot_kill(zn_slot *slot) {
    slot->ops->kill(slot);
}

int zn_slot_death_fd(const zn_slot *slot) {
    return slot->ops->death_fd(slot);
}

bool zn_slot_is_dead(zn_slot *slot, zonda_error *how) {
    return slot->ops->is_dead(slot, how);
}

void zn_slot_quote(zn_slot *slot, zonda_error *how) {
    slot->ops->quote(slot, how);
}

uint64_t zn_slot_pid(const zn_slot *slot) {
    return slot->ops->pid(slot);
}

void zn_slot_destroy(zn_slot **slot) {
    if (slot != NULL && *slot != NULL) {
        (*slot)->ops->destroy(*slot);
        *slot = NULL;
    }
}

char *zn_slot_board_path(const char *scratch) {
    return zn_format("%s/slots.board", scratch);
}
