/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_SINK_FILE_H
#define ZN_STORE_SINK_FILE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/ids.h"

/* An output file that appears whole or not at all: written as ".<name>.zonda-<job>-<stage>-<task>-
 * <attempt>.tmp" beside its target, fsynced, renamed on publish. One thread. */
typedef struct zn_sink_file zn_sink_file;

/* Makes missing parent folders and the temporary file; removes temporaries of earlier attempts of
 * the same task. Compression follows the suffix of `path`; `level` 0: the default.
 * Errors: IO (file and cause). */
zn_sink_file *zn_sink_file_open(const char *path, zn_attempt_id attempt, int level,
                                zonda_error *error);
zonda_err zn_sink_file_write(zn_sink_file *file, zn_bytes bytes, zonda_error *error);

/* Finishes the compressed format, fsyncs and closes; after it only publish or discard follow. */
zonda_err zn_sink_file_seal(zn_sink_file *file, zonda_error *error);

/* Removes what other attempts of the task have, so that none can publish after this one; renames to
 * the target and fsyncs the folder. Errors: STALE (another attempt was first), IO. */
zonda_err zn_sink_file_publish(zn_sink_file *file, zonda_error *error);

/* Bytes in the file (sealed). */
uint64_t zn_sink_file_bytes(const zn_sink_file *file);

/* Removes the temporary file unless published; frees. NULL-safe. */
void zn_sink_file_destroy(zn_sink_file **file);

/* Removes what attempts of a stage, whose job is over, have left in a folder ("" or with its slash)
 * when they died; those of living ones stay. */
void zn_sink_file_sweep_folder(const char *folder, zn_job_id job, zn_stage_id stage);

/* Removes the temporary that an attempt which died may have left. Missing is fine. */
void zn_sink_file_sweep(const char *path, zn_attempt_id attempt);

#endif
