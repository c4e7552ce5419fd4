/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the scheduler: where tasks failed, and hosts on which they fail again and again. */
#ifndef ZN_COORDINATOR_BLAME_H
#define ZN_COORDINATOR_BLAME_H

#include "coordinator/scheduler.h"

/* Attempts at open tasks failed on the worker that the error names. */
void zn_blame_failed(zn_scheduler *scheduler, zn_live_stage *stage, zn_task_run run,
                     const zonda_error *error);

/* The worker is about to complete tasks of the stage. Another one on which they failed is blamed,
 * and drained if that was so once too often. */
void zn_blame_completed(zn_scheduler *scheduler, zn_member *member, const zn_live_stage *stage,
                        zn_task_run run);

/* Whether tasks of the stage that failed on the worker are for others, because there are some. */
bool zn_blame_avoids(const zn_scheduler *scheduler, const zn_member *member,
                     const zn_live_stage *stage);

#endif
