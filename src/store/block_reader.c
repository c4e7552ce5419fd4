/* SPDX-License-Identifier: MPL-2.0 */
/* Cuts a stretch of a segment into blocks, which check themselves, from the file if it is on this
 * host and from the worker otherwise. A reader goes over from the file to the worker when the file
 * cannot be opened (any more), at any place.
 *
 * From a file a block is read when it is wanted, into a buffer that all readers share, so a reader
 * holds its raw values only. From a worker bytes come in pieces, in order, a window of them on the
 * way. A reader starts with one small piece, because there may be thousands of readers of which
 * each has little to read. Every piece that was used up widens the window by one, and pieces become
 * large, as long as half of the account is free; so few readers of much are fast, and many take
 * little memory. Pieces are asked for in order and used in order, so the window is a ring.
 *
 * Blocks are unpacked where they came: in the piece. A block that lies in several is put together
 * in `joined`. What a block holds is borrowed from `front`, `joined` or `raw` until the next call,
 * so answers to other readers, which come while they wait, touch the pieces in the window alone.
 * Used by the reading side of exchanges and by zn_fetcher_read. */
#include "store/block_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/profile.h"
#include "store/fetcher_state.h"
#include "store/file.h"
#include "store/segment.h"
#include "wire/endpoint.h"

enum {
    WINDOW_MAX = 8,
    PIECE_SMALL_BYTES = 128 * ZN_KIB,
    PIECE_LARGE_BYTES = 512 * ZN_KIB,
    FIRST_READ_BYTES = 4 * ZN_KIB, /* of a block in a file: its header, and small ones whole */
    KEEP_BYTES = ZN_MIB
};

typedef enum reader_source {
    SOURCE_UNKNOWN, /* nothing was read yet */
    SOURCE_FILE,
    SOURCE_WORKER,
} reader_source;

struct zn_block_reader {
    zn_fetcher *fetcher;
    zn_memory *memory;
    char *endpoint;
    char *folder; /* "": not on this host */
    char *segment;
    zn_origin origin;
    reader_source source;
    zn_local_file *file;
    zn_data_peer *peer;
    uint64_t cut; /* offset behind the block that was given last */
    uint64_t end;
    size_t need;      /* bytes before the next block can be whole, as far as is known */
    zn_buf raw;       /* of the block that was given last */
    uint64_t charged; /* to the account */
    /* From a worker: */
    uint64_t next; /* offset of the first byte that is neither here nor asked for */
    zn_kept front; /* the piece that is read: */
    size_t used;   /* so many bytes of it belong to blocks that were given, or are joined */
    zn_buf joined; /* a block, or its first bytes, that lies in several pieces; else empty */
    bool given;    /* the last call has given a block */
    zn_piece window[WINDOW_MAX]; /* a ring */
    size_t head;                 /* oldest piece */
    size_t waiting;              /* pieces asked for and not used */
    size_t width;                /* pieces that may be asked for at a time */
};

static zonda_err check_place(const zn_place *place, zn_stretch stretch, zonda_error *error) {
    if (!zn_segment_name_valid(place->segment) || stretch.offset > INT64_MAX ||
        stretch.length > INT64_MAX - stretch.offset) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "no valid place in a segment: byte %" PRIu64 ", %" PRIu64 " bytes",
                            stretch.offset, stretch.length);
    }
    return zn_endpoint_check(place->endpoint, false, error);
}

zn_block_reader *zn_block_reader_open(zn_fetcher *fetcher, const zn_place *place,
                                      zn_stretch stretch, zn_memory *memory, zonda_error *error) {
    if (check_place(place, stretch, error) != ZONDA_OK) {
        return NULL;
    }
    zn_block_reader *reader = ZN_NEW(zn_block_reader);
    reader->fetcher = fetcher;
    reader->memory = memory;
    reader->endpoint = zn_strdup(place->endpoint);
    reader->folder = zn_strdup(place->folder == NULL ? "" : place->folder);
    reader->segment = zn_strndup((const char *)place->segment.data, place->segment.len);
    reader->origin = place->origin;
    reader->end = stretch.offset + stretch.length;
    reader->cut = stretch.offset;
    reader->width = 1;
    return reader;
}

