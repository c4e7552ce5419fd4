/* SPDX-License-Identifier: MPL-2.0 */
/* The worker's loop: wait, drain a bounded batch from each socket, look for slots that died, send
 * what was collected, let time pass. No user code runs here, so heartbeats go on whatever tasks do.
 * The work and blobs sockets are made anew each time the coordinator was looked for: nothing of an
 * old connection, stale requests least of all, reaches a new one. Slots are known by the process id
 * in their HELLO, so a late message of one that died is not taken for its successor's. */
#include "worker/shell.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/machine.h"
#include "wire/text.h"
#include "worker/data_bind.h"
#include "worker/shell_state.h"

enum {
    BATCH_MAX = 256, /* messages from one socket before the others have their turn */
    TICK_MS = 20,
    GOODBYE_MS = 20, /* closing does not wait, so the good-bye gets a moment to leave */
    ITEMS_FIXED = 5
};

/* ---- set-up ---- */

static void relay_to_coordinator(void *context, const zn_message *message) {
    zn_shell *shell = context;
    zonda_error error = { 0 };
    if (shell->blobs != NULL) {
        /* What is not sent is asked for again after a silence. */
        zn_channel_send(shell->blobs, NULL, message, &error);
    }
}

static void relay_to_slot(void *context, uint32_t slot, const zn_message *message) {
    zn_shell_send_slot(context, slot, message);
}

static zonda_err bind_slots(zn_shell *shell, zonda_error *error) {
    bool processes = shell->options.kind == ZN_SLOT_PROCESS;
    char *endpoint =
        processes ? zn_format("ipc://%s/slots", shell->scratch.sockets)
                  : zn_format("inproc://zonda-slots-%016llx", (unsigned long long)shell->client);
    shell->slots_channel = zn_channel_bind(ZN_CHANNEL_ROUTER, endpoint, error);
    free(endpoint);
    if (shell->slots_channel == NULL) {
        return ZONDA_ERR_IO;
    }
    if (!processes) {
        shell->boards = aligned_alloc(64, shell->slot_count * sizeof *shell->boards);
        if (shell->boards == NULL) {
            return zn_error_set(error, ZONDA_ERR_LIMIT, "no memory for %u slots",
                                shell->slot_count);
        }
        memset(shell->boards, 0, shell->slot_count * sizeof *shell->boards);
        return ZONDA_OK;
    }
    char *path = zn_slot_board_path(shell->scratch.folder);
    shell->boards = zn_slot_board_create(path, shell->slot_count, error);
    free(path);
    return shell->boards == NULL ? ZONDA_ERR_IO : ZONDA_OK;
}

static const zn_keys *keys_of(const zn_shell *shell) {
    return shell->options.keys != NULL ? &shell->keys : NULL;
}

static zonda_err load_keys(zn_shell *shell, zonda_error *error) {
    return shell->options.keys == NULL
               ? ZONDA_OK
               : zn_keys_load_client(shell->options.keys, &shell->keys, error);
}

static zonda_err find_coordinator(zn_shell *shell, zonda_error *error) {
    shell->control =
        zn_channel_connect_watched(ZN_CHANNEL_REQ, shell->options.connect, keys_of(shell), error);
    return shell->control == NULL ? ZONDA_ERR_INVALID : ZONDA_OK;
}

static zonda_err serve_data(zn_shell *shell, zonda_error *error) {
    char *bind = zn_data_bind(&shell->options, shell->scratch.sockets, shell->client, error);
    if (bind == NULL) {
        return ZONDA_ERR_REFUSED;
    }
    shell->data = zn_data_server_start_keyed(bind, shell->scratch.folder, keys_of(shell), error);
    free(bind);
    return shell->data == NULL ? ZONDA_ERR_IO : ZONDA_OK;
}

/* What the coordinator is told of the folder: nothing if it could not be said. */
static const char *shared_folder(const zn_scratch *scratch) {
    zn_bytes folder = zn_bytes_of_text(scratch->folder);
    bool sayable = folder.len <= ZN_PATH_BYTES_MAX && zn_text_is_valid(folder);
    return sayable && folder.data[0] == '/' ? scratch->folder : "";
}

