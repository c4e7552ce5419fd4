/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_NARROW_H
#define ZN_OPS_NARROW_H

#include "ops/op.h"

/* What narrow operators that work on bytes check alike. Both failures are permanent: the same
 * records would fail again. */

/* Error: USER if the record is no map; it names the operator and the type. */
zonda_err zn_narrow_check_map(const zn_op *op, zn_bytes record, zonda_error *error);

/* Error: LIMIT if a record that the operator makes would have more bytes than a record may. */
zonda_err zn_narrow_check_size(const zn_op *op, size_t bytes, zonda_error *error);

#endif
