/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_WRITER_H
#define ZN_OPS_WRITER_H

#include "base/buf.h"
#include "base/error.h"

/* How records become the bytes of a file, one per format. It knows no files: op_write.c opens,
 * compresses, seals and publishes them. One thread. A file without records is empty and valid. */
typedef struct zn_writer {
    /* What it remembers from record to record of a file; NULL functions: nothing. */
    void *(*open)(void);
    void (*begin)(void *state); /* a new file */
    void (*close)(void *state);
    /* Appends what the record (a checked value) is in the file. Error: BAD_RECORD. */
    zonda_err (*put)(void *state, zn_bytes record, zn_buf *out, zonda_error *error);
} zn_writer;

extern const zn_writer zn_writer_jsonl;   /* a line of JSON per record */
extern const zn_writer zn_writer_text;    /* a line per record, which must be a string */
extern const zn_writer zn_writer_msgpack; /* the values, one after the other */
extern const zn_writer zn_writer_csv;     /* a row per record, which must be a map of scalars */
extern const zn_writer zn_writer_tsv;     /* the same with tabs between the fields */
extern const zn_writer zn_writer_binary;  /* the bytes of strings and binaries, nothing between */

#endif
