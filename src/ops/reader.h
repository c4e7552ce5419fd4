/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_READER_H
#define ZN_OPS_READER_H

#include "store/splitter.h"

/* A format of `read`: how records are found in a file and what they become. Each has a file of its
 * own, reader_<format>.c; state is per reader and serves one file after another. */
typedef struct zn_reader_format {
    const char *name;
    const char *suffix; /* of a file with records of it */
    bool has_lines;     /* places are line and column, not bytes; an end of line is no part of a
                           record; files may be cut into ranges */
    bool is_whole;      /* the file is one record, also an empty one */
    char separator;     /* csv, tsv; else 0: a range begins at any byte */
    zn_framer (*framer)(bool at_start);
    void *(*open)(void);        /* NULL: no state */
    void (*close)(void *state); /* called if open was */
    /* Of records that are maps only fields with these names (borrowed) are wanted, as long as the
     * bytes of a record are at most `bytes_max`. NULL: the format makes whole records. */
    void (*keep)(void *state, const zn_bytes *names, size_t count, size_t bytes_max);
    /* Reads what a file begins with, before its records. Any error is one of the file. */
    zonda_err (*begin)(void *state, zn_splitter *splitter, zonda_error *error);
    /* Appends the record to `out`, or nothing where there is none (a blank line). Behind `bytes`
     * ZN_SPLITTER_PADDING more can be read. Errors about the bytes: BAD_RECORD, LIMIT, PROTOCOL,
     * with error->column as the place in `bytes`, from 1. */
    zonda_err (*parse)(void *state, zn_bytes bytes, zn_buf *out, zonda_error *error);
} zn_reader_format;

extern const zn_reader_format zn_reader_jsonl;
extern const zn_reader_format zn_reader_text;
extern const zn_reader_format zn_reader_msgpack;
extern const zn_reader_format zn_reader_csv;
extern const zn_reader_format zn_reader_tsv;
extern const zn_reader_format zn_reader_binary;

/* By name; NULL if there is none. */
const zn_reader_format *zn_reader_format_find(const char *name);

typedef enum zn_reader_kind {
    ZN_READER_END,
    ZN_READER_RECORD,
    ZN_READER_BAD /* bytes that are no record; reading goes on behind them */
} zn_reader_kind;

/* What came next in a file. Borrowed until the next call. */
typedef struct zn_reader_item {
    zn_reader_kind kind;
    zn_bytes record;          /* RECORD: a checked value */
    zn_bytes raw;             /* BAD: as they came, or their begin: see zn_reader_raw */
    const zonda_error *cause; /* BAD: why, with file, line and column */
    uint64_t line;            /* of the record, from where reading began; 0: no lines */
} zn_reader_item;

/* Reads files of one format one after another. One thread. */
typedef struct zn_reader zn_reader;

/* Records above `record_max` bytes, as they lie in the file or as MessagePack, are bad. */
zn_reader *zn_reader_new(const zn_reader_format *format, size_t record_max);
void zn_reader_destroy(zn_reader **reader);

/* Says that nothing but these fields (borrowed) will be read of records; others may be left out.
 * What is a bad record stays one. */
void zn_reader_keep(zn_reader *reader, const zn_bytes *names, size_t count);

/* Begins a file or a range of it; ends the one before. Errors, with the file filled in: IO,
 * UNSUPPORTED, CORRUPT, LIMIT, BAD_RECORD (a header that is none). */
zonda_err zn_reader_open(zn_reader *reader, const char *path, zn_file_range range,
                         zonda_error *error);
void zn_reader_close(zn_reader *reader);

/* Errors are about the file, never about a record: IO, CORRUPT, LIMIT, UNSUPPORTED. */
zonda_err zn_reader_next(zn_reader *reader, zn_reader_item *out, zonda_error *error);

/* More bytes of a bad record, behind item.raw; `*got` is false behind its last one. */
zonda_err zn_reader_raw(zn_reader *reader, zn_bytes *out, bool *got, zonda_error *error);

/* Newlines before the place that lines are counted from: 0 unless a range began further on. Reads
 * the file up to there. Error: IO. */
zonda_err zn_reader_lines_before(const zn_reader *reader, uint64_t *out, zonda_error *error);

/* Bytes read from the file, as stored. */
uint64_t zn_reader_bytes(const zn_reader *reader);

#endif
