/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_STAGE_PACE_H
#define ZN_COORDINATOR_STAGE_PACE_H

#include <stdint.h>

/* How many tasks of a stage were completed lately. All zero: nothing is known. */
typedef struct zn_stage_pace {
    uint64_t window_ns; /* when the current window began */
    uint64_t tasks;     /* completed in it */
    uint64_t before;    /* completed in the window before it */
} zn_stage_pace;

void zn_stage_pace_note(zn_stage_pace *pace, uint64_t tasks, uint64_t now_ns);

/* How many tasks of the stage a worker may hold at a time: one for each of its `slots`, and its
 * part (of `slots_all`) of twice what was completed lately. */
uint64_t zn_stage_pace_limit(const zn_stage_pace *pace, uint32_t slots, uint64_t slots_all,
                             uint64_t now_ns);

#endif