/* Charges what is held now instead of what was held before. */
static void charge(zn_block_reader *reader) {
    uint64_t held = reader->front.bytes.len + reader->joined.capacity + reader->raw.capacity;
    for (size_t i = 0; i < WINDOW_MAX; i++) {
        const zn_piece *piece = &reader->window[i];
        held += piece->state != ZN_PIECE_IDLE ? piece->length : 0;
    }
    if (held > reader->charged) {
        zn_memory_force(reader->memory, held - reader->charged);
    } else {
        zn_memory_give(reader->memory, reader->charged - held);
    }
    reader->charged = held;
}

/* Forgets what was asked for and gives all memory back. */
static void release(zn_block_reader *reader) {
    for (size_t i = 0; i < WINDOW_MAX; i++) {
        zn_data_client_forget(reader->peer, &reader->window[i]);
    }
    reader->waiting = 0;
    zn_data_client_leave(reader->fetcher->client, &reader->peer);
    zn_local_files_leave(reader->fetcher->files, &reader->file);
    zn_kept_free(&reader->front);
    zn_buf_free(&reader->joined);
    zn_buf_free(&reader->raw);
    reader->used = 0;
    reader->given = false;
    charge(reader);
}

void zn_block_reader_close(zn_block_reader **reader) {
    zn_block_reader *self = *reader;
    if (self == NULL) {
        return;
    }
    release(self);
    free(self->endpoint);
    free(self->folder);
    free(self->segment);
    free(self);
    *reader = NULL;
}

static void use_worker(zn_block_reader *reader) {
    zn_local_files_leave(reader->fetcher->files, &reader->file);
    reader->source = SOURCE_WORKER;
    reader->next = reader->cut;
    reader->need = 0;
    reader->peer = zn_data_client_use(reader->fetcher->client, reader->endpoint);
}

static void find_source(zn_block_reader *reader) {
    if (reader->source != SOURCE_UNKNOWN) {
        return;
    }
    reader->file = zn_local_files_use(reader->fetcher->files, reader->folder,
                                      zn_bytes_of_text(reader->segment));
    reader->source = SOURCE_FILE;
    if (reader->file == NULL) {
        use_worker(reader);
    }
}

/* Says where the problem is. */
static zonda_err explain(const zn_block_reader *reader, zonda_error *error) {
    bool here = reader->source == SOURCE_FILE;
    return zn_error_prefix(error, "segment %s at byte %" PRIu64 " %s%s%son %s: ", reader->segment,
                           reader->cut, here ? "in " : "", here ? reader->folder : "",
                           here ? " " : "", reader->endpoint);
}

static zonda_err ends_too_early(const zn_block_reader *reader, const char *what,
                                zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_CORRUPT, "%s ends inside a block", what);
    explain(reader, error);
    return ZONDA_ERR_CORRUPT;
}

/* Gives the block at the start of `stored`, which are the bytes at `cut`. `*count` stays 0 if that
 * takes `need` bytes, which the stretch has. */
static zonda_err unpack(zn_block_reader *reader, zn_bytes stored, zn_bytes *values, uint32_t *count,
                        zonda_error *error) {
    zonda_error cause = { 0 };
    size_t used = 0;
    zonda_err code = zn_block_unpack_to(reader->fetcher->codec, stored, &reader->raw, values, count,
                                        &used, &reader->need, &cause);
    if (code == ZONDA_ERR_NOT_FOUND) {
        bool enough = reader->need <= reader->end - reader->cut;
        return enough ? ZONDA_OK : ends_too_early(reader, "the stretch", error);
    }
    if (code != ZONDA_OK || *count == 0) {
        zn_error_set(error, ZONDA_ERR_CORRUPT, "%s",
                     code != ZONDA_OK ? cause.text : "a block without records");
        explain(reader, error);
        return ZONDA_ERR_CORRUPT;
    }
    reader->cut += used;
    reader->need = 0;
    return ZONDA_OK;
}

/* ---- from the worker ---- */