static void make_core(zn_shell *shell) {
    zn_relay_options relay = { .slots = shell->slot_count,
                               .client = shell->client,
                               .scratch = shell->scratch.folder,
                               .context = shell,
                               .to_coordinator = relay_to_coordinator,
                               .to_slot = relay_to_slot };
    shell->relay = zn_relay_new(&relay);
    char host[ZN_NAME_BYTES_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    char machine[ZN_MACHINE_TEXT];
    const zn_keys *keys = keys_of(shell);
    char *data = zn_data_advertise(&shell->options, zn_data_server_endpoint(shell->data),
                                   keys != NULL ? &keys->own : NULL);
    zn_slot_manager_config config = { .slots = shell->slot_count,
                                      .killable = shell->options.kind == ZN_SLOT_PROCESS,
                                      .client = shell->client,
                                      .pid = (uint64_t)getpid(),
                                      .host = host,
                                      .data = data,
                                      .folder = shared_folder(&shell->scratch),
                                      .machine = zn_machine_id(machine) };
    shell->core = zn_slot_manager_new(&config, zn_clock_ns(), &shell->outbox);
    free(data);
}

zn_shell *zn_shell_new(const zn_worker_options *options, zonda_error *error) {
    zn_shell *shell = ZN_NEW(zn_shell);
    shell->options = *options;
    shell->slot_count = options->slots;
    shell->client = zn_random_id();
    shell->slots = zn_calloc(shell->slot_count, sizeof *shell->slots);
    shell->views = zn_calloc(shell->slot_count, sizeof *shell->views);
    shell->items = zn_calloc(ITEMS_FIXED + (size_t)shell->slot_count, sizeof *shell->items);
    if (load_keys(shell, error) != ZONDA_OK || find_coordinator(shell, error) != ZONDA_OK ||
        zn_scratch_make(options->scratch, &shell->scratch, error) != ZONDA_OK ||
        serve_data(shell, error) != ZONDA_OK || bind_slots(shell, error) != ZONDA_OK) {
        zn_shell_destroy(&shell);
        return NULL;
    }
    make_core(shell);
    return shell;
}

static void free_boards(zn_shell *shell) {
    if (shell->options.kind == ZN_SLOT_PROCESS) {
        zn_slot_board_unmap(&shell->boards, shell->slot_count);
    } else {
        free(shell->boards);
    }
}

void zn_shell_destroy(zn_shell **shell) {
    if (shell == NULL || *shell == NULL) {
        return;
    }
    zn_shell *self = *shell;
    for (uint32_t i = 0; i < self->slot_count; i++) {
        zn_slot_destroy(&self->slots[i].slot);
    }
    zn_slot_manager_destroy(&self->core);
    zn_relay_destroy(&self->relay);
    zn_outbox_free(&self->outbox);
    zn_channel_destroy(&self->slots_channel);
    zn_channel_destroy(&self->blobs);
    zn_channel_destroy(&self->work);
    zn_channel_destroy(&self->control);
    zn_data_server_stop(&self->data);
    free_boards(self);
    zn_scratch_remove(&self->scratch);
    zn_keys_wipe(&self->keys);
    free(self->items);
    free(self->views);
    free(self->slots);
    free(self);
    *shell = NULL;
}

/* ---- input ---- */

static void refuse(zn_shell *shell, const zonda_error *error) {
    zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_REFUSED, .error = error });
}

/* At most once a second: whoever floods the socket must not flood the log. */
static void log_bad(zn_shell *shell, const char *socket, const zonda_error *error) {
    uint64_t now = zn_clock_ns();
    shell->bad_messages++;
    if (shell->bad_logged_ns == 0 || now - shell->bad_logged_ns >= ZN_NS_PER_S) {
        shell->bad_logged_ns = now;
        zn_log(ZONDA_LOG_WARN, "worker-bad-message", "socket=%s total=%llu text=%s", socket,
               (unsigned long long)shell->bad_messages, error->text);
    }
}

/* A bad message is dropped; only that of another version can never become a good one, nor can a key
 * that is not allowed. Keys that do not fit otherwise are a mistake at the start; later it is the
 * coordinator's, which can be mended while the worker keeps what it has. */
static void take_bad(zn_shell *shell, const char *socket, const zonda_error *error) {
    log_bad(shell, socket, error);
    bool misfit = error->code == ZONDA_ERR_KEYS &&
                  (error->permanent || !zn_slot_manager_was_welcome(shell->core));
    if (error->code == ZONDA_ERR_VERSION || misfit) {
        refuse(shell, error);
    }
}

static char *copy_text(zn_bytes text) {
    return zn_strndup(text.len == 0 ? "" : (const char *)text.data, text.len);
}

static zn_channel *reconnect(const zn_shell *shell, zn_channel **channel, zn_bytes endpoint,
                             zonda_error *error) {
    zn_channel_destroy(channel);
    char *text = copy_text(endpoint);
    *channel = zn_channel_connect_watched(ZN_CHANNEL_DEALER, text, keys_of(shell), error);
    free(text);
    return *channel;
}

