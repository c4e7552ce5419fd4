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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stage_inputs_must_be_complete),
        cmocka_unit_test(test_stage_inputs_first_task_must_exist),
        cmocka_unit_test(test_stage_inputs_are_part_of_the_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
