/* SPDX-License-Identifier: MPL-2.0 */
/* What a slot was told while it was busy: chunks to run and jobs to forget, in the order in which
 * they came. That order matters, since DONE is for the chunks before it. A worker sends at most two
 * chunks at a time and one DONE per job, so an inbox that is full means a worker that has lost its
 * mind; the slot then ends and is started anew. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "worker/slot_state.h"

static void compact(zn_slot_loop *loop) {
    memmove(loop->orders, loop->orders + loop->order_head,
            loop->order_count * sizeof *loop->orders);
    loop->order_head = 0;
}

void zn_slot_inbox_put(zn_slot_loop *loop, const zn_message *message) {
    if (message->number == ZN_MSG_BLOB) {
        zn_slot_host_offer(loop, &message->blob);
        return;
    }
    if (message->number != ZN_MSG_TASK && message->number != ZN_MSG_DONE) {
        return;
    }
    bool bad = message->number == ZN_MSG_TASK && message->task.body.len != ZN_DIGEST_BYTES;
    if (loop->order_count >= ZN_SLOT_INBOX_MAX || bad) {
        loop->ended = true;
        return;
    }
    if (loop->order_head > 0 && loop->order_head + loop->order_count == loop->order_capacity) {
        compact(loop);
    }
    ZN_GROW(loop->orders, loop->order_head + loop->order_count, loop->order_capacity);
    zn_slot_order *order = &loop->orders[loop->order_head + loop->order_count++];
    *order = (zn_slot_order){ .number = message->number };
    if (message->number == ZN_MSG_DONE) {
        order->done = message->done;
        return;
    }
    order->task = message->task;
    size_t bytes = message->task.runs_count * sizeof *message->task.runs;
    order->task.runs = bytes == 0 ? NULL : zn_memdup(message->task.runs, bytes);
    memcpy(order->body, message->task.body.data, sizeof order->body);
}

bool zn_slot_inbox_take(zn_slot_loop *loop, zn_slot_order *order) {
    if (loop->order_count == 0) {
        return false;
    }
    *order = loop->orders[loop->order_head++];
    loop->order_count -= 1;
    if (loop->order_count == 0) {
        loop->order_head = 0;
    }
    return true;
}

void zn_slot_inbox_free(zn_slot_loop *loop) {
    zn_slot_order order;
    while (zn_slot_inbox_take(loop, &order)) {
        free(order.task.runs);
    }
    free(loop->orders);
    loop->orders = NULL;
    loop->order_capacity = 0;
}
