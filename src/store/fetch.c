/* SPDX-License-Identifier: MPL-2.0 */
/* The reading side of fetch. A read keeps a window of a few requests on the way, each for one piece
 * of the segment; the window is the credit, so a reader is never sent more than it asked for. The
 * answers may come in any order, twice or late: each names its request, numbers are never used
 * again, and whatever is not in the window is dropped. Pieces go on in order only, and are cut into
 * blocks, which check themselves.
 *
 * Silence is answered by asking again, and, when it has lasted for the whole timeout, by giving the
 * worker up. The time that the caller takes for records does not count as silence.
 * Used by tasks and drivers. */
#include "store/fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/block.h"
#include "store/segment.h"
#include "wire/channel.h"

enum {
    CONNECTIONS_MAX = 64,
    WINDOW = 4,
    PIECE_BYTES = ZN_MIB,
    KEEP_BYTES = 4 * ZN_MIB
};

typedef struct connection {
    zn_channel *channel;
    uint64_t used; /* when, by the fetcher's count of reads */
} connection;

/* One piece of the segment, asked for and perhaps there. */
typedef struct request {
    uint64_t number;
    uint64_t offset;
    uint32_t length;
    bool answered;
    uint64_t sent_ns;
    zn_buf bytes;
} request;

struct zn_fetcher {
    uint32_t timeout_ms;
    connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    uint64_t reads;
    uint64_t requests;
    request window[WINDOW]; /* a ring, in order of the offsets */
    zn_buf pending;         /* received in order, not a whole block yet */
    zn_block_codec *codec;
    uint64_t position; /* behind the last block that was handed on */
};

/* One call of zn_fetcher_read. */
typedef struct fetch {
    zn_fetcher *fetcher;
    zn_channel *channel;
    zn_bytes segment;
    uint64_t next;    /* offset of the next request */
    uint64_t end;     /* of the result */
    uint64_t cut;     /* offset of the first byte in `pending` */
    size_t head;      /* oldest request in the window */
    size_t waiting;   /* requests in the window */
    size_t need;      /* bytes in `pending` before the next block can be whole */
    uint64_t news_ns; /* when something went ahead the last time */
    zn_fetch_records *on_records;
    void *context;
    zonda_error error;
    zonda_error oddity; /* the last message that could not be read */
} fetch;

zn_fetcher *zn_fetcher_new(uint32_t timeout_ms) {
    zn_fetcher *fetcher = ZN_NEW(zn_fetcher);
    fetcher->timeout_ms = timeout_ms > 0 ? timeout_ms : ZN_CALL_TIMEOUT_MS;
    fetcher->codec = zn_block_codec_new();
    return fetcher;
}

void zn_fetcher_destroy(zn_fetcher **fetcher) {
    zn_fetcher *self = *fetcher;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->connection_count; i++) {
        zn_channel_destroy(&self->connections[i].channel);
    }
    for (size_t i = 0; i < WINDOW; i++) {
        zn_buf_free(&self->window[i].bytes);
    }
    zn_buf_free(&self->pending);
    zn_block_codec_destroy(&self->codec);
    free(self);
    *fetcher = NULL;
}

static void disconnect(zn_fetcher *fetcher, size_t index) {
    zn_channel_destroy(&fetcher->connections[index].channel);
    fetcher->connections[index] = fetcher->connections[--fetcher->connection_count];
}

static size_t find_connection(const zn_fetcher *fetcher, const char *endpoint) {
    size_t i = 0;
    while (i < fetcher->connection_count &&
           strcmp(zn_channel_endpoint(fetcher->connections[i].channel), endpoint) != 0) {
        i++;
    }
    return i;
}

static void make_room(zn_fetcher *fetcher) {
    size_t oldest = 0;
    for (size_t i = 1; i < fetcher->connection_count; i++) {
        if (fetcher->connections[i].used < fetcher->connections[oldest].used) {
            oldest = i;
        }
    }
    if (fetcher->connection_count == CONNECTIONS_MAX) {
        disconnect(fetcher, oldest);
    }
}

/* The kept connection to an endpoint, or a new one; the least recently used one makes room. */
static zn_channel *channel_to(zn_fetcher *fetcher, const char *endpoint, zonda_error *error) {
    size_t index = find_connection(fetcher, endpoint);
    if (index == fetcher->connection_count) {
        zn_channel *channel = zn_channel_connect(ZN_CHANNEL_DEALER, endpoint, error);
        if (channel == NULL) {
            return NULL;
        }
        make_room(fetcher);
        index = fetcher->connection_count++;
        fetcher->connections[index].channel = channel;
    }
    fetcher->connections[index].used = ++fetcher->reads;
    return fetcher->connections[index].channel;
}

