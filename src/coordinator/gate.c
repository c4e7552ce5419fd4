/* SPDX-License-Identifier: MPL-2.0 */
/* Who may talk to this coordinator and to its workers. The list of allowed keys is kept in one
 * place, the folder `allowed` here, and workers are told (ALLOWED) before they are welcomed and
 * whenever it changes; so a key that is taken out of the folder is out everywhere. A worker that
 * could not be told is lost, as with any other letter, and is told when it registers again. Part of
 * the coordinator's shell. */
#include "coordinator/gate.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "wire/allow_list.h"

struct zn_gate {
    zn_keys keys;
    zn_allow_list *allowed;
    uint64_t told; /* version of the list that workers have */
    zn_buf list;
};

zn_gate *zn_gate_new(const char *folder, zonda_error *error) {
    zn_gate *gate = ZN_NEW(zn_gate);
    char *allowed = zn_format("%s/allowed", folder);
    if (zn_keys_load_coordinator(folder, &gate->keys, error) == ZONDA_OK) {
        gate->allowed = zn_allow_list_new(allowed, error);
    }
    free(allowed);
    if (gate->allowed == NULL) {
        zn_gate_destroy(&gate);
    }
    return gate;
}

void zn_gate_destroy(zn_gate **gate) {
    if (gate == NULL || *gate == NULL) {
        return;
    }
    zn_allow_list_destroy(&(*gate)->allowed);
    zn_keys_wipe(&(*gate)->keys);
    zn_buf_free(&(*gate)->list);
    free(*gate);
    *gate = NULL;
}

zn_channel *zn_gate_bind(zn_gate *gate, zn_channel_kind kind, const char *endpoint,
                         zonda_error *error) {
    if (gate == NULL) {
        return zn_channel_bind(kind, endpoint, error);
    }
    return zn_channel_bind_keyed(kind, endpoint, ZN_SOCKET_HWM, &gate->keys, gate->allowed, error);
}

/* A worker that takes nothing shows with the next letter of the scheduler. */
static void send_list(const zn_gate *gate, zn_channel *work, const zn_peer *peer) {
    zn_message message = { .number = ZN_MSG_ALLOWED,
                           .allowed = { .keys = zn_buf_bytes(&gate->list) } };
    zn_channel_send(work, peer, &message, NULL);
}

static void read_list(zn_gate *gate) {
    zn_buf_reset(&gate->list, 0);
    zn_allow_list_append(gate->allowed, &gate->list);
}

void zn_gate_tell(zn_gate *gate, zn_channel *work, const zn_peer *peer) {
    if (gate != NULL) {
        read_list(gate);
        send_list(gate, work, peer);
    }
}

void zn_gate_look(zn_gate *gate, const zn_scheduler *scheduler, zn_channel *work) {
    if (gate == NULL) {
        return;
    }
    uint64_t version = zn_allow_list_version(gate->allowed);
    if (version == gate->told) {
        return;
    }
    gate->told = version;
    read_list(gate);
    const zn_member *member = NULL;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->epoch != 0) {
            send_list(gate, work, &member->peer);
        }
    }
}
