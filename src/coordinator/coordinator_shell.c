/* SPDX-License-Identifier: MPL-2.0 */
/* The I/O of the coordinator: poll, take a bounded batch from each socket, step the scheduler, send
 * what it decided, let time pass. Batches are bounded so that a flood on one socket delays the
 * others by a moment only; what was not taken makes the next poll return at once.
 *
 * All input is foreign: what cannot be decoded is counted, logged once per peer and at most once a
 * second, answered where an answer is due (control always, others if the versions differ), and has
 * no other effect. A worker to which nothing can be sent is lost; a closed connection makes us send
 * something to everybody, so that the one behind it shows at once. */
#include "coordinator/coordinator_shell.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/control.h"
#include "coordinator/gate.h"
#include "coordinator/outgoing.h"
#include "coordinator/replay.h"
#include "coordinator/restore.h"
#include "coordinator/scheduler_drivers.h"
#include "wire/endpoint.h"

enum {
    CONTROL_BATCH = 64,
    WORK_BATCH = 256,
    BLOBS_BATCH = 16,
    WARNED_PEERS = 32,
    DRIVERS_MS = 1000, /* to learn that the cluster ends */
    JOBS_MS = 5000,    /* for workers to let go of their jobs */
    STOP_MS = 200,     /* for workers to leave */
};

struct zn_coordinator_shell {
    zn_gate *gate;       /* NULL: everybody is let in */
    zn_journal *journal; /* NULL: nothing survives a restart */
    uint64_t journal_bytes;
    zn_outgoing *outgoing;
    zn_channel *control;
    zn_channel *work;
    zn_channel *blobs;
    zn_channel *events;
    char *endpoint; /* of control, as others write it */
    zn_scheduler *scheduler;
    zn_control *calls;
    uint64_t warned[WARNED_PEERS]; /* checksums of peers whose garbage was logged */
    size_t warned_next;
    uint64_t warned_at_ns;
    uint64_t bad_messages;
};

/* ---- opening ---- */

/* Binds where the socket was bound before a restart, so that workers and drivers find it again; a
 * sibling whose place is taken goes elsewhere, because control says where it is. */
static zn_channel *bind_again(const zn_coordinator_shell *shell, zn_channel_kind kind,
                              const char *bind, const char *name, zonda_error *error) {
    char *before = shell->journal != NULL ? zn_restore_endpoint(shell->journal, bind, name) : NULL;
    zn_channel *channel = before != NULL ? zn_gate_bind(shell->gate, kind, before, error) : NULL;
    free(before);
    return channel;
}

static zn_channel *bind_one(const zn_coordinator_shell *shell, zn_channel_kind kind,
                            const char *bind, const char *name, zonda_error *error) {
    bool is_control = kind == ZN_CHANNEL_REP;
    zn_channel *channel = bind_again(shell, kind, bind, name, error);
    if (channel == NULL) {
        char *endpoint = is_control ? zn_strdup(bind) : zn_endpoint_sibling(bind, name);
        channel = zn_gate_bind(shell->gate, kind, endpoint, error);
        free(endpoint);
    }
    if (channel != NULL && shell->journal != NULL &&
        zn_restore_keep_endpoint(shell->journal, bind, name, zn_channel_endpoint(channel), error) !=
            ZONDA_OK) {
        zn_channel_destroy(&channel);
    }
    return channel;
}

static zonda_err bind_all(zn_coordinator_shell *shell, const zn_coordinator_options *options,
                          zonda_error *error) {
    shell->gate = options->keys != NULL ? zn_gate_new(options->keys, error) : NULL;
    if (options->keys != NULL && shell->gate == NULL) {
        return error->code;
    }
    shell->control = bind_one(shell, ZN_CHANNEL_REP, options->bind, "control", error);
    if (shell->control == NULL) {
        return error->code;
    }
    shell->work = bind_one(shell, ZN_CHANNEL_ROUTER, options->bind, "work", error);
    if (shell->work == NULL) {
        return error->code;
    }
    shell->blobs = bind_one(shell, ZN_CHANNEL_ROUTER, options->bind, "blobs", error);
    if (shell->blobs == NULL) {
        return error->code;
    }
    shell->events = bind_one(shell, ZN_CHANNEL_PUB, options->bind, "events", error);
    if (shell->events == NULL) {
        return error->code;
    }
    return zn_channel_monitor(shell->work, error);
}

/* Ids of jobs and epochs differ from one coordinator to the next, so that a driver or worker that
 * outlives one cannot take another's for its own; jobs keep short, readable numbers. */
