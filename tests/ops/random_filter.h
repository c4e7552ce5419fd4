/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_TESTS_OPS_RANDOM_FILTER_H
#define ZN_TESTS_OPS_RANDOM_FILTER_H

#include "base/buf.h"

/* Each appends one to `out`, the same for the same seed, and moves the seed on. */

/* A record, as MessagePack. */
void put_random_record(zn_buf *out, uint64_t *seed);

/* A filter of the form that is answered without Lua, or near to it. */
void put_random_expression(zn_buf *out, uint64_t *seed);

/* Tokens in any order: mostly no Lua, or Lua that means something else than it looks like. */
void put_random_tokens(zn_buf *out, uint64_t *seed);

#endif
