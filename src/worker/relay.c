/* SPDX-License-Identifier: MPL-2.0 */
/* Between slots and the coordinator's blobs socket. Slots that want the same blob share one fetch;
 * each part that a slot asked for is answered when the blob is complete and its digest is right. A
 * blob that is missing is answered so and forgotten, so that it may be asked for later. Complete
 * blobs are kept up to a number of bytes, the least recently used go first; one that is wanted
 * again while its job is open can be fetched again. Of a large one slots need one part only: the
 * whole is in memory that they can map. A slot waits for one page at a time.
 *
 * The body of a stage is fetched when its first TASK comes, and goes to a slot with it: so a short
 * stage does not wait for questions. Should such a body get lost, the slot asks after all. */
#include "worker/relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "worker/blob_assembly.h"

static const uint64_t RETRY_NS = ZN_CALL_RETRY_MS * ZN_NS_PER_MS;
static const uint64_t CACHE_BYTES_MAX = 512 * ZN_MIB;

typedef struct blob_waiter {
    uint32_t slot;
    uint64_t offset;
} blob_waiter;

typedef struct cached_blob {
    zn_blob_assembly assembly;
    uint64_t heard_ns;
    uint64_t used; /* larger: later */
    blob_waiter *waiters;
    size_t waiter_count;
    size_t waiter_capacity;
    struct cached_blob *next;
} cached_blob;

typedef struct page_call {
    uint64_t ours; /* 0: none */
    uint64_t theirs;
} page_call;

/* The stage whose body was sent unasked last. */
typedef struct told_stage {
    uint64_t job; /* 0: none */
    uint64_t stage;
} told_stage;

struct zn_relay {
    zn_relay_options options;
    cached_blob *blobs;
    uint64_t uses;
    uint64_t request;
    page_call *pages; /* per slot */
    told_stage *told; /* per slot */
    zn_digest came;   /* the body that the last TASK needs */
};

zn_relay *zn_relay_new(const zn_relay_options *options) {
    zn_relay *relay = ZN_NEW(zn_relay);
    relay->options = *options;
    relay->pages = zn_calloc(options->slots, sizeof *relay->pages);
    relay->told = zn_calloc(options->slots, sizeof *relay->told);
    return relay;
}

static void remove_blob(zn_relay *relay, cached_blob *blob) {
    cached_blob **at = &relay->blobs;
    while (*at != blob) {
        at = &(*at)->next;
    }
    *at = blob->next;
    zn_blob_assembly_free(&blob->assembly);
    free(blob->waiters);
    free(blob);
}

void zn_relay_destroy(zn_relay **relay) {
    if (relay == NULL || *relay == NULL) {
        return;
    }
    while ((*relay)->blobs != NULL) {
        remove_blob(*relay, (*relay)->blobs);
    }
    free((*relay)->pages);
    free((*relay)->told);
    free(*relay);
    *relay = NULL;
}

static cached_blob *find_blob(const zn_relay *relay, zn_bytes digest) {
    for (cached_blob *blob = relay->blobs; blob != NULL; blob = blob->next) {
        if (zn_bytes_equal(zn_digest_bytes(&blob->assembly.digest), digest)) {
            return blob;
        }
    }
    return NULL;
}

static void ask(zn_relay *relay, cached_blob *blob) {
    zn_message message = { .number = ZN_MSG_GET_BLOB };
    message.get_blob.digest = zn_digest_bytes(&blob->assembly.digest);
    while (zn_blob_assembly_next(&blob->assembly, &message.get_blob.offset)) {
        relay->options.to_coordinator(relay->options.context, &message);
    }
}

