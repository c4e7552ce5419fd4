/* SPDX-License-Identifier: MPL-2.0 */
/* The part of replay.h that is about tasks. Only replay.c includes this. */
#ifndef ZN_COORDINATOR_REPLAY_TASKS_H
#define ZN_COORDINATOR_REPLAY_TASKS_H

#include "coordinator/scheduler.h"

#define ZN_UNFIT(error, ...) zn_error_set(error, ZONDA_ERR_CORRUPT, __VA_ARGS__)

/* A time of this scheduler at which the clock on the wall showed `wall_ms`. */
uint64_t zn_replay_time(const zn_scheduler *scheduler, uint64_t wall_ms);

zonda_err zn_replay_running_stage(const zn_scheduler *scheduler, uint64_t job, uint64_t stage,
                                  zn_live_stage **out, zonda_error *error);

/* Each changes the state as its note says. Error: CORRUPT (it does not fit). */
zonda_err zn_replay_outcomes(zn_scheduler *scheduler, const zn_msg_note_outcomes *note,
                             zonda_error *error);
zonda_err zn_replay_attempts(zn_scheduler *scheduler, const zn_msg_note_attempts *note,
                             zonda_error *error);
zonda_err zn_replay_lost(zn_scheduler *scheduler, const zn_msg_note_lost *note, zonda_error *error);
zonda_err zn_replay_again(zn_scheduler *scheduler, const zn_msg_note_again *note,
                          zonda_error *error);
zonda_err zn_replay_sums(zn_scheduler *scheduler, const zn_msg_note_sums *note, zonda_error *error);
zonda_err zn_replay_failures(zn_scheduler *scheduler, const zn_msg_note_failures *note,
                             zonda_error *error);

#endif
