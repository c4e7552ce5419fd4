/* SPDX-License-Identifier: MPL-2.0 */
/* Stages that read others: they start when those are complete, and their inputs are a part of what
 * they are. */
#include "rig.h"

static zn_message start_reading(const rig *r, uint64_t job, uint64_t tasks, zn_stage_input *inputs,
                                size_t count) {
    zn_message start = rig_start_message(r, job, 1, tasks);
    start.start_stage.inputs = inputs;
    start.start_stage.inputs_count = count;
    return start;
}

/* A stage whose rows are not all there would give a part of the result. */
static void test_stage_inputs_must_be_complete(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    zn_stage_input input = { .stage = 0, .by = ZN_INPUT_PARTITION };
    assert_string_equal(rig_refused(r, start_reading(r, job, 2, &input, 1)), "STAGE_MISMATCH");
    rig_start(r, job, 0, 3);
    assert_string_equal(rig_refused(r, start_reading(r, job, 2, &input, 1)), "STAGE_MISMATCH");
    rig_join(r, 0, 2, 2);
    rig_drain(r);
    const zn_message *reply = rig_call(r, start_reading(r, job, 2, &input, 1));
    assert_int_equal(reply->number, ZN_MSG_STAGE_STARTED);
    rig_free(&r);
}

/* Partitions are read by tasks that there are. */
static void test_stage_inputs_first_task_must_exist(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    rig_join(r, 0, 2, 2);
    rig_drain(r);
    zn_stage_input input = { .stage = 0, .first = 2, .by = ZN_INPUT_PARTITION };
    assert_string_equal(rig_refused(r, start_reading(r, job, 2, &input, 1)), "STAGE_MISMATCH");
    input.first = 1;
    const zn_message *reply = rig_call(r, start_reading(r, job, 2, &input, 1));
    assert_int_equal(reply->number, ZN_MSG_STAGE_STARTED);
    rig_free(&r);
}

/* The same stage with other inputs is another stage; with the same it is told what is complete. */
static void test_stage_inputs_are_part_of_the_stage(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    rig_join(r, 0, 2, 2);
    rig_drain(r);
    zn_stage_input inputs[] = { { .stage = 0, .by = ZN_INPUT_PARTITION },
                                { .stage = 0, .first = 1, .by = ZN_INPUT_ALL } };
    zn_message start = start_reading(r, job, 2, inputs, 2);
    assert_int_equal(rig_call(r, start)->number, ZN_MSG_STAGE_STARTED);
    assert_int_equal(rig_call(r, start)->number, ZN_MSG_STAGE_STARTED);
    assert_string_equal(rig_refused(r, start_reading(r, job, 2, inputs, 1)), "STAGE_MISMATCH");
    assert_string_equal(rig_refused(r, rig_start_message(r, job, 1, 2)), "STAGE_MISMATCH");
    inputs[1].first = 0;
    assert_string_equal(rig_refused(r, start), "STAGE_MISMATCH");
    inputs[1].first = 1;
    inputs[0].by = ZN_INPUT_ALL;
    assert_string_equal(rig_refused(r, start), "STAGE_MISMATCH");
    rig_free(&r);
}

/* Reports all that a worker holds of stage 0, each task with the same partitions. */
static void finish_with_parts(rig *r, size_t worker, zn_part *parts, size_t count) {
    rig_worker *w = &r->workers[worker];
    while (w->run_count > 0) {
        zn_task_run run = w->runs[0];
        zn_reference reference = { .segment = zn_bytes_of_text("s"), .length = 1 };
        zn_outcome outcome = rig_outcome(run.first, 1, run.value);
        outcome.reference = &reference;
        outcome.reference_count = 1;
        outcome.parts = parts;
        outcome.parts_count = count;
        for (size_t i = 0; i < count; i++) {
            outcome.bytes_out += parts[i].bytes;
        }
        uint64_t job = w->jobs[0];
        w->runs[0].first++;
        if (--w->runs[0].count == 0) {
            rig_forget_run(w, 0);
        }
        rig_result(r, worker, job, 0, outcome);
    }
}

/* A job whose stage 0 of three tasks gave partitions of these sizes; one worker with a slot. */
static rig *after_shuffle(uint64_t *job, zn_part *parts, size_t count) {
    rig *r = rig_new();
    *job = rig_open(r, "job");
    rig_start(r, *job, 0, 3);
    rig_join(r, 0, 1, 1);
    for (rig_assign(r); r->workers[0].run_count > 0; rig_assign(r)) {
        finish_with_parts(r, 0, parts, count);
    }
    assert_int_equal(rig_status(r, *job, 0).state, ZN_STAGE_COMPLETE);
    return r;
}

