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

/* A letter or reply of the coordinator. */
typedef struct sim_letter {
    sim_event to;   /* with the encoded message */
    uint64_t epoch; /* of the worker, which is lost if it cannot be sent; 0: it does not matter */
    size_t after;   /* so many bytes of notes must be durable before it leaves */
} sim_letter;

typedef struct sim_journal {
    bool kept; /* the coordinator has a state directory */
    uint64_t life;
    uint64_t full_ns;  /* its disk is full until then */
    zn_buf notes;      /* all that were ever made, durable or not */
    size_t durable;    /* bytes of them */
    size_t committing; /* bytes that are durable when the commit under way ends; 0: there is none */
    size_t *batches;   /* where those end that are not durable yet: a batch is there or it is not */
    size_t batch_count;
    size_t batch_capacity;
    sim_letter *letters;
    size_t letter_count;
    size_t letter_capacity;
} sim_journal;

#endif
