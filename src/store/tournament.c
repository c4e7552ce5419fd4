/* SPDX-License-Identifier: MPL-2.0 */
/* A tree of losers (Knuth, The Art of Computer Programming 3, 5.4.1): each inner node holds the
 * stream that lost the match there, so the next row costs one match per level, against streams that
 * lie on one path. A head keeps the first eight bytes of its key as a number, which decides most
 * matches without a look at the key; a stream that has ended loses against all.
 *
 * The row that was given is borrowed from its stream until the next call, so that stream moves on
 * only then. Used by the merge, for its passes and for the last one. */
#include "store/tournament.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "record/key.h"

enum {
    PREFIX_BYTES = 8
};

typedef struct head {
    uint64_t prefix; /* all ones if it has ended */
    bool ended;
    zn_row row;
} head;

struct zn_tournament {
    zn_row_stream *streams;
    head *heads;
    uint32_t *losers; /* of the inner nodes 1 … count - 1; children of n are 2n and 2n + 1 */
    uint32_t winner;
    uint32_t count;
    bool started;
};

void zn_row_stream_close(zn_row_stream *stream) {
    if (stream->close != NULL && stream->context != NULL) {
        stream->close(stream->context);
    }
    stream->context = NULL;
}

zn_tournament *zn_tournament_new(zn_row_stream *streams, size_t count) {
    ZN_ASSERT(count > 0 && count <= UINT32_MAX / 2);
    zn_tournament *self = ZN_NEW(zn_tournament);
    self->streams = streams;
    self->count = (uint32_t)count;
    self->heads = zn_calloc(count, sizeof *self->heads);
    self->losers = zn_calloc(count, sizeof *self->losers);
    return self;
}

void zn_tournament_destroy(zn_tournament **tournament) {
    zn_tournament *self = *tournament;
    if (self == NULL) {
        return;
    }
    free(self->heads);
    free(self->losers);
    free(self);
    *tournament = NULL;
}

/* The first bytes of a key as a number that compares alike; zeros where it is shorter. */
static uint64_t prefix_of(zn_bytes key) {
    uint8_t bytes[PREFIX_BYTES] = { 0 };
    memcpy(bytes, key.data, key.len < PREFIX_BYTES ? key.len : PREFIX_BYTES);
    return zn_get_u64_high_first(bytes);
}

static zonda_err advance(zn_tournament *self, uint32_t index, zonda_error *error) {
    head *at = &self->heads[index];
    zn_row_stream *stream = &self->streams[index];
    bool found = false;
    zonda_err code = stream->next(stream->context, &at->row, &found, error);
    if (code != ZONDA_OK) {
        return code;
    }
    at->ended = !found;
    at->prefix = found ? prefix_of(at->row.key) : UINT64_MAX;
    if (!found) {
        zn_row_stream_close(stream);
    }
    return ZONDA_OK;
}

/* The same prefix: the rest of the keys decides, then the order of the streams. */
static bool slow_wins(const zn_tournament *self, uint32_t a, uint32_t b) {
    const head *left = &self->heads[a];
    const head *right = &self->heads[b];
    if (left->ended || right->ended) {
        return left->ended == right->ended ? a < b : right->ended;
    }
    size_t len = left->row.key.len;
    if (len == right->row.key.len && len <= PREFIX_BYTES) {
        return a < b;
    }
    int order = zn_key_compare(left->row.key, right->row.key);
    return order != 0 ? order < 0 : a < b;
}

static inline bool wins(const zn_tournament *self, uint32_t a, uint32_t b) {
    uint64_t left = self->heads[a].prefix;
    uint64_t right = self->heads[b].prefix;
    return left != right ? left < right : slow_wins(self, a, b);
}

/* Plays all matches below a node and gives the winner; leaves come behind the inner nodes. */
static uint32_t play(zn_tournament *self, uint32_t node) {
    if (node >= self->count) {
        return node - self->count;
    }
    uint32_t a = play(self, 2 * node);
    uint32_t b = play(self, 2 * node + 1);
    bool first = wins(self, a, b);
    self->losers[node] = first ? b : a;
    return first ? a : b;
}

static zonda_err start(zn_tournament *self, zonda_error *error) {
    for (uint32_t i = 0; i < self->count; i++) {
        zonda_err code = advance(self, i, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    self->winner = play(self, 1);
    self->started = true;
    return ZONDA_OK;
}

/* Moves the last winner on and plays its path again. */
static zonda_err replay(zn_tournament *self, zonda_error *error) {
    uint32_t winner = self->winner;
    if (self->heads[winner].ended) {
        return ZONDA_OK;
    }
    zonda_err code = advance(self, winner, error);
    if (code != ZONDA_OK) {
        return code;
    }
    for (uint32_t node = (winner + self->count) / 2; node > 0; node /= 2) {
        uint32_t other = self->losers[node];
        if (wins(self, other, winner)) {
            self->losers[node] = winner;
            winner = other;
        }
    }
    self->winner = winner;
    return ZONDA_OK;
}

zonda_err zn_tournament_next(zn_tournament *tournament, zn_row *row, size_t *stream, bool *found,
                             zonda_error *error) {
    zonda_err code = tournament->started ? replay(tournament, error) : start(tournament, error);
    if (code != ZONDA_OK) {
        return code;
    }
    const head *first = &tournament->heads[tournament->winner];
    *found = !first->ended;
    if (!first->ended) {
        *row = first->row;
        *stream = tournament->winner;
    }
    return ZONDA_OK;
}
