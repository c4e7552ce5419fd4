/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_WINDOW_H
#define ZN_OPS_WINDOW_H

#include "ops/op.h"

/* Records in a row that become one list, for window (where the code is) and window_by. All zero is
 * an empty one. */
typedef struct zn_window {
    uint32_t count;
    zn_buf records;
    zn_buf list;
} zn_window;

/* Lets go of what is left of another shard. */
void zn_window_reset(zn_window *window);
void zn_window_free(zn_window *window);

/* Error: LIMIT if the list would be too large for a record. */
zonda_err zn_window_add(zn_window *window, const zn_op *op, zn_bytes record, zonda_error *error);

/* Emits the list and begins anew; nothing if it is empty. Errors: LIMIT (nested too deep), and
 * those of the operators behind. */
zonda_err zn_window_emit(zn_window *window, zn_op *op, zonda_task *task, zonda_error *error);

#endif