static zn_scheduler *new_scheduler(const zn_coordinator_options *options) {
    uint64_t cluster = zn_random_id();
    zn_scheduler_config config = { .cluster = cluster,
                                   .first_job = (cluster % 90000 + 10000) * 100000 + 1,
                                   .first_epoch = (zn_random_id() >> 8) + 1,
                                   .heartbeat_ms = options->heartbeat_ms,
                                   .lost_ms = options->lost_ms,
                                   .driver_grace_ms = options->driver_grace_ms,
                                   .drain_ms = options->drain_ms,
                                   .blob_bytes_max = ZN_BLOB_STORE_BYTES_MAX,
                                   .wall_ms = zn_clock_wall_ms(),
                                   .history_jobs = options->history_jobs,
                                   .durable = options->state != NULL };
    return zn_scheduler_new(&config, zn_clock_ns());
}

static zn_control *new_control(const zn_coordinator_shell *shell, const char *host) {
    char *work = zn_endpoint_advertise(zn_channel_endpoint(shell->work), host);
    char *blobs = zn_endpoint_advertise(zn_channel_endpoint(shell->blobs), host);
    char *events = zn_endpoint_advertise(zn_channel_endpoint(shell->events), host);
    zn_control_endpoints endpoints = { .work = work, .blobs = blobs, .events = events };
    zn_control *control = zn_control_new(shell->scheduler, &endpoints);
    free(work);
    free(blobs);
    free(events);
    return control;
}

/* Takes the state directory and makes the state of what is in it. */
static zonda_err open_state(zn_coordinator_shell *shell, const zn_coordinator_options *options,
                            zonda_error *error) {
    if (options->state == NULL) {
        return ZONDA_OK;
    }
    shell->journal = zn_journal_open(options->state, error);
    return shell->journal != NULL
               ? zn_restore_state(shell->journal, shell->scheduler, &shell->journal_bytes, error)
               : error->code;
}

/* Everything is there: the scheduler begins, and from now on what it notes is kept. */
static zonda_err begin(zn_coordinator_shell *shell, const zn_coordinator_options *options,
                       zonda_error *error) {
    shell->endpoint =
        zn_endpoint_advertise(zn_channel_endpoint(shell->control), options->advertise);
    shell->calls = new_control(shell, options->advertise);
    zn_outgoing_parts parts = { .scheduler = shell->scheduler,
                                .journal = shell->journal,
                                .journal_bytes = shell->journal_bytes,
                                .gate = shell->gate,
                                .control = shell->control,
                                .work = shell->work,
                                .events = shell->events };
    shell->outgoing = zn_outgoing_new(&parts);
    zn_scheduler_begin(shell->scheduler, zn_clock_ns());
    return shell->journal != NULL ? zn_journal_start(shell->journal, options->history_jobs, error)
                                  : ZONDA_OK;
}

zn_coordinator_shell *zn_coordinator_shell_open(const zn_coordinator_options *options,
                                                zonda_error *error) {
    zonda_error reason;
    zn_coordinator_shell *shell = ZN_NEW(zn_coordinator_shell);
    shell->scheduler = new_scheduler(options);
    if (open_state(shell, options, &reason) != ZONDA_OK ||
        bind_all(shell, options, &reason) != ZONDA_OK ||
        begin(shell, options, &reason) != ZONDA_OK) {
        zn_coordinator_shell_close(&shell);
        if (error != NULL) {
            *error = reason;
        }
        return NULL;
    }
    return shell;
}

const char *zn_coordinator_shell_endpoint(const zn_coordinator_shell *shell) {
    return shell->endpoint;
}

/* ---- bad input ---- */

static bool was_warned(const zn_coordinator_shell *shell, uint64_t peer) {
    for (size_t i = 0; i < WARNED_PEERS; i++) {
        if (shell->warned[i] == peer) {
            return true;
        }
    }
    return false;
}

/* Logs a bad message, unless its sender or the last second had one already. `peer` is NULL where
 * senders have no names. */
static void warn_bad_message(zn_coordinator_shell *shell, const char *socket, const zn_peer *peer,
                             const zonda_error *error) {
    shell->bad_messages++;
    uint64_t now = zn_clock_ns();
    uint64_t mark = peer != NULL ? zn_checksum((zn_bytes){ peer->id, peer->len }) : 1;
    bool recent = shell->warned_at_ns != 0 && now - shell->warned_at_ns < ZN_NS_PER_S;
    if (recent || (peer != NULL && was_warned(shell, mark))) {
        return;
    }
    shell->warned_at_ns = now;
    shell->warned[shell->warned_next] = mark;
    shell->warned_next = (shell->warned_next + 1) % WARNED_PEERS;
    zn_log(ZONDA_LOG_WARN, "bad-message", "socket=%s code=%s total=%llu text=%s", socket,
           zonda_err_name(error->code), (unsigned long long)shell->bad_messages, error->text);
}

/* A peer of another version has to be told, or it would wait for ever; it understands a REFUSAL as
 * far as the version in the header of its frame. So has one whose key was taken back. */
