/* SPDX-License-Identifier: MPL-2.0 */
/* The hands of the worker's core: each action of its outbox becomes a send, a start, a kill or a
 * removal. What fails here goes back to the core as an event, which may add further actions; they
 * are carried out in the same pass. A slot whose start failed counts as dead, so that the core
 * waits before it tries again. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/segment.h"
#include "worker/shell_state.h"

static void send_control(zn_shell *shell, const zn_message *message) {
    zonda_error error = { 0 };
    zn_channel_reset(shell->control);
    if (zn_channel_send(shell->control, NULL, message, &error) != ZONDA_OK) {
        zn_log(ZONDA_LOG_DEBUG, "worker-control-unsent", "text=%s", error.text);
    }
}

/* Back to the core, but not through zn_shell_step: the pass over the outbox is under way. */
static void tell_core(zn_shell *shell, zn_worker_event event) {
    event.now_ns = zn_clock_ns();
    zn_slot_manager_step(shell->core, &event, &shell->outbox);
}

static void send_work(zn_shell *shell, const zn_message *message) {
    zonda_error error = { 0 };
    if (shell->work != NULL && zn_channel_send(shell->work, NULL, message, &error) == ZONDA_OK) {
        return;
    }
    zn_log(ZONDA_LOG_DEBUG, "worker-unsent", "message=%s text=%s", zn_message_name(message->number),
           error.text);
    tell_core(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_UNSENT, .message = message });
}

void zn_shell_send_slot(zn_shell *shell, uint32_t index, const zn_message *message) {
    const zn_shell_slot *slot = &shell->slots[index];
    zonda_error error = { 0 };
    if (slot->known &&
        zn_channel_send(shell->slots_channel, &slot->peer, message, &error) != ZONDA_OK) {
        zn_log(ZONDA_LOG_DEBUG, "worker-slot-unsent", "slot=%u text=%s", index, error.text);
        /* A slot that takes no messages cannot be trusted to know what it was told. */
        zn_slot_kill(slot->slot);
    }
}

static void start_slot(zn_shell *shell, uint32_t index) {
    zn_slot_options options = { .endpoint = zn_channel_endpoint(shell->slots_channel),
                                .index = index,
                                .scratch = shell->scratch.folder,
                                .board = &shell->boards[index],
                                .memory_bytes = shell->options.memory_bytes,
                                .program = shell->options.program,
                                .keys = shell->options.keys };
    zonda_error error = { 0 };
    zn_slot_board_clear(options.board);
    zn_slot *slot = shell->options.kind == ZN_SLOT_PROCESS ? zn_slot_start_process(&options, &error)
                                                           : zn_slot_start_thread(&options, &error);
    if (slot == NULL) {
        zn_log(ZONDA_LOG_ERROR, "worker-slot-start", "slot=%u text=%s", index, error.text);
        tell_core(shell, (zn_worker_event){
                             .kind = ZN_WORKER_EVENT_SLOT_DEAD, .slot = index, .error = &error });
        return;
    }
    shell->slots[index] = (zn_shell_slot){ .slot = slot };
}

static void carry_out(zn_shell *shell, const zn_action *action) {
    switch (action->kind) {
    case ZN_ACTION_SEND_CONTROL:
        send_control(shell, &action->message);
        break;
    case ZN_ACTION_SEND_WORK:
        send_work(shell, &action->message);
        break;
    case ZN_ACTION_SEND_SLOT:
        if (action->message.number == ZN_MSG_TASK) {
            zn_relay_task_goes(shell->relay, action->slot, &action->message.task);
        }
        zn_shell_send_slot(shell, action->slot, &action->message);
        break;
    case ZN_ACTION_CANCEL_CHUNK:
        zn_slot_board_cancel(&shell->boards[action->slot], action->sequence);
        break;
    case ZN_ACTION_START_SLOT:
        start_slot(shell, action->slot);
        break;
    case ZN_ACTION_KILL_SLOT:
        if (shell->slots[action->slot].slot != NULL) {
            zn_slot_kill(shell->slots[action->slot].slot);
        }
        break;
    case ZN_ACTION_REMOVE_JOB:
        zn_segment_remove_job(shell->scratch.folder, action->job);
        break;
    case ZN_ACTION_REMOVE_ALL:
        zn_scratch_remove_segments(&shell->scratch);
        break;
    case ZN_ACTION_FORGET_BLOBS:
        zn_relay_forget(shell->relay);
        break;
    case ZN_ACTION_END:
        shell->ended = true;
        break;
    }
}

/* Each action is copied before it is carried out: the list may move when the core adds to it. */
void zn_shell_act(zn_shell *shell) {
    for (size_t i = 0; i < shell->outbox.count; i++) {
        zn_action action = shell->outbox.items[i];
        carry_out(shell, &action);
    }
    zn_outbox_clear(&shell->outbox);
}

void zn_shell_step(zn_shell *shell, zn_worker_event event) {
    event.now_ns = zn_clock_ns();
    zn_slot_manager_step(shell->core, &event, &shell->outbox);
    zn_shell_act(shell);
}