static void fill_window(zn_block_reader *reader) {
    while (reader->waiting < reader->width && reader->next < reader->end) {
        zn_piece *piece = &reader->window[(reader->head + reader->waiting) % WINDOW_MAX];
        uint64_t left = reader->end - reader->next;
        uint32_t most = reader->width > 2 ? PIECE_LARGE_BYTES : PIECE_SMALL_BYTES;
        piece->segment = zn_bytes_of_text(reader->segment);
        piece->offset = reader->next;
        piece->length = left < most ? (uint32_t)left : most;
        reader->next += piece->length;
        reader->waiting++;
        zn_data_client_ask(reader->fetcher->client, reader->peer, piece);
    }
}

static void adapt_width(zn_block_reader *reader) {
    const zn_memory *memory = reader->memory;
    if (memory != NULL && zn_memory_left(memory) < memory->limit / 2) {
        reader->width = 1;
    } else if (reader->width < WINDOW_MAX) {
        reader->width++;
    }
}

/* Goes on to the oldest piece of the window, and asks for more. */
static zonda_err take_piece(zn_block_reader *reader, zonda_error *error) {
    fill_window(reader);
    zn_piece *piece = &reader->window[reader->head];
    int before = zn_profile_enter(ZN_SECTION_WAITING);
    uint64_t opened = zn_profile_open_span();
    zonda_err code = zn_data_client_wait(reader->fetcher->client, reader->peer, piece, error);
    zn_profile_close_span(ZN_SPAN_FETCH, opened, piece->length);
    zn_profile_leave(before);
    if (code != ZONDA_OK) {
        return code;
    }
    zn_kept_free(&reader->front);
    reader->front = piece->kept;
    reader->used = 0;
    piece->kept = (zn_kept){ 0 };
    zn_data_client_forget(reader->peer, piece);
    reader->head = (reader->head + 1) % WINDOW_MAX;
    reader->waiting--;
    adapt_width(reader);
    fill_window(reader);
    return ZONDA_OK;
}

/* The block that was given is not needed any more. */
static void drop_given(zn_block_reader *reader) {
    if (reader->given) {
        zn_buf_reset(&reader->joined, KEEP_BYTES);
        reader->given = false;
    }
}

/* The bytes at `cut`, as far as they lie together. */
static zn_bytes stored_bytes(const zn_block_reader *reader) {
    if (reader->joined.len > 0) {
        return zn_buf_bytes(&reader->joined);
    }
    zn_bytes front = reader->front.bytes;
    bool has_more = front.len > reader->used;
    return has_more ? (zn_bytes){ front.data + reader->used, front.len - reader->used }
                    : (zn_bytes){ 0 };
}

/* Makes more bytes lie together: puts those of the front behind what the block has in earlier
 * pieces, but none of the next block; if the front has no more, goes on to the next piece. */
static zonda_err gather(zn_block_reader *reader, zonda_error *error) {
    zn_bytes front = reader->front.bytes;
    size_t left = front.len - reader->used;
    if (left == 0) {
        return take_piece(reader, error);
    }
    size_t wanted = reader->need - reader->joined.len;
    size_t more = left < wanted ? left : wanted;
    zn_buf_reserve_exact(&reader->joined, wanted);
    zn_buf_append(&reader->joined, front.data + reader->used, more);
    reader->used += more;
    return ZONDA_OK;
}

static zonda_err read_worker(zn_block_reader *reader, zn_bytes *values, uint32_t *count,
                             zonda_error *error) {
    zonda_err code = ZONDA_OK;
    uint64_t before = reader->cut;
    drop_given(reader);
    while (code == ZONDA_OK && *count == 0) {
        zn_bytes stored = stored_bytes(reader);
        bool enough = stored.len > 0 && stored.len >= reader->need;
        code = enough ? unpack(reader, stored, values, count, error) : gather(reader, error);
    }
    if (reader->joined.len == 0) {
        reader->used += reader->cut - before;
    }
    reader->given = code == ZONDA_OK;
    return code;
}

/* ---- from the file ---- */

/* Makes the first `need` bytes of the block at `cut` lie in the fetcher's buffer; or, if the file
 * cannot be opened any more, goes over to the worker. */