static void assert_order(rig *r, const uint32_t *tasks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        rig_assign(r);
        assert_int_equal(rig_held(&r->workers[0]), 1);
        assert_int_equal(r->workers[0].runs[0].first, tasks[i]);
        rig_finish_first(r, 0);
    }
}

/* Tasks with more than the mean go first, the largest before the others, which keep their order. */
static void test_stage_inputs_largest_tasks_go_first(void **state) {
    (void)state;
    zn_part parts[] = { { 4, 900 }, { 2, 500 }, { 1, 60 }, { 5, 50 }, { 0, 40 }, { 3, 1 } };
    uint64_t job = 0;
    rig *r = after_shuffle(&job, parts, 6);
    zn_stage_input input = { .stage = 0, .by = ZN_INPUT_PARTITION };
    rig_call(r, start_reading(r, job, 6, &input, 1));
    assert_order(r, (const uint32_t[]){ 4, 2, 0, 1, 3, 5 }, 6);
    assert_int_equal(rig_status(r, job, 1).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* Inputs add up where tasks read several, and partitions begin where they are read. */
static void test_stage_inputs_of_one_task_add_up(void **state) {
    (void)state;
    zn_part parts[] = { { 0, 100 }, { 1, 90 } };
    uint64_t job = 0;
    rig *r = after_shuffle(&job, parts, 2);
    zn_stage_input inputs[] = { { .stage = 0, .first = 1, .by = ZN_INPUT_PARTITION },
                                { .stage = 0, .first = 2, .by = ZN_INPUT_PARTITION },
                                { .stage = 0, .first = 0, .by = ZN_INPUT_ALL } };
    /* Task 1 reads 100, task 2 90 and 100, task 3 90; task 0 nothing. */
    rig_call(r, start_reading(r, job, 4, inputs, 3));
    assert_order(r, (const uint32_t[]){ 2, 1, 0, 3 }, 4);
    rig_free(&r);
}

/* A large task that comes back goes first again. */
static void test_stage_inputs_large_task_given_back_goes_first(void **state) {
    (void)state;
    zn_part parts[] = { { 3, 900 }, { 2, 800 } };
    uint64_t job = 0;
    rig *r = after_shuffle(&job, parts, 2);
    zn_stage_input input = { .stage = 0, .by = ZN_INPUT_PARTITION };
    rig_call(r, start_reading(r, job, 4, &input, 1));
    assert_order(r, (const uint32_t[]){ 3 }, 1);
    rig_assign(r);
    assert_int_equal(r->workers[0].runs[0].first, 2);
    rig_fail_first(r, 0, ZONDA_ERR_USER, false);
    assert_order(r, (const uint32_t[]){ 2, 0, 1 }, 3);
    rig_free(&r);
}

/* With a limit the order is that of the result. */
static void test_stage_inputs_with_a_limit_keep_their_order(void **state) {
    (void)state;
    zn_part parts[] = { { 2, 900 }, { 1, 1 } };
    uint64_t job = 0;
    rig *r = after_shuffle(&job, parts, 2);
    zn_stage_input input = { .stage = 0, .by = ZN_INPUT_PARTITION };
    zn_message start = start_reading(r, job, 3, &input, 1);
    start.start_stage.limit = 100;
    rig_call(r, start);
    assert_order(r, (const uint32_t[]){ 0, 1, 2 }, 3);
    rig_free(&r);
}

/* Partitions that nobody reads, and sums beyond all numbers, do no harm. */
static void test_stage_inputs_odd_parts_are_harmless(void **state) {
    (void)state;
    zn_part parts[] = { { 1, UINT64_MAX }, { 0, 7 }, { ZN_STAGE_TASKS_MAX, UINT64_MAX } };
    uint64_t job = 0;
    rig *r = after_shuffle(&job, parts, 3);
    zn_stage_input input = { .stage = 0, .by = ZN_INPUT_PARTITION };
    rig_call(r, start_reading(r, job, 2, &input, 1));
    assert_order(r, (const uint32_t[]){ 1, 0 }, 2);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stage_inputs_must_be_complete),
        cmocka_unit_test(test_stage_inputs_first_task_must_exist),
        cmocka_unit_test(test_stage_inputs_are_part_of_the_stage),
        cmocka_unit_test(test_stage_inputs_largest_tasks_go_first),
        cmocka_unit_test(test_stage_inputs_of_one_task_add_up),
        cmocka_unit_test(test_stage_inputs_large_task_given_back_goes_first),
        cmocka_unit_test(test_stage_inputs_with_a_limit_keep_their_order),
        cmocka_unit_test(test_stage_inputs_odd_parts_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