/* A queue that is full takes the request later: it is asked for again after some silence. */
static void send_request(fetch *run, request *asked) {
    zn_message message = { .number = ZN_MSG_FETCH };
    message.fetch.request = asked->number;
    message.fetch.segment = run->segment;
    message.fetch.offset = asked->offset;
    message.fetch.length = asked->length;
    asked->sent_ns = zn_clock_ns();
    zonda_error cause = { 0 };
    if (zn_channel_send(run->channel, NULL, &message, &cause) != ZONDA_OK) {
        run->oddity = cause;
    }
}

static request *window_at(fetch *run, size_t index) {
    return &run->fetcher->window[(run->head + index) % WINDOW];
}

static void fill_window(fetch *run) {
    while (run->waiting < WINDOW && run->next < run->end) {
        request *asked = window_at(run, run->waiting);
        uint64_t left = run->end - run->next;
        asked->number = ++run->fetcher->requests;
        asked->offset = run->next;
        asked->length = left < PIECE_BYTES ? (uint32_t)left : PIECE_BYTES;
        asked->answered = false;
        run->waiting++;
        run->next += asked->length;
        send_request(run, asked);
    }
}

static zonda_err explain(fetch *run, uint64_t offset) {
    return zn_error_prefix(
        &run->error, "segment %.*s at byte %" PRIu64 " on %s: ", (int)run->segment.len,
        (const char *)run->segment.data, offset, zn_channel_endpoint(run->channel));
}

static zonda_err take_answer(fetch *run, const zn_msg_data *data) {
    request *asked = NULL;
    for (size_t i = 0; i < run->waiting; i++) {
        request *candidate = window_at(run, i);
        if (candidate->number == data->request && !candidate->answered) {
            asked = candidate;
        }
    }
    if (asked == NULL) {
        return ZONDA_OK; /* of an earlier read, or the second answer to a repeated request */
    }
    if (data->failure_count > 0) {
        zn_failure_to_error(&data->failure[0], &run->error);
        if (run->error.code == ZONDA_OK) {
            zn_error_set(&run->error, ZONDA_ERR_PROTOCOL, "a failure without a code");
        }
        return explain(run, asked->offset);
    }
    if (data->bytes.len != asked->length) {
        zn_error_set(&run->error, ZONDA_ERR_CORRUPT, "%zu bytes where %u should be",
                     data->bytes.len, asked->length);
        return explain(run, asked->offset);
    }
    asked->answered = true;
    zn_buf_reset(&asked->bytes, PIECE_BYTES);
    zn_buf_append(&asked->bytes, data->bytes.data, data->bytes.len);
    run->news_ns = zn_clock_ns();
    return ZONDA_OK;
}

/* Takes all answers that are there, at most a window of them. What is unreadable counts as silence;
 * another version of the protocol will not get better. */
static zonda_err receive(fetch *run) {
    bool got = true;
    for (size_t i = 0; i < WINDOW && got; i++) {
        zn_message message;
        zonda_error cause = { 0 };
        zonda_err code = zn_channel_recv(run->channel, NULL, &message, &got, &cause);
        if (code == ZONDA_ERR_VERSION) {
            run->error = cause;
            return code;
        }
        if (code != ZONDA_OK) {
            run->oddity = cause;
        } else if (got && message.number == ZN_MSG_DATA) {
            code = take_answer(run, &message.data);
            if (code != ZONDA_OK) {
                return code;
            }
        }
    }
    return ZONDA_OK;
}

/* Hands on all whole blocks in `pending`. */
static zonda_err cut_blocks(fetch *run) {
    zn_buf *pending = &run->fetcher->pending;
    zonda_err code = ZONDA_OK;
    size_t at = 0;
    while (code == ZONDA_OK && pending->len > at && pending->len - at >= run->need) {
        zn_bytes rest = { pending->data + at, pending->len - at };
        zn_bytes records;
        uint32_t count = 0;
        size_t used = 0;
        code = zn_block_unpack(run->fetcher->codec, rest, &records, &count, &used, &run->need,
                               &run->error);
        if (code == ZONDA_OK) {
            at += used;
            run->cut += used;
            run->fetcher->position = run->cut;
            run->need = 0;
            code = run->on_records(run->context, records, count, &run->error);
        } else if (code == ZONDA_ERR_NOT_FOUND) {
            code = ZONDA_OK;
        } else {
            run->error.code = ZONDA_ERR_CORRUPT;
            code = explain(run, run->cut);
        }
    }
    if (at > 0) {
        memmove(pending->data, pending->data + at, pending->len - at);
        pending->len -= at;
    }
    return code;
}

