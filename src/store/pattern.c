/* SPDX-License-Identifier: MPL-2.0 */
/* Output patterns. One walk reads a pattern piece by piece, and both the check and the rendering
 * are built on it, so they cannot disagree about what a pattern means. A {basename} holds the
 * number of the shard, so it keeps the paths of several shards apart as {shard} does.
 *
 * The planner checks; tasks render. */
#include "store/pattern.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

enum {
    WIDTH_MAX = 64
};

typedef enum piece_kind {
    PIECE_BYTE,
    PIECE_SHARD,
    PIECE_TOTAL,
    PIECE_BASENAME,
    PIECE_END,
    PIECE_BAD_NAME,
    PIECE_BAD_WIDTH,
    PIECE_BAD_BRACE,
} piece_kind;

typedef struct piece {
    piece_kind kind;
    char byte;
    bool zeros;
    unsigned width;
    const char *text; /* of a placeholder, with its braces */
    size_t text_len;
} piece;

/* Reads ":5d", ":05d" or ":d" in [at, end); nothing at all is width 0. */
static bool read_width(const char *at, const char *end, piece *out) {
    if (at == end) {
        return true;
    }
    at++;
    out->zeros = at < end && *at == '0';
    while (at < end && *at >= '0' && *at <= '9' && out->width <= WIDTH_MAX) {
        out->width = out->width * 10 + (unsigned)(*at - '0');
        at++;
    }
    return at + 1 == end && *at == 'd' && out->width <= WIDTH_MAX;
}

static piece read_placeholder(const char *open, const char *close) {
    static const struct {
        const char *name;
        piece_kind kind;
    } names[] = {
        { "shard", PIECE_SHARD },
        { "total", PIECE_TOTAL },
        { "basename", PIECE_BASENAME },
    };
    piece out = { .kind = PIECE_BAD_NAME, .text = open, .text_len = (size_t)(close + 1 - open) };
    const char *name = open + 1;
    const char *colon = memchr(name, ':', (size_t)(close - name));
    const char *end = colon != NULL ? colon : close;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i].name);
        if ((size_t)(end - name) == len && memcmp(name, names[i].name, len) == 0) {
            out.kind = names[i].kind;
        }
    }
    /* A width is for numbers; {basename} is text. */
    bool width_ok = read_width(end, close, &out) && !(out.kind == PIECE_BASENAME && end != close);
    if (out.kind != PIECE_BAD_NAME && !width_ok) {
        out.kind = PIECE_BAD_WIDTH;
    }
    return out;
}

/* The piece at `*at`, which moves behind it. */
static piece next_piece(const char **at) {
    const char *from = *at;
    if (*from == '\0') {
        return (piece){ .kind = PIECE_END };
    }
    if ((*from == '{' || *from == '}') && from[1] == *from) {
        *at = from + 2;
        return (piece){ .kind = PIECE_BYTE, .byte = *from };
    }
    if (*from != '{' && *from != '}') {
        *at = from + 1;
        return (piece){ .kind = PIECE_BYTE, .byte = *from };
    }
    const char *close = *from == '{' ? from + 1 + strcspn(from + 1, "{}") : from;
    if (*from == '}' || *close != '}') {
        return (piece){ .kind = PIECE_BAD_BRACE, .text = from, .text_len = strlen(from) };
    }
    *at = close + 1;
    return read_placeholder(from, close);
}

static zonda_err check_piece(const char *pattern, const piece *found, zonda_error *error) {
    int len = found->text_len > 200 ? 200 : (int)found->text_len;
    switch (found->kind) {
    case PIECE_BAD_NAME:
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "unknown placeholder '%.*s' in the output pattern '%s'; known are "
                            "{shard}, {total} and {basename}, with a width as {shard:05d}",
                            len, found->text, pattern);
    case PIECE_BAD_WIDTH:
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "bad width in '%.*s' in the output pattern '%s'; a width looks like "
                            "{shard:05d} and is at most %d",
                            len, found->text, pattern, WIDTH_MAX);
    case PIECE_BAD_BRACE:
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "unbalanced brace at byte %zu of the output pattern '%s'; '{{' and "
                            "'}}' stand for braces",
                            (size_t)(found->text - pattern) + 1, pattern);
    default:
        return ZONDA_OK;
    }
}

zonda_err zn_pattern_check(const char *pattern, uint64_t shards, zonda_error *error) {
    size_t len = strlen(pattern);
    if (len == 0 || pattern[len - 1] == '/') {
        return zn_error_set(error, ZONDA_ERR_PLAN, "the output pattern '%s' names no file",
                            pattern);
    }
    if (len > ZN_PATH_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "the output pattern of %zu bytes is longer than %d", len,
                            ZN_PATH_BYTES_MAX);
    }
    bool distinct = false;
    const char *at = pattern;
    for (piece found = next_piece(&at); found.kind != PIECE_END; found = next_piece(&at)) {
        zonda_err code = check_piece(pattern, &found, error);
        if (code != ZONDA_OK) {
            return code;
        }
        distinct = distinct || found.kind == PIECE_SHARD || found.kind == PIECE_BASENAME;
    }
    if (shards > 1 && !distinct) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "the output pattern '%s' has no {shard}, but there are %" PRIu64
                            " shards, which would all write the same file",
                            pattern, shards);
    }
    return ZONDA_OK;
}

/* Bytes of "scheme://" at the start of a path, or 0. */
static size_t scheme_len(const char *path) {
    size_t name = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return name > 0 && strncmp(path + name, "://", 3) == 0 ? name + 3 : 0;
}

static void collapse_slashes(char *path) {
    char *out = path + scheme_len(path);
    for (const char *in = out; *in != '\0'; in++) {
        bool again = *in == '/' && in[1] == '/';
        if (!again) {
            *out++ = *in;
        }
    }
    *out = '\0';
}

static void put_number(zn_buf *out, const piece *found, uint64_t number) {
    if (found->zeros) {
        zn_buf_printf(out, "%0*" PRIu64, (int)found->width, number);
    } else {
        zn_buf_printf(out, "%*" PRIu64, (int)found->width, number);
    }
}

char *zn_pattern_path(const char *pattern, uint64_t shard, uint64_t total) {
    zn_buf out = { 0 };
    const char *at = pattern;
    for (piece found = next_piece(&at); found.kind != PIECE_END; found = next_piece(&at)) {
        switch (found.kind) {
        case PIECE_BYTE:
            zn_buf_append_byte(&out, (uint8_t)found.byte);
            break;
        case PIECE_SHARD:
            put_number(&out, &found, shard);
            break;
        case PIECE_TOTAL:
            put_number(&out, &found, total);
            break;
        case PIECE_BASENAME:
            zn_buf_printf(&out, "shard_%" PRIu64, shard);
            break;
        default:
            ZN_UNREACHABLE();
        }
    }
    zn_buf_append_byte(&out, '\0');
    collapse_slashes((char *)out.data);
    return (char *)out.data;
}

char *zn_pattern_folder(const char *pattern, const char **rest) {
    zn_buf out = { 0 };
    size_t folder_len = 0;
    const char *at = pattern;
    *rest = pattern;
    for (piece found = next_piece(&at); found.kind == PIECE_BYTE; found = next_piece(&at)) {
        zn_buf_append_byte(&out, (uint8_t)found.byte);
        if (found.byte == '/') {
            folder_len = out.len;
            *rest = at;
        }
    }
    char *folder = zn_strndup((const char *)out.data, folder_len);
    zn_buf_free(&out);
    collapse_slashes(folder);
    return folder;
}
