/* SPDX-License-Identifier: MPL-2.0 */
/* Lost results are made again, by running just the tasks that made them. */
#ifndef ZN_COORDINATOR_LINEAGE_H
#define ZN_COORDINATOR_LINEAGE_H

#include "coordinator/scheduler.h"

/* Whether a stage waits for results of stages that it reads: none of its tasks is handed out until
 * they are complete again. */
bool zn_lineage_is_blocked(const zn_live_stage *stage);

/* Whether lost results of the stage are to be made again: it runs, or a stage that reads it does,
 * or nobody has read it yet. */
bool zn_lineage_is_needed(const zn_live_stage *stage);

/* The results that lay with a worker, known by its client id, are gone. */
void zn_lineage_lose_holder(zn_scheduler *scheduler, uint64_t holder);

/* A reader could not read a result. Nothing happens if another attempt has made it since, or if it
 * is known to be lost. `error` (may be NULL) says what the reader saw. */
void zn_lineage_lose_result(zn_scheduler *scheduler, zn_live_job *job, const zn_lost_result *lost,
                            const zonda_error *error);

/* Somebody asks for the results of the stage: what is lost of them is made again, whoever has read
 * it before. */
void zn_lineage_ask(zn_scheduler *scheduler, zn_live_stage *stage);

/* Makes again what is lost and needed, after a stage of the job was started. */
void zn_lineage_settle(zn_scheduler *scheduler, zn_live_job *job);

/* Lets stages that read this one know that it is complete, or runs again. */
void zn_lineage_refresh_readers(zn_scheduler *scheduler, const zn_live_stage *stage);

#endif