static void take_endpoints(zn_shell *shell, const zn_message *message) {
    const zn_msg_endpoints *endpoints = &message->endpoints;
    zonda_error error = { 0 };
    if (zn_slot_manager_state(shell->core) != ZN_REGISTRATION_LOOKING) {
        return;
    }
    if (reconnect(shell, &shell->work, endpoints->work, &error) == NULL ||
        reconnect(shell, &shell->blobs, endpoints->blobs, &error) == NULL) {
        zn_log(ZONDA_LOG_ERROR, "worker-bad-endpoints", "text=%s", error.text);
        return;
    }
    zn_relay_reconnected(shell->relay, zn_clock_ns());
    zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND, .message = message });
}

static void take_control(zn_shell *shell) {
    zonda_error error = { 0 };
    if (zn_channel_refused(shell->control, &error) != ZONDA_OK) {
        take_bad(shell, "control", &error);
        return;
    }
    zn_message message;
    bool got = false;
    zonda_err code = zn_channel_recv(shell->control, NULL, &message, &got, &error);
    if (code != ZONDA_OK) {
        take_bad(shell, "control", &error);
    } else if (got && message.number == ZN_MSG_ENDPOINTS) {
        take_endpoints(shell, &message);
    } else if (got && message.number == ZN_MSG_REFUSAL && message.refusal.failure_count > 0) {
        zn_failure_to_error(&message.refusal.failure[0], &error);
        take_bad(shell, "control", &error);
    }
}

static void take_work(zn_shell *shell) {
    if (shell->work != NULL) {
        zn_channel_refused(shell->work, NULL);
    }
    for (int i = 0; i < BATCH_MAX && shell->work != NULL; i++) {
        zonda_error error = { 0 };
        zn_message message;
        bool got = false;
        zonda_err code = zn_channel_recv(shell->work, NULL, &message, &got, &error);
        if (code != ZONDA_OK) {
            take_bad(shell, "work", &error);
        } else if (!got) {
            return;
        } else if (message.number == ZN_MSG_ALLOWED) {
            zn_data_server_allow(shell->data, message.allowed.keys);
        } else {
            if (message.number == ZN_MSG_TASK) {
                zn_relay_task_came(shell->relay, &message.task, zn_clock_ns());
            }
            zn_shell_step(
                shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_MESSAGE, .message = &message });
        }
    }
}

/* A refusal is not told: control says the same. */
static void take_blobs(zn_shell *shell) {
    if (shell->blobs != NULL) {
        zn_channel_refused(shell->blobs, NULL);
    }
    for (int i = 0; i < BATCH_MAX && shell->blobs != NULL; i++) {
        zonda_error error = { 0 };
        zn_message message;
        bool got = false;
        zonda_err code = zn_channel_recv(shell->blobs, NULL, &message, &got, &error);
        if (code != ZONDA_OK) {
            take_bad(shell, "blobs", &error);
        } else if (!got) {
            return;
        } else {
            zn_relay_answered(shell->relay, &message, zn_clock_ns());
        }
    }
}

static void greet_slot(zn_shell *shell, const zn_peer *peer, const zn_msg_hello *hello) {
    if (hello->role != ZN_ROLE_SLOT || hello->slots >= shell->slot_count) {
        return;
    }
    zn_shell_slot *slot = &shell->slots[hello->slots];
    if (slot->slot == NULL || slot->known || zn_slot_pid(slot->slot) != hello->pid) {
        return;
    }
    slot->known = true;
    slot->peer = *peer;
    zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_READY,
                                            .slot = (uint32_t)hello->slots });
}

static int64_t find_slot(const zn_shell *shell, const zn_peer *peer) {
    for (uint32_t i = 0; i < shell->slot_count; i++) {
        if (shell->slots[i].known && zn_peer_equal(&shell->slots[i].peer, peer)) {
            return i;
        }
    }
    return -1;
}

static void take_slot_message(zn_shell *shell, const zn_peer *peer, const zn_message *message) {
    if (message->number == ZN_MSG_HELLO) {
        greet_slot(shell, peer, &message->hello);
        return;
    }
    int64_t slot = find_slot(shell, peer);
    if (slot < 0) {
        return;
    }
    if (message->number == ZN_MSG_GET_BLOB || message->number == ZN_MSG_COLLECT_RESULTS) {
        zn_relay_slot_asked(shell->relay, (uint32_t)slot, message, zn_clock_ns());
    } else {
        zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_MESSAGE,
                                                .slot = (uint32_t)slot,
                                                .message = message });
    }
}

static void take_slots(zn_shell *shell) {
    for (int i = 0; i < BATCH_MAX; i++) {
        zonda_error error = { 0 };
        zn_message message;
        zn_peer peer;
        bool got = false;
        zonda_err code = zn_channel_recv(shell->slots_channel, &peer, &message, &got, &error);
        if (code != ZONDA_OK) {
            log_bad(shell, "slots", &error);
        } else if (!got) {
            return;
        } else {
            take_slot_message(shell, &peer, &message);
        }
    }
}

