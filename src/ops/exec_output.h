/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_EXEC_OUTPUT_H
#define ZN_OPS_EXEC_OUTPUT_H

#include "base/buf.h"
#include "base/error.h"

/* Cuts the output of a command into records as it comes. One thread. */
typedef struct zn_exec_output zn_exec_output;

/* JSON lines, else concatenated MessagePack values. */
zn_exec_output *zn_exec_output_new(bool is_json);
void zn_exec_output_destroy(zn_exec_output **output);

/* Before the output of another command. */
void zn_exec_output_reset(zn_exec_output *output);

/* Takes the next record from the front of `bytes`, which may begin where the last call ended and
 * must only have grown since. `*record` (valid until the next call) is set if `*got`; `*used` bytes
 * are done with in any case. `at_end`: nothing follows, so a last record without a newline counts.
 * Errors: USER naming the line (or the value) and the cause. */
zonda_err zn_exec_output_next(zn_exec_output *output, zn_bytes bytes, bool at_end, size_t *used,
                              zn_bytes *record, bool *got, zonda_error *error);

#endif