static void answer_bad_message(zn_coordinator_shell *shell, zn_channel *channel, const char *socket,
                               const zn_peer *peer, const zonda_error *error) {
    warn_bad_message(shell, socket, peer, error);
    if (error->code == ZONDA_ERR_VERSION || error->code == ZONDA_ERR_KEYS) {
        zn_channel_send(channel, peer, zn_control_refuse(shell->calls, error), NULL);
    }
}

/* ---- sockets ---- */

static void drain_control(zn_coordinator_shell *shell) {
    for (int i = 0; i < CONTROL_BATCH && !zn_outgoing_owes_reply(shell->outgoing); i++) {
        zn_message request;
        zonda_error error;
        bool got = false;
        zonda_err err = zn_channel_recv(shell->control, NULL, &request, &got, &error);
        if (!got) {
            return;
        }
        const zn_message *reply;
        if (err == ZONDA_OK) {
            reply = zn_control_call(shell->calls, zn_clock_ns(), &request);
        } else {
            warn_bad_message(shell, "control", NULL, &error);
            reply = zn_control_refuse(shell->calls, &error);
        }
        zn_outgoing_reply(shell->outgoing, reply);
    }
}

static void drain_work(zn_coordinator_shell *shell) {
    uint64_t now = zn_clock_ns();
    for (int i = 0; i < WORK_BATCH; i++) {
        zn_message message;
        zn_peer peer;
        zonda_error error;
        bool got = false;
        zonda_err err = zn_channel_recv(shell->work, &peer, &message, &got, &error);
        if (!got) {
            return;
        }
        if (err == ZONDA_OK) {
            zn_scheduler_message(shell->scheduler, now, &peer, &message);
        } else {
            answer_bad_message(shell, shell->work, "work", &peer, &error);
            if (error.code == ZONDA_ERR_KEYS) {
                zn_scheduler_revoked(shell->scheduler, now, &peer);
            }
        }
    }
}

static void drain_blobs(zn_coordinator_shell *shell) {
    for (int i = 0; i < BLOBS_BATCH; i++) {
        zn_message request;
        zn_peer peer;
        zonda_error error;
        bool got = false;
        zonda_err err = zn_channel_recv(shell->blobs, &peer, &request, &got, &error);
        if (!got) {
            return;
        }
        if (err == ZONDA_OK) {
            const zn_message *reply = zn_control_bulk(shell->calls, zn_clock_ns(), &request);
            zn_channel_send(shell->blobs, &peer, reply, NULL);
        } else {
            answer_bad_message(shell, shell->blobs, "blobs", &peer, &error);
        }
    }
}

/* Drivers come and go. */
static void drain_events(zn_coordinator_shell *shell) {
    for (int i = 0; i < CONTROL_BATCH; i++) {
        uint64_t client = 0;
        bool present = false;
        if (!zn_channel_presence(shell->events, &client, &present)) {
            return;
        }
        if (client != 0) {
            zn_scheduler_driver_seen(shell->scheduler, zn_clock_ns(), client, present);
        }
    }
}

static int timeout_until(uint64_t deadline_ns) {
    uint64_t now = zn_clock_ns();
    if (deadline_ns <= now) {
        return 0;
    }
    uint64_t ms = (deadline_ns - now + ZN_NS_PER_MS - 1) / ZN_NS_PER_MS;
    return ms < 1000 ? (int)ms : 1000;
}

/* What a round waits for. A control socket that owes a reply takes no other call. */
enum {
    ITEM_WORK,
    ITEM_CLOSED,
    ITEM_BLOBS,
    ITEM_EVENTS,
    ITEM_CONTROL,
    ITEM_JOURNAL,
    ITEM_STOP,
    ITEMS
};

/* Marks items as ready; -1 as a file descriptor is nothing to wait for. */
static void wait_for(zn_coordinator_shell *shell, int stop_fd, int timeout_ms, bool *ready) {
    int journal_fd = shell->journal != NULL ? zn_journal_fd(shell->journal) : -1;
    const zn_poll_item all[ITEMS] = {
        [ITEM_WORK] = { .kind = ZN_POLL_CHANNEL, .channel = shell->work },
        [ITEM_CLOSED] = { .kind = ZN_POLL_MONITOR, .channel = shell->work },
        [ITEM_BLOBS] = { .kind = ZN_POLL_CHANNEL, .channel = shell->blobs },
        [ITEM_EVENTS] = { .kind = ZN_POLL_CHANNEL, .channel = shell->events },
        [ITEM_CONTROL] = { .kind = ZN_POLL_CHANNEL, .channel = shell->control },
        [ITEM_JOURNAL] = { .kind = ZN_POLL_FD, .fd = journal_fd },
        [ITEM_STOP] = { .kind = ZN_POLL_FD, .fd = stop_fd },
    };
    zn_poll_item items[ITEMS];
    size_t count = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        bool nothing = (all[i].kind == ZN_POLL_FD && all[i].fd < 0) ||
                       (i == ITEM_CONTROL && zn_outgoing_owes_reply(shell->outgoing));
        ready[i] = !nothing;
        if (!nothing) {
            items[count++] = all[i];
        }
    }
    zn_poll(items, count, timeout_ms);
    for (size_t i = 0, at = 0; i < ITEMS; i++) {
        ready[i] = ready[i] && items[at++].ready;
    }
}

