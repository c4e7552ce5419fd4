/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_PASS_ROWS_H
#define ZN_OPS_PASS_ROWS_H

#include "ops/exchange.h"

/* Sources that read a shuffle and give its records as they come; `op->state` is the exchange. */
extern const zn_op_runtime zn_pass_rows_runtime;

/* Parts of it, for sources that do more than that. */
zonda_err zn_pass_rows_open(zn_op *op, zonda_error *error);
void zn_pass_rows_close(zn_op *op);

#endif
