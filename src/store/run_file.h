/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_RUN_FILE_H
#define ZN_STORE_RUN_FILE_H

#include "base/limits.h"
#include "base/memory.h"
#include "record/row.h"
#include "store/place.h"

/* A temporary file of blocks in a scratch folder, for what does not fit into memory: sorted runs,
 * buffered groups. It has no name once it is open, so that nothing is left behind whoever dies
 * (O_TMPFILE, or unlinked at once). Written in order, then read at any number of places. */
typedef struct zn_run_file zn_run_file;

/* `scratch` is copied. Nothing is made there before some KiB have been added. Errors: IO. */
zn_run_file *zn_run_file_new(const char *scratch, zonda_error *error);
void zn_run_file_destroy(zn_run_file **file);

/* Appends a row (`key` may be empty: then only the record is stored, as one value). Errors: IO,
 * DISK_FULL, LIMIT (the size of the key or the record). */
zonda_err zn_run_file_add(zn_run_file *file, zn_bytes key, zn_bytes record, zonda_error *error);

/* Ends the block and gives what was added since the last end. */
zonda_err zn_run_file_end(zn_run_file *file, zn_stretch *out, zonda_error *error);

uint64_t zn_run_file_bytes(const zn_run_file *file);

/* Raw bytes of its largest block: the memory that a reader takes, about. */
uint64_t zn_run_file_block_bytes(const zn_run_file *file);

/* Memory that an open file takes for writing, about. */
enum {
    ZN_RUN_FILE_MEMORY_BYTES = 5 * ZN_BLOCK_RAW_BYTES
};

/* Reads the values of a stretch, block by block. The file must outlive the reader. The block that
 * it holds is charged to `memory` (may be NULL) by force. */
typedef struct zn_run_reader zn_run_reader;
zn_run_reader *zn_run_reader_new(zn_run_file *file, zn_stretch stretch, zn_memory *memory);
/* As zn_block_reader_next. */
zonda_err zn_run_reader_next(zn_run_reader *reader, zn_bytes *values, uint32_t *count,
                             zonda_error *error);
void zn_run_reader_destroy(zn_run_reader **reader);

#endif