/* One round of the loop; waits until `deadline_ns` at the longest. `stop_fd` may be -1. */
static void serve(zn_coordinator_shell *shell, int stop_fd, uint64_t deadline_ns) {
    bool ready[ITEMS];
    wait_for(shell, stop_fd, timeout_until(deadline_ns), ready);
    if (ready[ITEM_JOURNAL]) {
        zn_journal_clear(shell->journal);
        zn_outgoing_flush(shell->outgoing);
    }
    zn_gate_look(shell->gate, shell->scheduler, shell->work);
    /* Who has gone must be known before somebody asks to go on with his job. */
    if (ready[ITEM_EVENTS]) {
        drain_events(shell);
    }
    if (ready[ITEM_CONTROL]) {
        drain_control(shell);
    }
    if (ready[ITEM_WORK]) {
        drain_work(shell);
    }
    if (ready[ITEM_BLOBS]) {
        drain_blobs(shell);
    }
    if (ready[ITEM_CLOSED] && zn_channel_peers_closed(shell->work)) {
        zn_scheduler_probe(shell->scheduler, zn_clock_ns());
        zn_outgoing_flush(shell->outgoing);
    }
    zn_scheduler_tick(shell->scheduler, zn_clock_ns());
    zn_scheduler_assign(shell->scheduler);
    zn_outgoing_flush(shell->outgoing);
}

static bool has_unclosed(const zn_coordinator_shell *shell) {
    return zn_scheduler_has_unclosed(shell->scheduler, false);
}

static bool has_readers(const zn_coordinator_shell *shell) {
    return zn_scheduler_has_unclosed(shell->scheduler, true);
}

static bool has_workers(const zn_coordinator_shell *shell) {
    return zn_scheduler_worker_count(shell->scheduler) > 0;
}

/* Serves on while there is something to wait for; not for long. */
static void serve_while(zn_coordinator_shell *shell, bool (*wanted)(const zn_coordinator_shell *),
                        uint64_t ms) {
    uint64_t end = zn_clock_ns() + ms * ZN_NS_PER_MS;
    while (wanted(shell) && zn_clock_ns() < end) {
        uint64_t deadline = zn_scheduler_deadline(shell->scheduler);
        serve(shell, -1, deadline < end ? deadline : end);
    }
}

/* Ends what the cluster does. Jobs are cancelled first, and workers end their attempts and remove
 * what these have written, which takes as long as they may take to end; drivers that are there
 * learn why. Then workers are told to leave; one that does not answer will find out by itself. */
static void say_goodbye(zn_coordinator_shell *shell) {
    zn_scheduler_stop_jobs(shell->scheduler, zn_clock_ns());
    zn_outgoing_flush(shell->outgoing);
    serve_while(shell, has_readers, DRIVERS_MS);
    serve_while(shell, has_unclosed, JOBS_MS);
    zn_scheduler_stop(shell->scheduler, zn_clock_ns());
    zn_outgoing_flush(shell->outgoing);
    serve_while(shell, has_workers, STOP_MS);
}

zonda_err zn_coordinator_shell_run(zn_coordinator_shell *shell, zn_actor_pipe *pipe,
                                   zonda_error *error) {
    int stop_fd = zn_actor_pipe_fd(pipe);
    while (!zn_actor_stopping(pipe)) {
        serve(shell, stop_fd, zn_scheduler_deadline(shell->scheduler));
        if (shell->journal != NULL && zn_journal_failed(shell->journal, error)) {
            return error->code;
        }
    }
    if (shell->journal == NULL) {
        say_goodbye(shell); /* else everything goes on where it was with the next one */
    }
    return ZONDA_OK;
}

void zn_coordinator_shell_close(zn_coordinator_shell **shell) {
    if (*shell == NULL) {
        return;
    }
    zn_outgoing_destroy(&(*shell)->outgoing);
    zn_journal_close(&(*shell)->journal);
    zn_control_destroy(&(*shell)->calls);
    zn_scheduler_destroy(&(*shell)->scheduler);
    zn_channel_destroy(&(*shell)->control);
    zn_channel_destroy(&(*shell)->work);
    zn_channel_destroy(&(*shell)->blobs);
    zn_channel_destroy(&(*shell)->events);
    zn_gate_destroy(&(*shell)->gate);
    free((*shell)->endpoint);
    free(*shell);
    *shell = NULL;
}