static void answer_part(zn_relay *relay, const cached_blob *blob, const blob_waiter *waiter) {
    const zn_blob_assembly *assembly = &blob->assembly;
    zn_message message = { .number = ZN_MSG_BLOB };
    message.blob = (zn_msg_blob){ .digest = zn_digest_bytes(&assembly->digest) };
    if (assembly->state == ZN_BLOB_COMPLETE && waiter->offset <= assembly->size) {
        uint64_t left = assembly->size - waiter->offset;
        uint64_t len = left < ZN_BLOB_CHUNK_BYTES ? left : ZN_BLOB_CHUNK_BYTES;
        message.blob.found = 1;
        message.blob.size = assembly->size;
        message.blob.offset = waiter->offset;
        message.blob.bytes =
            (zn_bytes){ .data = assembly->data + waiter->offset, .len = (size_t)len };
    }
    relay->options.to_slot(relay->options.context, waiter->slot, &message);
}

static void shrink(zn_relay *relay) {
    for (;;) {
        uint64_t bytes = 0;
        cached_blob *oldest = NULL;
        for (cached_blob *blob = relay->blobs; blob != NULL; blob = blob->next) {
            if (blob->assembly.state == ZN_BLOB_COMPLETE) {
                bytes += blob->assembly.size;
                oldest = oldest == NULL || blob->used < oldest->used ? blob : oldest;
            }
        }
        if (bytes <= CACHE_BYTES_MAX) {
            return;
        }
        remove_blob(relay, oldest);
    }
}

static void settle(zn_relay *relay, cached_blob *blob) {
    if (blob->assembly.state == ZN_BLOB_PARTIAL) {
        return;
    }
    for (size_t i = 0; i < blob->waiter_count; i++) {
        answer_part(relay, blob, &blob->waiters[i]);
    }
    blob->waiter_count = 0;
    if (blob->assembly.state == ZN_BLOB_MISSING) {
        remove_blob(relay, blob);
    } else {
        shrink(relay);
    }
}

static void add_waiter(cached_blob *blob, uint32_t slot, uint64_t offset) {
    for (size_t i = 0; i < blob->waiter_count; i++) {
        if (blob->waiters[i].slot == slot && blob->waiters[i].offset == offset) {
            return;
        }
    }
    ZN_GROW(blob->waiters, blob->waiter_count, blob->waiter_capacity);
    blob->waiters[blob->waiter_count++] = (blob_waiter){ .slot = slot, .offset = offset };
}

static cached_blob *use_blob(zn_relay *relay, zn_digest digest, uint64_t now_ns) {
    cached_blob *blob = find_blob(relay, zn_digest_bytes(&digest));
    if (blob == NULL) {
        blob = ZN_NEW(cached_blob);
        zn_blob_assembly_init(&blob->assembly, digest,
                              relay->options.scratch != NULL ? ZN_BLOB_GIVES : ZN_BLOB_ALONE,
                              relay->options.scratch);
        blob->heard_ns = now_ns;
        blob->next = relay->blobs;
        relay->blobs = blob;
    }
    blob->used = ++relay->uses;
    return blob;
}

static void want_blob(zn_relay *relay, uint32_t slot, const zn_msg_get_blob *wanted,
                      uint64_t now_ns) {
    zn_digest digest;
    if (!zn_digest_from_bytes(wanted->digest, &digest)) {
        return;
    }
    cached_blob *blob = use_blob(relay, digest, now_ns);
    add_waiter(blob, slot, wanted->offset);
    ask(relay, blob);
    settle(relay, blob);
}

static void want_page(zn_relay *relay, uint32_t slot, const zn_msg_collect_results *wanted) {
    zn_message message = { .number = ZN_MSG_COLLECT_RESULTS, .collect_results = *wanted };
    relay->pages[slot] = (page_call){ .ours = ++relay->request, .theirs = wanted->request };
    message.collect_results.client = relay->options.client;
    message.collect_results.request = relay->request;
    relay->options.to_coordinator(relay->options.context, &message);
}

void zn_relay_slot_asked(zn_relay *relay, uint32_t slot, const zn_message *message,
                         uint64_t now_ns) {
    if (message->number == ZN_MSG_GET_BLOB) {
        want_blob(relay, slot, &message->get_blob, now_ns);
    } else if (message->number == ZN_MSG_COLLECT_RESULTS) {
        want_page(relay, slot, &message->collect_results);
    }
}

