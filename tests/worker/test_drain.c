/* SPDX-License-Identifier: MPL-2.0 */
/* A worker that is to leave, by scripted events. */
#include "manager_rig.h"

#include "base/clock.h"

static void say_drain(manager_rig *rig) {
    zn_message message = { .number = ZN_MSG_DRAIN };
    message.drain.epoch = rig->epoch;
    rig_message(rig, &message);
}

static void begin(manager_rig *rig) {
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_DRAIN });
}

/* It asks until it is told; then it hands back what no slot has begun, and goes on with the rest.
 */
static void test_drain_asks_and_hands_back_what_waits(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 5);
    rig_give(&rig, 1, 7, 0, 4, 1);
    assert_int_equal(rig.model[0].count, 1);
    uint32_t begun = rig.model[0].chunks[0].tasks;
    assert_in_range(begun, 1, 3);
    begin(&rig);
    assert_non_null(rig_work(&rig, ZN_MSG_DRAIN));
    assert_null(rig_work(&rig, ZN_MSG_HANDBACK));
    rig_tick(&rig, 1000);
    assert_non_null(rig_work(&rig, ZN_MSG_DRAIN));
    say_drain(&rig);
    const zn_message *back = rig_work(&rig, ZN_MSG_HANDBACK);
    assert_non_null(back);
    assert_int_equal(back->handback.sequence, 1);
    assert_int_equal(back->handback.job, 7);
    assert_int_equal(back->handback.runs[0].first, begun);
    assert_int_equal(back->handback.runs[0].count, 4 - begun);
    assert_int_equal(zn_slot_manager_held(rig.manager), begun);
    rig_tick(&rig, 1000);
    assert_null(rig_work(&rig, ZN_MSG_DRAIN));

    rig_report_all(&rig, 0);
    rig_flush(&rig);
    assert_int_equal(rig_work(&rig, ZN_MSG_RESULT)->outcomes.sequence, 2);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_REGISTERED);
    rig_close(&rig);
}

/* What comes late, because it crossed the drain, goes back as well. */
static void test_drain_late_tasks_go_back(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 5);
    say_drain(&rig);
    rig_give(&rig, 1, 7, 0, 4, 1);
    assert_int_equal(rig_work(&rig, ZN_MSG_HANDBACK)->handback.runs[0].count, 4);
    assert_int_equal(zn_slot_manager_held(rig.manager), 0);
    assert_int_equal(rig.model[0].count, 0);
    rig_close(&rig);
}

/* A new registration is asked again. */
static void test_drain_is_asked_for_in_each_registration(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 5);
    begin(&rig);
    say_drain(&rig);
    rig_welcome(&rig, 6);
    assert_non_null(rig_work(&rig, ZN_MSG_DRAIN));
    assert_int_equal(rig_work(&rig, ZN_MSG_DRAIN)->drain.epoch, 6);
    rig_close(&rig);
}

/* Without a coordinator a worker that has nothing leaves at once, ... */
static void test_drain_alone_with_nothing_leaves_at_once(void **state) {
    (void)state;
    manager_rig rig;
    rig_open(&rig, 1, true);
    begin(&rig);
    rig_tick(&rig, 20);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LEAVING);
    rig_close(&rig);
}

/* ... and one that has something gives it time to come back. */
static void test_drain_alone_with_results_waits_for_a_while(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 5);
    rig_give(&rig, 1, 7, 0, 1, 1);
    begin(&rig);
    for (int i = 0; i < 3; i++) {
        rig_tick(&rig, 1000); /* silence: it looks for its coordinator */
    }
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LOOKING);
    for (int i = 0; i < 5; i++) {
        rig_tick(&rig, 1000);
        assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LOOKING);
    }
    rig_tick(&rig, 1500);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LEAVING);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_asks_and_hands_back_what_waits),
        cmocka_unit_test(test_drain_late_tasks_go_back),
        cmocka_unit_test(test_drain_is_asked_for_in_each_registration),
        cmocka_unit_test(test_drain_alone_with_nothing_leaves_at_once),
        cmocka_unit_test(test_drain_alone_with_results_waits_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
