/* SPDX-License-Identifier: MPL-2.0 */
/* What lies on the disks of the simulated cluster. */
#ifndef ZN_TESTS_SIM_DISK_H
#define ZN_TESTS_SIM_DISK_H

#include <stdbool.h>

#include "sim_event.h"

/* What a worker keeps of a task whose result is large. */
typedef struct sim_segment {
    uint64_t job;
    uint32_t stage;
    uint64_t task;
    uint64_t place; /* what references call offset: no other has it */
    uint64_t value;
    bool rotten;
} sim_segment;

/* A file that is being written beside the output that it is to become. */
typedef struct sim_temporary {
    uint64_t job;
    uint32_t driver;
    uint32_t stage;
    uint32_t task;
    uint64_t attempt;
    sim_place writer;
    uint64_t worker_life; /* of the writer's worker */
    bool locked;          /* its writer lives and has not ended the task */
    bool sealed;
    uint64_t value;
} sim_temporary;

#endif