static zonda_err load(zn_block_reader *reader, zonda_error *error) {
    zn_buf *stored = &reader->fetcher->stored;
    size_t more = reader->need - stored->len;
    zn_buf_reserve_exact(stored, more);
    long got = zn_local_files_read(reader->fetcher->files, reader->file, stored->data + stored->len,
                                   more, reader->cut + stored->len);
    if (got < 0 && errno == ENOENT) {
        use_worker(reader);
        return ZONDA_OK;
    }
    if (got < 0) {
        zonda_err code = zn_file_failed(error, NULL, "cannot read the segment");
        explain(reader, error);
        return code;
    }
    stored->len += (size_t)got;
    return (size_t)got < more ? ends_too_early(reader, "the file", error) : ZONDA_OK;
}

/* A block that was not compressed lies in the buffer of all readers, so it is copied. */
static void keep_values(zn_block_reader *reader, zn_bytes *values) {
    if (values->data != reader->raw.data) {
        zn_buf_reset(&reader->raw, KEEP_BYTES);
        zn_buf_reserve_exact(&reader->raw, values->len);
        zn_buf_append(&reader->raw, values->data, values->len);
        *values = zn_buf_bytes(&reader->raw);
    }
}

/* `*count` stays 0 if the reader went over to the worker. */
static zonda_err read_file(zn_block_reader *reader, zn_bytes *values, uint32_t *count,
                           zonda_error *error) {
    uint64_t left = reader->end - reader->cut;
    zonda_err code = ZONDA_OK;
    reader->need = left < FIRST_READ_BYTES ? (size_t)left : FIRST_READ_BYTES;
    zn_buf_reset(&reader->fetcher->stored, KEEP_BYTES);
    while (code == ZONDA_OK && *count == 0 && reader->source == SOURCE_FILE) {
        code = load(reader, error);
        if (code == ZONDA_OK && reader->source == SOURCE_FILE) {
            code = unpack(reader, zn_buf_bytes(&reader->fetcher->stored), values, count, error);
        }
    }
    if (code == ZONDA_OK && *count > 0) {
        keep_values(reader, values);
    }
    return code;
}

/* ---- both ---- */

void zn_block_reader_prefetch(zn_block_reader *reader) {
    if (reader->cut == reader->end) {
        return;
    }
    find_source(reader);
    if (reader->source == SOURCE_WORKER) {
        fill_window(reader);
    }
    charge(reader);
}

/* Names the attempt whose result is to be made again, if that can help. */
static void tell_lost(const zn_block_reader *reader, zonda_err code, zonda_error *error) {
    bool lost = code == ZONDA_ERR_WORKER_LOST || code == ZONDA_ERR_CORRUPT ||
                code == ZONDA_ERR_NOT_FOUND || code == ZONDA_ERR_IO;
    if (!lost || !reader->origin.known || error == NULL) {
        return;
    }
    error->has_lost = true;
    error->lost_stage = reader->origin.stage;
    error->lost_task = reader->origin.task;
    error->lost_attempt = reader->origin.attempt;
    error->permanent = false;
}

zonda_err zn_block_reader_next(zn_block_reader *reader, zn_bytes *values, uint32_t *count,
                               zonda_error *error) {
    *count = 0;
    if (reader->cut == reader->end) {
        release(reader);
        return ZONDA_OK;
    }
    find_source(reader);
    zonda_err code = ZONDA_OK;
    int before = zn_profile_enter(ZN_SECTION_READING);
    if (reader->source == SOURCE_FILE) {
        code = read_file(reader, values, count, error);
    }
    if (code == ZONDA_OK && *count == 0) {
        code = read_worker(reader, values, count, error);
    }
    zn_profile_leave(before);
    tell_lost(reader, code, error);
    charge(reader);
    return code;
}

uint64_t zn_block_reader_position(const zn_block_reader *reader) {
    return reader->cut;
}

uint64_t zn_block_reader_bytes(zn_stretch stretch, uint64_t raw_bytes) {
    uint64_t piece = stretch.length < PIECE_SMALL_BYTES ? stretch.length : PIECE_SMALL_BYTES;
    uint64_t stored = stretch.length < ZN_BLOCK_RAW_BYTES ? stretch.length : ZN_BLOCK_RAW_BYTES;
    uint64_t raw = raw_bytes < ZN_BLOCK_RAW_BYTES ? raw_bytes : ZN_BLOCK_RAW_BYTES;
    return sizeof(zn_block_reader) + piece + stored + raw;
}
