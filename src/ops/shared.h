/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_SHARED_H
#define ZN_OPS_SHARED_H

#include <msgpack.h>

#include "ops/task.h"

/* The shared data of a stage: fetched when first asked for, decoded at most once. One thread. */

/* `map`: {name: digest of the blob with the value}, checked; borrowed for life, as is `host`.
 * Error: PLAN. */
zn_shared *zn_shared_new(zn_bytes map, const zn_task_host *host, zonda_error *error);
void zn_shared_destroy(zn_shared **shared);

/* Errors: NOT_FOUND listing the names that exist; UNKNOWN_BLOB, CANCELLED; what a value that is
 * none gives. */
zonda_err zn_shared_bytes(zn_shared *shared, zn_bytes name, zn_bytes *out, zonda_error *error);
zonda_err zn_shared_object(zn_shared *shared, zn_bytes name, const msgpack_object **out,
                           zonda_error *error);

#endif