/* Hands on what has come in order. */
static zonda_err deliver(fetch *run) {
    while (run->waiting > 0 && window_at(run, 0)->answered) {
        request *first = window_at(run, 0);
        zn_buf_append(&run->fetcher->pending, first->bytes.data, first->bytes.len);
        run->head = (run->head + 1) % WINDOW;
        run->waiting--;
        fill_window(run);
        zonda_err code = cut_blocks(run);
        run->news_ns = zn_clock_ns();
        if (code != ZONDA_OK) {
            return code;
        }
    }
    return ZONDA_OK;
}

static zonda_err give_up(fetch *run) {
    const char *cause = run->oddity.text;
    zn_error_set(&run->error, ZONDA_ERR_WORKER_LOST, "no data for %" PRIu32 " ms%s%s",
                 run->fetcher->timeout_ms, cause[0] != '\0' ? ", last problem: " : "", cause);
    return explain(run, window_at(run, 0)->offset);
}

static void repeat_requests(fetch *run, uint64_t now) {
    for (size_t i = 0; i < run->waiting; i++) {
        request *asked = window_at(run, i);
        if (!asked->answered && now - asked->sent_ns >= ZN_CALL_RETRY_MS * ZN_NS_PER_MS) {
            send_request(run, asked);
        }
    }
}

/* Waits for answers; asks again after silence, gives up after the timeout. */
static zonda_err wait_for_news(fetch *run) {
    uint64_t timeout_ns = run->fetcher->timeout_ms * ZN_NS_PER_MS;
    uint64_t silent_ns = zn_clock_ns() - run->news_ns;
    if (silent_ns >= timeout_ns) {
        return give_up(run);
    }
    uint64_t left_ms = (timeout_ns - silent_ns) / ZN_NS_PER_MS + 1;
    zn_poll_item item = { .kind = ZN_POLL_CHANNEL, .channel = run->channel };
    if (zn_poll(&item, 1, left_ms < ZN_CALL_RETRY_MS ? (int)left_ms : ZN_CALL_RETRY_MS) == 0) {
        repeat_requests(run, zn_clock_ns());
    }
    return ZONDA_OK;
}

static zonda_err run_fetch(fetch *run) {
    zonda_err code = ZONDA_OK;
    fill_window(run);
    while (code == ZONDA_OK && run->waiting > 0) {
        code = wait_for_news(run);
        if (code == ZONDA_OK) {
            code = receive(run);
        }
        if (code == ZONDA_OK) {
            code = deliver(run);
        }
    }
    if (code == ZONDA_OK && run->fetcher->pending.len > 0) {
        zn_error_set(&run->error, ZONDA_ERR_CORRUPT, "the result ends inside a block");
        code = explain(run, run->cut);
    }
    return code;
}

zonda_err zn_fetcher_read(zn_fetcher *fetcher, const char *endpoint, zn_bytes segment,
                          uint64_t offset, uint64_t length, zn_fetch_records *on_records,
                          void *context, zonda_error *error) {
    if (!zn_segment_name_valid(segment) || offset > INT64_MAX || length > INT64_MAX - offset) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "no valid place in a segment: byte %" PRIu64 ", %" PRIu64 " bytes",
                            offset, length);
    }
    fetch run = { .fetcher = fetcher,
                  .channel = channel_to(fetcher, endpoint, error),
                  .segment = segment,
                  .next = offset,
                  .end = offset + length,
                  .cut = offset,
                  .news_ns = zn_clock_ns(),
                  .on_records = on_records,
                  .context = context };
    if (run.channel == NULL) {
        return ZONDA_ERR_INVALID;
    }
    zn_buf_reset(&fetcher->pending, KEEP_BYTES);
    zonda_err code = run_fetch(&run);
    if (code == ZONDA_ERR_WORKER_LOST) {
        /* Requests that wait in its queue must not come up later. */
        size_t index = find_connection(fetcher, endpoint);
        if (index < fetcher->connection_count) {
            disconnect(fetcher, index);
        }
    }
    if (code != ZONDA_OK && error != NULL) {
        *error = run.error;
    }
    return code;
}

uint64_t zn_fetcher_position(const zn_fetcher *fetcher) {
    return fetcher->position;
}
