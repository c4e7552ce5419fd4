/* SPDX-License-Identifier: MPL-2.0 */
/* A coordinator without workers that answers as a real one would, all tasks done at once, except
 * for one fault that a test chooses. Task i of a stage has the record i. */
#ifndef ZN_TESTS_INTEGRATION_FAKE_COORDINATOR_H
#define ZN_TESTS_INTEGRATION_FAKE_COORDINATOR_H

#include "test.h"

typedef enum fake_fault {
    FAKE_NO_FAULT,
    FAKE_START_LATE,         /* START_STAGE takes effect and is answered 300 ms late; until then
                                the status is zeros of zeros, as the predecessor's was */
    FAKE_START_UNANSWERED,   /* START_STAGE is never answered */
    FAKE_START_REPLY_LOST,   /* the first reply to START_STAGE is lost */
    FAKE_START_OTHER_TOTAL,  /* STAGE_STARTED says another number of tasks */
    FAKE_STATUS_ZEROS,       /* the status of the stage is 0 of 0, complete */
    FAKE_STATUS_OTHER_TOTAL, /* the status has one task less, all complete */
    FAKE_STATUS_OTHER_STAGE, /* the status is of another stage */
    FAKE_STATUS_UNKNOWN,     /* the status call is refused: no such stage */
    FAKE_OTHER_VERSION,      /* every reply is a frame of another protocol version */
    FAKE_GARBAGE,            /* every reply is garbage */
    FAKE_SILENT,             /* nothing is ever answered */
} fake_fault;

typedef struct fake_coordinator fake_coordinator;

fake_coordinator *fake_coordinator_start(fake_fault fault);
void fake_coordinator_stop(fake_coordinator **fake);
const char *fake_coordinator_endpoint(const fake_coordinator *fake);

/* How many START_STAGE were received, how many had a request number not seen before, and how many
 * GET_STATUS came before a START_STAGE was answered. Valid after the calls of the driver returned.
 */
unsigned fake_coordinator_starts(const fake_coordinator *fake);
unsigned fake_coordinator_distinct_starts(const fake_coordinator *fake);
unsigned fake_coordinator_early_polls(const fake_coordinator *fake);

#endif
