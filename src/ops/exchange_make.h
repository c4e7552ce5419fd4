/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the exchange only: makes the file of a table. */
#ifndef ZN_OPS_EXCHANGE_MAKE_H
#define ZN_OPS_EXCHANGE_MAKE_H

#include "ops/exchange_file.h"
#include "ops/exchange_table.h"

/* Reads the indexes of all inputs and writes the file, which is open and not whole. A part is the
 * shard's borders and then its stretches. Errors: as zn_exchange_table_open. */
zonda_err zn_exchange_make(const zn_exchange_plan *plan, const zn_exchange_user *user,
                           zn_exchange_file *file, zonda_error *error);

#endif
