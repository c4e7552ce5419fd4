/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_STAGE_INPUTS_H
#define ZN_COORDINATOR_STAGE_INPUTS_H

#include "coordinator/live_job.h"

/* Whether a new stage of the job can have the inputs that the request names. Error: STAGE_MISMATCH
 * (a stage that was not started or is not complete, or tasks that the new stage does not have). */
zonda_err zn_stage_inputs_check(const zn_live_job *job, const zn_msg_start_stage *request,
                                zonda_error *error);

/* Copies the inputs to a stage that is being installed, and finds out which of its tasks have the
 * most to read. */
void zn_stage_inputs_install(zn_live_stage *stage, const zn_msg_start_stage *request);

/* Whether an installed stage has the inputs that the request names. Error: STAGE_MISMATCH. */
zonda_err zn_stage_inputs_same(const zn_live_stage *stage, const zn_msg_start_stage *request,
                               zonda_error *error);

#endif
