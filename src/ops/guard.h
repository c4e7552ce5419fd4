/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_GUARD_H
#define ZN_OPS_GUARD_H

#include <sys/types.h>

#include "base/error.h"

/* Outlives this process to end a process group that this process would leave behind. One thread. */
typedef struct zn_guard zn_guard;

/* Starts the guardian. Errors: USER, IO (it cannot be started). NULL on failure. */
zn_guard *zn_guard_new(zonda_error *error);

/* From now on `group` is killed should this process die; 0: none. Error: IO. */
zonda_err zn_guard_watch(zn_guard *guard, pid_t group, zonda_error *error);

/* Ends the guardian; the group is left alone. NULL-safe, clears the pointer. */
void zn_guard_destroy(zn_guard **guard);

#endif
