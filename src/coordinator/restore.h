/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_RESTORE_H
#define ZN_COORDINATOR_RESTORE_H

#include "coordinator/journal.h"
#include "coordinator/scheduler.h"

/* Makes the state of a scheduler from a journal that has not started; it then has to begin.
 * `*bytes`: of all notes. Errors: STATE, with what is wrong. */
zonda_err zn_restore_state(zn_journal *journal, zn_scheduler *scheduler, uint64_t *bytes,
                           zonda_error *error);

/* Where a socket was bound the last time for the same --bind; owned by the caller, NULL: nowhere.
 */
char *zn_restore_endpoint(zn_journal *journal, const char *bind, const char *socket);

/* Remembers that. */
zonda_err zn_restore_keep_endpoint(zn_journal *journal, const char *bind, const char *socket,
                                   const char *endpoint, zonda_error *error);

#endif
