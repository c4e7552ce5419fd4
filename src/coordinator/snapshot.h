/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_SNAPSHOT_H
#define ZN_COORDINATOR_SNAPSHOT_H

#include "coordinator/scheduler.h"

/* Appends to `out` (as zn_notes has them) the shortest notes that make the state of the scheduler,
 * which does not change. Tasks that workers hold are open in it, with the attempt that is held. */
void zn_snapshot_write(zn_scheduler *scheduler, zn_buf *out);

#endif
