/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda drain`: asks the coordinator to let a worker leave in order, and waits for that if wanted.
 * The call is repeated, and each answer says what still keeps the worker. Ctrl-C ends the waiting
 * only: the worker is drained all the same. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/cluster_call.h"

enum {
    ASK_MS = 200
};

/* Says what it waits for, whenever that has changed. */
static void say(const zn_msg_worker_draining *now, zn_msg_worker_draining *said) {
    if (now->running == said->running && now->results == said->results) {
        return;
    }
    fprintf(stderr, "worker %" PRIu64 ": %" PRIu64 " tasks, %" PRIu64 " results\n", now->worker,
            now->running, now->results);
    *said = *now;
}

static zonda_err drain(zn_control_client *client, const zn_cluster_options *parsed,
                       zonda_error *error) {
    zn_cli_catch_signals();
    zn_msg_worker_draining said = { .running = UINT64_MAX };
    for (;;) {
        zn_message request = { .number = ZN_MSG_DRAIN_WORKER,
                               .drain_worker = { .worker = parsed->worker,
                                                 .reason = zn_bytes_of_text("zonda drain") } };
        const zn_message *reply = NULL;
        zonda_err code = zn_cluster_call(client, &request, ZN_MSG_WORKER_DRAINING, &reply, error);
        if (code != ZONDA_OK || !parsed->wait || reply->worker_draining.gone) {
            return code;
        }
        say(&reply->worker_draining, &said);
        if (zn_cli_wait_signal(ASK_MS)) {
            return zn_error_set(error, ZONDA_ERR_CANCELLED,
                                "interrupted; worker %" PRIu64 " leaves when it can",
                                parsed->worker);
        }
    }
}

int zn_cmd_drain(int argc, char **argv) {
    return zn_cluster_run("Lets a worker leave: it gets no more tasks, hands back what it has not "
                          "begun, finishes what it runs, and keeps results that jobs still need.",
                          ZN_CLUSTER_WORD_WORKER, drain, argc, argv);
}