static void bury_slot(zn_shell *shell, uint32_t index, zonda_error *how) {
    zn_slot_board_blame(&shell->boards[index], how);
    zn_slot_quote(shell->slots[index].slot, how);
    zn_worker_event event = { .kind = ZN_WORKER_EVENT_SLOT_DEAD, .slot = index, .error = how };
    zn_slot_board_last(&shell->boards[index], &event.running_sequence, &event.running_position);
    zn_slot_destroy(&shell->slots[index].slot);
    shell->slots[index] = (zn_shell_slot){ 0 };
    zn_relay_slot_dead(shell->relay, index);
    zn_shell_step(shell, event);
}

/* After the slots' messages were taken, so that what a slot reported before it died counts. */
static void look_for_dead(zn_shell *shell) {
    for (uint32_t i = 0; i < shell->slot_count; i++) {
        zonda_error how = { 0 };
        if (shell->slots[i].slot != NULL && zn_slot_is_dead(shell->slots[i].slot, &how)) {
            /* On the way out slots end because they were told to. */
            bool leaving = zn_slot_manager_state(shell->core) >= ZN_REGISTRATION_LEAVING;
            zn_log(leaving ? ZONDA_LOG_DEBUG : ZONDA_LOG_WARN, "worker-slot-died", "text=%s",
                   how.text);
            bury_slot(shell, i, &how);
        }
    }
}

/* ---- loop ---- */

static zn_poll_item *add_item(zn_poll_item *item, zn_channel *channel) {
    if (channel == NULL) {
        return item;
    }
    *item = (zn_poll_item){ .kind = ZN_POLL_CHANNEL, .channel = channel };
    return item + 1;
}

/* Waits for anything; sets `*deaths` if a slot may have died. */
static void wait_for_input(zn_shell *shell, zn_actor_pipe *pipe, bool *deaths) {
    zn_poll_item *item = shell->items;
    item = add_item(item, shell->control);
    item = add_item(item, shell->slots_channel);
    item = add_item(item, shell->work);
    item = add_item(item, shell->blobs);
    if (!shell->stop_told) {
        *item++ = (zn_poll_item){ .kind = ZN_POLL_FD, .fd = zn_actor_pipe_fd(pipe) };
    }
    size_t first_death = (size_t)(item - shell->items);
    for (uint32_t i = 0; i < shell->slot_count; i++) {
        int fd = shell->slots[i].slot == NULL ? -1 : zn_slot_death_fd(shell->slots[i].slot);
        if (fd >= 0) {
            *item++ = (zn_poll_item){ .kind = ZN_POLL_FD, .fd = fd };
        }
    }
    size_t count = (size_t)(item - shell->items);
    zn_poll(shell->items, count, TICK_MS);
    *deaths = false;
    for (size_t i = first_death; i < count; i++) {
        *deaths = *deaths || shell->items[i].ready;
    }
}

static void look_at_boards(zn_shell *shell) {
    for (uint32_t i = 0; i < shell->slot_count; i++) {
        zn_slot_view *view = &shell->views[i];
        uint32_t position = 0;
        zn_slot_board_last(&shell->boards[i], &view->sequence, &position);
        view->position = position;
        view->moves = atomic_load_explicit(&shell->boards[i].moves, memory_order_relaxed);
    }
}

static void turn(zn_shell *shell, zn_actor_pipe *pipe) {
    bool deaths = false;
    wait_for_input(shell, pipe, &deaths);
    take_control(shell);
    take_work(shell);
    take_blobs(shell);
    take_slots(shell);
    if (deaths) {
        look_for_dead(shell);
    }
    zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FLUSH });
    if (atomic_load(shell->drain) && !shell->drain_told) {
        shell->drain_told = true;
        zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_DRAIN });
    }
    if (zn_actor_stopping(pipe) && !shell->stop_told) {
        shell->stop_told = true;
        zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_STOP });
    }
    look_at_boards(shell);
    zn_shell_step(shell, (zn_worker_event){ .kind = ZN_WORKER_EVENT_TICK, .views = shell->views });
    zn_relay_tick(shell->relay, zn_clock_ns());
}

void zn_shell_run(zn_shell *shell, zn_actor_pipe *pipe, const atomic_bool *drain,
                  zonda_error *reason) {
    shell->drain = drain;
    zn_shell_act(shell);
    while (!shell->ended) {
        turn(shell, pipe);
    }
    if (strncmp(shell->options.connect, "inproc://", 9) != 0) {
        zn_poll(NULL, 0, GOODBYE_MS);
    }
    *reason = *zn_slot_manager_reason(shell->core);
}
