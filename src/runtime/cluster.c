/* SPDX-License-Identifier: MPL-2.0 */
/* Clusters: where they are (in this process, or behind an endpoint) is decided once, when one is
 * opened; after that a cluster is a control endpoint like any other. Also keeps shared data, which
 * goes into the plans of later executions. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "record/value.h"
#include "runtime/cluster_state.h"
#include "wire/text.h"

/* Subscribes to hints. Not being able to is no reason to fail: waits are then just not cut short.
 */
static zn_events *subscribe(zn_bytes endpoint, uint64_t client, const zn_keys *keys) {
    zonda_error error = { 0 };
    char *text = zn_strndup((const char *)endpoint.data, endpoint.len);
    zn_events *events = zn_events_new(text, client, keys, &error);
    if (events == NULL) {
        zn_log(ZONDA_LOG_WARN, "events-unavailable", "endpoint=%s text=\"%s\"", text, error.text);
    }
    free(text);
    return events;
}

static const zn_keys *keys_of(const zonda_cluster *cluster) {
    return cluster->keyed ? &cluster->keys : NULL;
}

/* The first call of a session: is somebody there, and of our version? */
static zonda_err greet(zonda_cluster *cluster, zonda_error *error) {
    char host[ZN_NAME_BYTES_MAX + 1] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !zn_text_is_valid(zn_bytes_of_text(host))) {
        host[0] = '\0';
    }
    zn_message request = { .number = ZN_MSG_HELLO };
    request.hello = (zn_msg_hello){
        .role = ZN_ROLE_DRIVER,
        .host = zn_bytes_of_text(host),
        .pid = (uint64_t)getpid(),
    };
    zn_call call = { .request = &request, .expected = ZN_MSG_ENDPOINTS };
    const zn_message *reply = NULL;
    zonda_err err = zn_control_client_call(cluster->control, &call, &reply, error);
    if (err == ZONDA_OK) {
        cluster->events = subscribe(reply->endpoints.events, zn_control_client_id(cluster->control),
                                    keys_of(cluster));
    }
    return err;
}

static zonda_err connect_to(zonda_cluster *cluster, const char *endpoint, uint32_t timeout_ms,
                            zonda_error *error) {
    zn_control_client_options options = { .timeout_ms = timeout_ms, .keys = keys_of(cluster) };
    cluster->control = zn_control_client_new(endpoint, &options, error);
    if (cluster->control == NULL) {
        return ZONDA_ERR_INVALID;
    }
    cluster->fetcher = zn_fetcher_new(zn_control_client_timeout_ms(cluster->control));
    zn_fetcher_set_keys(cluster->fetcher, keys_of(cluster));
    return greet(cluster, error);
}

zonda_cluster *zonda_cluster_open_local(const zonda_local_options *options, zonda_error *error) {
    zonda_cluster *cluster = ZN_NEW(zonda_cluster);
    cluster->local = zn_local_start(options, error);
    if (cluster->local == NULL ||
        connect_to(cluster, zn_local_endpoint(cluster->local), 0, error) != ZONDA_OK) {
        zonda_cluster_close(&cluster);
    }
    return cluster;
}

static zonda_err load_keys(zonda_cluster *cluster, const char *folder, zonda_error *error) {
    cluster->keyed = folder != NULL;
    return cluster->keyed ? zn_keys_load_client(folder, &cluster->keys, error) : ZONDA_OK;
}

zonda_cluster *zonda_cluster_connect(const char *endpoint, const zonda_connect_options *options,
                                     zonda_error *error) {
    if (endpoint == NULL) {
        zn_error_set(error, ZONDA_ERR_INVALID, "there is no endpoint to connect to");
        return NULL;
    }
    zonda_cluster *cluster = ZN_NEW(zonda_cluster);
    uint32_t timeout_ms = options == NULL ? 0 : options->timeout_ms;
    const char *folder = zn_keys_folder(options == NULL ? NULL : options->keys);
    if (load_keys(cluster, folder, error) != ZONDA_OK ||
        connect_to(cluster, endpoint, timeout_ms, error) != ZONDA_OK) {
        zonda_cluster_close(&cluster);
    }
    return cluster;
}

const char *zonda_cluster_endpoint(const zonda_cluster *cluster) {
    return zn_control_client_endpoint(cluster->control);
}

/* The place of a name, which is new if `*found` is false. */
static size_t find_shared(const zonda_cluster *cluster, const char *name, bool *found) {
    size_t at = 0;
    while (at < cluster->shared_count && strcmp(cluster->shared[at].name, name) < 0) {
        at++;
    }
    *found = at < cluster->shared_count && strcmp(cluster->shared[at].name, name) == 0;
    return at;
}

static zonda_err check_shared(const char *name, zn_bytes value, zonda_error *error) {
    size_t len = name == NULL ? 0 : strlen(name);
    if (len == 0 || len > ZN_NAME_BYTES_MAX || !zn_text_is_valid(zn_bytes_of_text(name))) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "the name of shared data must be UTF-8 of 1 to %u bytes",
                            (unsigned)ZN_NAME_BYTES_MAX);
    }
    if (value.data == NULL) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "shared data \"%s\" is NULL", name);
    }
    zonda_error cause = { 0 };
    zonda_err err = zn_value_check(value, &cause);
    if (err != ZONDA_OK) {
        err = err == ZONDA_ERR_LIMIT ? err : ZONDA_ERR_INVALID;
        return zn_error_set(error, err, "shared data \"%s\" is not one MessagePack value: %s", name,
                            cause.text);
    }
    return ZONDA_OK;
}

zonda_err zonda_cluster_put(zonda_cluster *cluster, const char *name, const void *value,
                            size_t bytes, zonda_error *error) {
    zonda_err err = check_shared(name, (zn_bytes){ .data = value, .len = bytes }, error);
    if (err != ZONDA_OK) {
        return err;
    }
    bool found = false;
    size_t at = find_shared(cluster, name, &found);
    if (!found) {
        ZN_GROW(cluster->shared, cluster->shared_count, cluster->shared_capacity);
        memmove(&cluster->shared[at + 1], &cluster->shared[at],
                (cluster->shared_count - at) * sizeof *cluster->shared);
        cluster->shared[at] = (zn_shared_value){ .name = zn_strdup(name) };
        cluster->shared_count++;
    }
    zn_buf_reset(&cluster->shared[at].value, 0);
    zn_buf_append(&cluster->shared[at].value, value, bytes);
    return ZONDA_OK;
}

void zonda_cluster_close(zonda_cluster **cluster) {
    if (cluster == NULL || *cluster == NULL) {
        return;
    }
    zonda_cluster *self = *cluster;
    while (self->results != NULL) {
        zn_result_detach(self->results);
    }
    zn_fetcher_destroy(&self->fetcher);
    zn_events_destroy(&self->events);
    zn_control_client_destroy(&self->control);
    zn_local_stop(&self->local);
    for (size_t i = 0; i < self->shared_count; i++) {
        free(self->shared[i].name);
        zn_buf_free(&self->shared[i].value);
    }
    zn_keys_wipe(&self->keys);
    free(self->shared);
    free(self);
    *cluster = NULL;
}
