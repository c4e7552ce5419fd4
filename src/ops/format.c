/* SPDX-License-Identifier: MPL-2.0 */
/* Formats of files that are read, by suffix. Decided when the plan is made, so that a typing error
 * costs nothing. Suffixes are compared as they are written. Those of writing: sink_args.c. */
#include "ops/format.h"

#include <string.h>

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
static const char formats_known[] = "jsonl, text, msgpack, csv, tsv, binary";

static bool ends_with(zn_bytes text, const char *suffix) {
    size_t len = strlen(suffix);
    return text.len > len && memcmp(text.data + text.len - len, suffix, len) == 0;
}

static zonda_err by_suffix(const char *path, zn_bytes stem, const char **format,
                           zonda_error *error) {
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (ends_with(stem, suffixes[i].suffix)) {
            *format = suffixes[i].format;
            return ZONDA_OK;
        }
    }
    return zn_error_set(error, ZONDA_ERR_PLAN,
                        "the suffix of \"%s\" says nothing about its format; known: %s, each also "
                        "before .gz, .zst, .zstd or .xz; or give the format",
                        path, suffixes_known);
}

/* What is before the suffix of a compression that this build can read. */
static zonda_err find_stem(const char *path, zn_bytes *stem, zonda_error *error) {
    zn_compression compression = zn_compression_of(path, &stem->len);
    stem->data = (const uint8_t *)path;
    if (!zn_compression_available(compression)) {
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                            "this build cannot read the compression of \"%s\"", path);
    }
    return ZONDA_OK;
}

zonda_err zn_read_format(const char *path, zn_bytes given, const char **format,
                         zonda_error *error) {
    zn_bytes stem;
    zonda_err err = find_stem(path, &stem, error);
    if (err != ZONDA_OK) {
        return err;
    }
    if (given.len == 0) {
        return by_suffix(path, stem, format, error);
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (zn_bytes_equal(given, zn_bytes_of_text(suffixes[i].format))) {
            *format = suffixes[i].format;
            return ZONDA_OK;
        }
    }
    int shown = given.len < 64 ? (int)given.len : 64;
    return zn_error_set(error, ZONDA_ERR_PLAN, "there is no format \"%.*s\"; known: %s", shown,
                        (const char *)given.data, formats_known);
}
