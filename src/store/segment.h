/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_SEGMENT_H
#define ZN_STORE_SEGMENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/ids.h"
#include "store/index_builder.h"

/* A segment that a slot appends record blocks to: <scratch>/<name>, where the name is
 * "job<J>-stage<S>-<owner>.seg". Results refer to it by (name, offset, length). One thread. */
typedef struct zn_segment zn_segment;

/* Opens lazily: the file is made at the first block. `owner` tells writers of one worker apart. */
zn_segment *zn_segment_new(const char *scratch, zn_job_id job, zn_stage_id stage,
                           const char *owner);
void zn_segment_destroy(zn_segment **segment);

/* Drops the result that is started and not finished, if there is one, and gives back its room now:
 * the next start may be long in coming. */
void zn_segment_abandon(zn_segment *segment);

const char *zn_segment_name(const zn_segment *segment);

/* Starts a new result; then records are added; then finish gives where they are. A result that is
 * started but not finished is cut off again by the next start, and at once when a write fails.
 * Errors: IO, DISK_FULL, LIMIT (the record). */
zonda_err zn_segment_start(zn_segment *segment, zonda_error *error);
zonda_err zn_segment_add(zn_segment *segment, zn_bytes record, zonda_error *error);
zonda_err zn_segment_finish(zn_segment *segment, uint64_t *offset, uint64_t *length,
                            zonda_error *error);

/* ---- results with an index (store/segment_index.h): the rows of a shuffle ---- */

/* What an indexed result is, for its outcome. */
typedef struct zn_segment_totals {
    uint64_t rows;
    uint64_t bytes; /* raw: both values of each row */
} zn_segment_totals;

/* Like start and add, but rows come with their partition, in the order of partitions. A block holds
 * rows of one partition only. Error of add_row, besides: LIMIT (record, or key and record). */
zonda_err zn_segment_start_indexed(zn_segment *segment, zn_index_kind kind, zonda_error *error);
zonda_err zn_segment_add_row(zn_segment *segment, uint32_t partition, zn_bytes key, zn_bytes record,
                             zonda_error *error);

/* Writes the index; `*offset` and `*length` say where it is. Length 0: there were no rows. */
zonda_err zn_segment_finish_indexed(zn_segment *segment, uint64_t *offset, uint64_t *length,
                                    zn_segment_totals *totals, zonda_error *error);

/* The partitions with the most bytes of the indexed result that was finished last, at most `max`
 * and ZN_OUTCOME_PARTS_MAX, largest first (equal ones by number). Returns how many. */
size_t zn_segment_largest(const zn_segment *segment, uint32_t *partitions, uint64_t *bytes,
                          size_t max);

/* Whether `name` is one that zn_segment_new could have made: no path, no surprises. For names that
 * come from the wire. */
bool zn_segment_name_valid(zn_bytes name);

/* Removes all segments of a job in a scratch folder. */
void zn_segment_remove_job(const char *scratch, zn_job_id job);

/* Reads up to `size` bytes at `offset` of a segment (for the worker's data server). `*got` 0: the
 * end. Errors: NOT_FOUND, IO, INVALID (name). */
zonda_err zn_segment_read_at(const char *scratch, zn_bytes name, uint64_t offset, uint8_t *out,
                             size_t size, size_t *got, zonda_error *error);

#endif
