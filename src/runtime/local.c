/* SPDX-License-Identifier: MPL-2.0 */
/* The cluster inside this process: the same coordinator and worker as everywhere, over inproc, with
 * threads for slots. The only file that sees both roles; neither knows that the other is near. */
#include "runtime/local.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "coordinator/coordinator.h"
#include "worker/worker.h"

struct zn_local {
    zn_coordinator *coordinator;
    zn_worker **workers;
    size_t worker_count; /* started */
};

static zonda_err start_coordinator(zn_local *local, zonda_error *error) {
    char *bind = zn_format("inproc://zonda-%016llx", (unsigned long long)zn_random_id());
    zn_coordinator_options options = { .bind = bind };
    local->coordinator = zn_coordinator_start(&options, error);
    free(bind);
    return local->coordinator == NULL ? error->code : ZONDA_OK;
}

static zonda_err start_workers(zn_local *local, const zonda_local_options *options,
                               zonda_error *error) {
    uint32_t count = options->workers == 0 ? 1 : options->workers;
    zn_worker_options worker = {
        .connect = zn_local_endpoint(local),
        .slots = options->slots,
        .kind = ZN_SLOT_THREAD,
        .scratch = options->scratch,
        .memory_bytes = options->memory_bytes,
        .neighbours = count - 1,
    };
    local->workers = zn_calloc(count, sizeof *local->workers);
    while (local->worker_count < count) {
        zn_worker *started = zn_worker_start(&worker, error);
        if (started == NULL) {
            return error->code;
        }
        local->workers[local->worker_count++] = started;
    }
    return ZONDA_OK;
}

static zonda_err check_options(const zonda_local_options *options, zonda_error *error) {
    if (options->slots > ZN_SLOTS_MAX || options->workers > ZN_SLOTS_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "a local cluster of %u workers with %u slots; at most %u are possible",
                            options->workers, options->slots, (unsigned)ZN_SLOTS_MAX);
    }
    return ZONDA_OK;
}

zn_local *zn_local_start(const zonda_local_options *options, zonda_error *error) {
    static const zonda_local_options defaults;
    zonda_error problem = { 0 };
    options = options == NULL ? &defaults : options;
    zn_local *local = ZN_NEW(zn_local);
    if (check_options(options, &problem) != ZONDA_OK ||
        start_coordinator(local, &problem) != ZONDA_OK ||
        start_workers(local, options, &problem) != ZONDA_OK) {
        zn_local_stop(&local);
        if (error != NULL) {
            *error = problem;
        }
    }
    return local;
}

const char *zn_local_endpoint(const zn_local *local) {
    return zn_coordinator_endpoint(local->coordinator);
}

void zn_local_stop(zn_local **local) {
    if (local == NULL || *local == NULL) {
        return;
    }
    for (size_t i = 0; i < (*local)->worker_count; i++) {
        zn_worker_stop(&(*local)->workers[i]);
    }
    free((*local)->workers);
    zn_coordinator_stop(&(*local)->coordinator);
    free(*local);
    *local = NULL;
}
