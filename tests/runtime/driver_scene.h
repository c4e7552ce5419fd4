/* SPDX-License-Identifier: MPL-2.0 */
/* What the tests of the driver core share: a core with its plan and a clock, events, replies. */
#ifndef ZN_TESTS_RUNTIME_DRIVER_SCENE_H
#define ZN_TESTS_RUNTIME_DRIVER_SCENE_H

#include "test.h"

#include "base/clock.h"
#include "runtime/driver_core.h"

enum {
    JOB = 7,
    TIMEOUT_MS = 1000
};

typedef struct driver_scene {
    zonda_error error;
    zn_plan *plan;
    zn_driver_core *core;
    zn_driver_action action; /* after the last event */
    uint64_t now_ns;
} driver_scene;

static inline void open_scene(driver_scene *scene, zonda_dataset *dataset, bool stream) {
    memset(scene, 0, sizeof *scene);
    scene->plan = zn_plan_new(dataset, NULL, 0, &zn_plan_files_local, &scene->error);
    zonda_dataset_destroy(&dataset);
    assert_non_null(scene->plan);
    zn_driver_options options = { .name = "job",
                                  .stream = stream,
                                  .timeout_ns = TIMEOUT_MS * ZN_NS_PER_MS };
    scene->core = zn_driver_core_new(scene->plan, &options);
    scene->now_ns = 1000 * ZN_NS_PER_S;
    zn_driver_core_next(scene->core, &scene->action);
}

static inline void close_scene(driver_scene *scene) {
    zn_driver_core_destroy(&scene->core);
    zn_plan_destroy(&scene->plan);
}

static inline zonda_dataset *three_items(void) {
    return zonda_from_list("\x01\x02\x03", 3);
}

static inline void happen(driver_scene *scene, zn_driver_event event) {
    event.now_ns = scene->now_ns;
    zn_driver_core_step(scene->core, &event);
    zn_driver_core_next(scene->core, &scene->action);
}

static inline void reply(driver_scene *scene, zn_message message) {
    happen(scene, (zn_driver_event){ .kind = ZN_DRIVER_REPLY, .reply = &message });
}

static inline void send_error(driver_scene *scene, zn_driver_event_kind kind, zonda_err code) {
    zonda_error error;
    zn_error_set(&error, code, "scripted");
    happen(scene, (zn_driver_event){ .kind = kind, .error = &error });
}

static inline void expect_call(driver_scene *scene, zn_message_number number) {
    assert_int_equal(scene->action.kind, ZN_DRIVER_CALL);
    assert_string_equal(zn_message_name(scene->action.request.number), zn_message_name(number));
}

static inline void expect_state(driver_scene *scene, zn_driver_state state) {
    assert_string_equal(zn_driver_state_name(zn_driver_core_state(scene->core)),
                        zn_driver_state_name(state));
}

static inline void expect_failure(driver_scene *scene, const char *code, const char *word) {
    const zonda_error *failure = zn_driver_core_failure(scene->core);
    assert_string_equal(zonda_err_name(failure->code), code);
    if (strstr(failure->text, word) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", failure->text, word);
    }
}

static inline zn_message opened(void) {
    return (zn_message){ .number = ZN_MSG_JOB_OPENED, .job_opened = { .job = JOB } };
}

static inline zn_message stored(uint64_t received) {
    return (zn_message){ .number = ZN_MSG_BLOB_STORED, .blob_stored = { .received = received } };
}

static inline zn_message started(uint64_t stage, uint64_t total) {
    return (zn_message){ .number = ZN_MSG_STAGE_STARTED,
                         .stage_started = { .job = JOB, .stage = stage, .total = total } };
}

static inline zn_message status(uint64_t stage, zn_stage_state state, uint64_t completed,
                                uint64_t total) {
    return (zn_message){ .number = ZN_MSG_STATUS,
                         .status = { .job = JOB,
                                     .stage = stage,
                                     .state = state,
                                     .completed = completed,
                                     .total = total,
                                     .records_in = 5 } };
}

static inline zn_message closing(uint64_t waiting) {
    return (zn_message){ .number = ZN_MSG_JOB_CLOSING,
                         .job_closing = { .job = JOB, .waiting = waiting } };
}

/* A page with one run of tasks, or none. */
static inline zn_message results(zn_result *result, uint64_t stage, uint64_t first, uint64_t count,
                                 uint64_t total) {
    *result = (zn_result){ .first = first, .count = count };
    return (zn_message){ .number = ZN_MSG_RESULTS,
                         .results = { .job = JOB,
                                      .stage = stage,
                                      .total = total,
                                      .results = result,
                                      .results_count = count > 0 ? 1 : 0 } };
}

static inline void put_all_blobs(driver_scene *scene) {
    for (size_t i = 0; i < scene->plan->blob_count; i++) {
        expect_call(scene, ZN_MSG_PUT_BLOB);
        reply(scene, stored(scene->plan->blobs[i].bytes.len));
    }
}

/* Up to the first START_STAGE. */
static inline void reach_start(driver_scene *scene) {
    expect_call(scene, ZN_MSG_OPEN_JOB);
    reply(scene, opened());
    put_all_blobs(scene);
    expect_call(scene, ZN_MSG_START_STAGE);
}

/* The stage has begun: there is a wait before the first GET_STATUS. */
static inline void begin_stage(driver_scene *scene, uint64_t stage, uint64_t total) {
    reply(scene, started(stage, total));
    happen(scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    expect_call(scene, ZN_MSG_GET_STATUS);
}

/* Up to the first GET_STATUS of a plan with one stage of three tasks. */
static inline void reach_check(driver_scene *scene, bool stream) {
    open_scene(scene, three_items(), stream);
    reach_start(scene);
    begin_stage(scene, 0, 3);
}

#endif
