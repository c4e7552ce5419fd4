/* SPDX-License-Identifier: MPL-2.0 */
/* Inside the driver core only: its state. */
#ifndef ZN_RUNTIME_DRIVER_STATE_H
#define ZN_RUNTIME_DRIVER_STATE_H

#include "runtime/driver_core.h"

struct zn_driver_core {
    const zn_plan *plan;
    char *name;
    zn_msg_open_job job_options; /* the numbers alone */
    bool stream;
    uint64_t timeout_ns;

    zn_driver_state state;
    zn_job_id job;
    bool resumed; /* it was there before */
    zonda_error failure;
    bool hurried;
    uint64_t ignored;

    size_t blob;          /* the one that is being put */
    uint64_t blob_offset; /* how much of it is there */
    bool blob_asked;      /* the coordinator has said how much */

    uint32_t stage;                 /* the one that runs */
    bool stage_complete;            /* said so by the last STATUS */
    bool stage_counted;             /* its counters have been added */
    uint64_t completed;             /* tasks, said so by the last STATUS */
    bool wanted;                    /* a reader waits for a page */
    bool page_was_empty;            /* although the stage was complete */
    zn_lost_result lost;            /* the result that could not be read last */
    zn_lost_result *tell_lost;      /* NULL, or `lost`: the coordinator is to be told of it */
    uint32_t lost_count;            /* times in a row that it was this task's */
    uint64_t next_result;           /* first task of the last stage that is not delivered yet */
    uint64_t page_end;              /* DELIVERING: first task behind the page */
    zn_counter_set counters;        /* of all stages that are complete */
    zn_counter_set *stage_counters; /* one for each stage of the plan */
    size_t stage_count;

    uint64_t due_ns;      /* WAITING, DRAINING: when to ask again */
    uint64_t interval_ns; /* the last wait, doubled each time */
    uint64_t deadline_ns; /* of closing; 0: not begun */
};

/* The reply that a state waits for; 0: none. */
uint64_t zn_driver_expected(zn_driver_state state);

/* Checks of replies against what was asked (driver_check.c). They change nothing. */
zonda_err zn_driver_check_stored(const zn_driver_core *core, const zn_msg_blob_stored *reply,
                                 zonda_error *error);
zonda_err zn_driver_check_started(const zn_driver_core *core, const zn_msg_stage_started *reply,
                                  zonda_error *error);
zonda_err zn_driver_check_status(const zn_driver_core *core, const zn_msg_status *reply,
                                 zonda_error *error);
zonda_err zn_driver_check_results(const zn_driver_core *core, const zn_msg_results *reply,
                                  zonda_error *error);

#endif
