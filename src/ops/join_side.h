/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_SIDE_H
#define ZN_OPS_JOIN_SIDE_H

#include "ops/shuffle.h"

/* The writing side of a shuffle (arguments ZN_SHUFFLE_ARGS) that is one side of a join: what fails
 * says which. */
extern const zn_op_runtime zn_join_left_runtime;
extern const zn_op_runtime zn_join_right_runtime;

#endif