void zn_relay_task_came(zn_relay *relay, const zn_msg_task *task, uint64_t now_ns) {
    zn_digest body;
    if (!zn_digest_from_bytes(task->body, &body) || zn_digest_equal(body, relay->came)) {
        return;
    }
    relay->came = body;
    ask(relay, use_blob(relay, body, now_ns));
}

void zn_relay_task_goes(zn_relay *relay, uint32_t slot, const zn_msg_task *task) {
    told_stage *told = &relay->told[slot];
    if (told->job == task->job && told->stage == task->stage) {
        return;
    }
    *told = (told_stage){ task->job, task->stage };
    const cached_blob *blob = find_blob(relay, task->body);
    if (blob != NULL && blob->assembly.state == ZN_BLOB_COMPLETE &&
        blob->assembly.size <= ZN_BLOB_UNASKED_BYTES_MAX) {
        answer_part(relay, blob, &(blob_waiter){ .slot = slot });
    }
}

static void give_page(zn_relay *relay, uint64_t request, zn_message *message,
                      uint64_t *request_field) {
    for (uint32_t slot = 0; slot < relay->options.slots; slot++) {
        if (request != 0 && relay->pages[slot].ours == request) {
            *request_field = relay->pages[slot].theirs;
            relay->pages[slot].ours = 0;
            relay->options.to_slot(relay->options.context, slot, message);
            return;
        }
    }
}

void zn_relay_answered(zn_relay *relay, const zn_message *message, uint64_t now_ns) {
    zn_message copy = *message;
    if (message->number == ZN_MSG_RESULTS) {
        give_page(relay, copy.results.request, &copy, &copy.results.request);
    } else if (message->number == ZN_MSG_REFUSAL) {
        give_page(relay, copy.refusal.request, &copy, &copy.refusal.request);
    } else if (message->number == ZN_MSG_BLOB) {
        cached_blob *blob = find_blob(relay, message->blob.digest);
        if (blob != NULL) {
            blob->heard_ns = now_ns;
            zn_blob_assembly_put(&blob->assembly, &message->blob);
            ask(relay, blob);
            settle(relay, blob);
        }
    }
}

void zn_relay_slot_dead(zn_relay *relay, uint32_t slot) {
    relay->pages[slot].ours = 0;
    relay->told[slot] = (told_stage){ 0 };
    for (cached_blob *blob = relay->blobs; blob != NULL; blob = blob->next) {
        size_t kept = 0;
        for (size_t i = 0; i < blob->waiter_count; i++) {
            if (blob->waiters[i].slot != slot) {
                blob->waiters[kept++] = blob->waiters[i];
            }
        }
        blob->waiter_count = kept;
    }
}

static void ask_again(zn_relay *relay, cached_blob *blob, uint64_t now_ns) {
    blob->heard_ns = now_ns;
    zn_blob_assembly_retry(&blob->assembly);
    ask(relay, blob);
}

void zn_relay_tick(zn_relay *relay, uint64_t now_ns) {
    for (cached_blob *blob = relay->blobs; blob != NULL; blob = blob->next) {
        if (blob->assembly.state == ZN_BLOB_PARTIAL && now_ns - blob->heard_ns >= RETRY_NS) {
            ask_again(relay, blob, now_ns);
        }
    }
}

void zn_relay_reconnected(zn_relay *relay, uint64_t now_ns) {
    for (cached_blob *blob = relay->blobs; blob != NULL; blob = blob->next) {
        if (blob->assembly.state == ZN_BLOB_PARTIAL) {
            ask_again(relay, blob, now_ns);
        }
    }
}

void zn_relay_forget(zn_relay *relay) {
    relay->came = (zn_digest){ 0 };
    for (cached_blob *blob = relay->blobs, *next; blob != NULL; blob = next) {
        next = blob->next;
        if (blob->waiter_count == 0) {
            remove_blob(relay, blob);
        }
    }
}
