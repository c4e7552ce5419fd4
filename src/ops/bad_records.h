/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_BAD_RECORDS_H
#define ZN_OPS_BAD_RECORDS_H

#include "ops/op.h"
#include "ops/reader.h"

/* What a source does with bad records: fail, skip or keep; the last two count them in the counter
 * "bad_records". Kept ones are written as they came, one behind the other, to the file
 * FOLDER/<job>-<stage>-<shard><suffix of the format>, which appears when the shard is done. */
typedef struct zn_bad_records zn_bad_records;

/* Reads the arguments "on_bad_record" and "bad_records" (the folder) of `op`. Error: PLAN. */
zn_bad_records *zn_bad_records_new(zn_op *op, zonda_error *error);
void zn_bad_records_destroy(zn_bad_records **bad);

/* Deals with a bad record of the reader. Errors: its cause (policy fail, marked permanent), and
 * what reading its rest or writing it gives. */
zonda_err zn_bad_records_take(zn_bad_records *bad, zonda_task *task, zn_reader *reader,
                              const zn_reader_item *item, const zn_reader_format *format,
                              zonda_error *error);

/* The shard is over: asks for permission and publishes the file, if there is one. Errors: IO; sets
 * task->withdrawn if the permission is refused. */
zonda_err zn_bad_records_end(zn_bad_records *bad, zonda_task *task, zonda_error *error);

/* Removes what there is of a file. */
void zn_bad_records_abort(zn_bad_records *bad);

/* Removes the temporary of an attempt that died. */
void zn_bad_records_sweep(zn_bad_records *bad, zn_attempt_id attempt);

#endif
