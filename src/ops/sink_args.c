/* SPDX-License-Identifier: MPL-2.0 */
/* The arguments of sinks. The planner reads them so that a mistake costs nothing, and slots read
 * them again, because a body comes over the wire; both through here, so they agree. Suffixes are
 * compared as they are written: first that of a compression, then that of a format. */
#include "ops/sink_args.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/pattern.h"
#include "store/stream.h"

static const struct {
    const char *suffix;
    const char *format;
} suffixes[] = {
    { ".jsonl", "jsonl" }, { ".ndjson", "jsonl" },    { ".txt", "text" },   { ".text", "text" },
    { ".log", "text" },    { ".msgpack", "msgpack" }, { ".mp", "msgpack" }, { ".csv", "csv" },
    { ".tsv", "tsv" },     { ".bin", "binary" },
};

static const char suffixes_known[] =
    ".jsonl .ndjson (jsonl), .txt .text .log (text), .msgpack .mp (msgpack), .csv, .tsv, "
    ".bin (binary)";

static bool ends_with(const char *text, size_t len, const char *suffix) {
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && memcmp(text + len - suffix_len, suffix, suffix_len) == 0;
}

zonda_err zn_write_format(const char *pattern, const char **format, zonda_error *error) {
    size_t len = strlen(pattern);
    zn_compression_of(pattern, &len);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (ends_with(pattern, len, suffixes[i].suffix)) {
            *format = suffixes[i].format;
            return ZONDA_OK;
        }
    }
    return zn_error_set(error, ZONDA_ERR_PLAN,
                        "the suffix of \"%s\" says nothing about its format; known: %s, each also "
                        "before .gz, .zst, .zstd or .xz; or use the writer of a format, as "
                        "write_jsonl",
                        pattern, suffixes_known);
}

/* A pattern whose suffix promises what cannot be written, or a level that it does not have. */
static zonda_err check_compression(const zn_op_def *op, const zn_sink_args *args,
                                   zonda_error *error) {
    zn_compression compression = zn_compression_of(args->pattern, NULL);
    int level_max = zn_compression_level_max(compression);
    if (!zn_compression_available(compression)) {
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                            "this build cannot write the compression of \"%s\"", args->pattern);
    }
    if (args->level > 0 && level_max == 0) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s has a level, but \"%s\" has no suffix of a compression (.gz, "
                            ".zst, .zstd, .xz)",
                            op->name, args->pattern);
    }
    if (args->level > level_max) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "level %d of %s is out of range: \"%s\" takes 1 to %d", args->level,
                            op->name, args->pattern, level_max);
    }
    return ZONDA_OK;
}

zonda_err zn_sink_args_read(const zn_op_def *op, zn_bytes args, uint64_t shards, zn_sink_args *out,
                            zonda_error *error) {
    zn_bytes pattern = { 0 };
    uint64_t level = 0;
    bool skip_existing = false;
    if (!zn_value_field_text(args, "pattern", &pattern) || pattern.len == 0 ||
        memchr(pattern.data, 0, pattern.len) != NULL || pattern.len > ZN_PATH_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "the pattern of %s is missing, has a NUL or is longer than %u bytes",
                            op->name, (unsigned)ZN_PATH_BYTES_MAX);
    }
    zn_value_field_uint(args, "level", &level);
    zn_value_field_bool(args, "skip_existing", &skip_existing);
    zn_sink_args read = {
        .pattern = zn_strndup((const char *)pattern.data, pattern.len),
        .level = (int)(level & INT16_MAX),
        .skip_existing = skip_existing,
    };
    zonda_err err = zn_pattern_check(read.pattern, shards, error);
    if (err == ZONDA_OK) {
        err = check_compression(op, &read, error);
    }
    if (err != ZONDA_OK) {
        zn_sink_args_free(&read);
        return err;
    }
    *out = read;
    return ZONDA_OK;
}

void zn_sink_args_free(zn_sink_args *args) {
    free(args->pattern);
    args->pattern = NULL;
}
