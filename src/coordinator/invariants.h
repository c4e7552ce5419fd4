/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_INVARIANTS_H
#define ZN_COORDINATOR_INVARIANTS_H

#include "coordinator/scheduler.h"

/* Checks everything that must hold between two steps. INTERNAL, naming what is broken. Takes time
 * in proportion to all runs of all stages: for tests. */
zonda_err zn_scheduler_check(const zn_scheduler *scheduler, zonda_error *error);

#endif
