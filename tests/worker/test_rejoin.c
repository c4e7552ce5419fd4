/* SPDX-License-Identifier: MPL-2.0 */
/* A worker that loses its epoch goes on with its tasks, and says in the next one what it has. */
#include "manager_rig.h"

static void rejoin(manager_rig *rig) {
    zn_message message = { .number = ZN_MSG_REJOIN, .rejoin.epoch = rig->epoch };
    rig_message(rig, &message);
    assert_int_equal(rig_work(rig, ZN_MSG_HELLO)->hello.epoch, rig->epoch);
}

/* Tasks run on without an epoch. In the next one outcomes come first, then what is held, then
 * credit; the first two are numbered together. */
static void test_rejoin_tells_outcomes_then_what_is_held(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 2, 1);
    rig_give(&rig, 1, 1, 0, 5, 3);
    rejoin(&rig);
    assert_int_equal(zn_slot_manager_held(rig.manager), 5);
    rig_report_all(&rig, 0);
    assert_int_equal(rig.model[0].count, 1); /* the next one */
    assert_null(rig_work(&rig, ZN_MSG_RESULT));
    rig_flush(&rig);
    assert_null(rig_work(&rig, ZN_MSG_RESULT));
    rig_welcome(&rig, 2);
    const zn_message *result = rig_work(&rig, ZN_MSG_RESULT);
    assert_int_equal(result->outcomes.sequence, 1);
    assert_int_equal(result->outcomes.epoch, 2);
    assert_int_equal(result->outcomes.outcomes[0].first, 0);
    assert_int_equal(result->outcomes.outcomes[0].attempt, 3);
    const zn_message *holding = rig_work(&rig, ZN_MSG_HOLDING);
    assert_int_equal(holding->holding.sequence, 2);
    uint64_t tasks = 0;
    for (size_t i = 0; i < holding->holding.runs_count; i++) {
        tasks += holding->holding.runs[i].count;
        assert_int_equal(holding->holding.runs[i].attempt, 3);
        assert_true(holding->holding.runs[i].first > 0);
    }
    assert_int_equal(tasks, 4);
    assert_ptr_equal(&rig.outbox.items[rig.outbox.count - 1].message,
                     rig_work(&rig, ZN_MSG_CREDIT));
    rig_close(&rig);
}

/* The WELCOME of an epoch that is over comes again: nothing of that epoch begins anew. */
static void test_rejoin_a_repeated_welcome_begins_nothing(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 7);
    rejoin(&rig);
    rig_welcome(&rig, 7);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_JOINING);
    rig_welcome(&rig, 6);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_JOINING);
    rig_welcome(&rig, 8);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_REGISTERED);
    rig_close(&rig);
}

/* A RESULT is said again in each epoch until it is acknowledged. */
static void test_rejoin_repeats_results_until_they_are_acknowledged(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    for (uint64_t task = 0; task < 3; task++) {
        rig_give(&rig, task + 1, 1, task, 1, 1);
        rig_report_all(&rig, 0);
        rig_flush(&rig);
        assert_non_null(rig_work(&rig, ZN_MSG_RESULT));
    }
    rig_acknowledge(&rig, 2);
    rig_welcome(&rig, 2);
    const zn_message *result = rig_work(&rig, ZN_MSG_RESULT);
    assert_int_equal(result->outcomes.sequence, 1);
    assert_int_equal(result->outcomes.outcomes_count, 1);
    assert_int_equal(result->outcomes.outcomes[0].first, 2);
    assert_null(rig_work_at(&rig, ZN_MSG_RESULT, 1));
    rig_acknowledge(&rig, 1);
    rig_welcome(&rig, 3);
    assert_null(rig_work(&rig, ZN_MSG_RESULT));
    rig_close(&rig);
}

/* Outcomes of many messages come as few. */
static void test_rejoin_gathers_results(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    for (uint64_t task = 0; task < 200; task++) {
        rig_give(&rig, task + 1, 1 + task % 2, 2 * task, 1, 1);
        rig_report_all(&rig, 0);
        rig_flush(&rig);
    }
    rig_welcome(&rig, 2);
    uint64_t outcomes = 0;
    for (size_t i = 0; i < 2; i++) {
        outcomes += rig_work_at(&rig, ZN_MSG_RESULT, i)->outcomes.outcomes_count;
    }
    assert_int_equal(outcomes, 200);
    assert_null(rig_work_at(&rig, ZN_MSG_RESULT, 2));
    rig_close(&rig);
}

static void report_large(manager_rig *rig) {
    static uint8_t bytes[ZN_INLINE_BYTES_MAX];
    const model_chunk chunk = rig->model[0].chunks[0];
    assert_int_equal(chunk.tasks, 1);
    rig->now_ns += 20000000; /* so long that a chunk is one task */
    rig->model[0].count = 0;
    zn_outcome outcome = { .first = chunk.first,
                           .count = 1,
                           .attempt = chunk.attempt,
                           .records = { bytes, sizeof bytes } };
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .epoch = chunk.epoch,
                                          .sequence = chunk.sequence,
                                          .job = chunk.job,
                                          .outcomes = &outcome,
                                          .outcomes_count = 1 };
    rig_step(rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_SLOT_MESSAGE, .message = &message });
    rig_flush(rig);
}

/* Results that nobody acknowledges take bounded memory: slots get no more tasks until somebody
 * does. */
static void test_rejoin_unacknowledged_results_hold_tasks_up(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 0, 60000, 1);
    uint64_t reports = 0;
    while (rig.model[0].count > 0 && reports < 60000) {
        report_large(&rig);
        reports += 1;
    }
    uint64_t full = ZN_UNACKNOWLEDGED_BYTES_MAX / ZN_INLINE_BYTES_MAX;
    assert_in_range(reports, full / 8, full);
    assert_true(zn_slot_manager_held(rig.manager) > 0);
    rig_acknowledge(&rig, reports);
    assert_int_equal(rig.model[0].count, 1);
    rig_close(&rig);
}

/* An attempt that waits is taken back before it begins; one that runs alone is cancelled. */
static void test_rejoin_withdrawn_attempts_end(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 0, 5, 1);
    rig_withdraw(&rig, 1, 2, 2, 1);
    assert_int_equal(zn_slot_manager_held(rig.manager), 3);
    rig_withdraw(&rig, 1, 0, 1, 2); /* another attempt */
    assert_int_equal(zn_slot_manager_held(rig.manager), 3);
    rig_withdraw(&rig, 1, 0, 1, 1);
    assert_int_equal(zn_slot_manager_held(rig.manager), 2);
    assert_true(rig.model[0].chunks[0].cancelled);
    rig_end_chunk(&rig, 0);
    assert_int_equal(rig.model[0].chunks[0].first, 1);
    rig_report_all(&rig, 0);
    assert_int_equal(rig.model[0].chunks[0].first, 4);
    rig_report_all(&rig, 0);
    assert_int_equal(zn_slot_manager_held(rig.manager), 0);
    rig_close(&rig);
}

/* Of a chunk with several tasks the others go on; outcomes of those taken back are not passed on,
 * and an attempt that asks to publish is refused. */
static void test_rejoin_withdrawn_part_of_a_chunk(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_teach_short_tasks(&rig, 1);
    rig_give(&rig, rig.received + 1, 1, 0, 50, 1);
    assert_true(rig.model[0].chunks[0].tasks >= 20);
    uint32_t tasks = rig.model[0].chunks[0].tasks;
    rig_commit(&rig, 0, 1, 6, 1);
    rig_withdraw(&rig, 1, 5, 3, 1);
    const zn_message *answer = rig_slot(&rig, 0, ZN_MSG_COMMITTED);
    assert_int_equal(answer->committed.task, 6);
    assert_int_equal(answer->committed.granted, 0);
    assert_false(rig.model[0].chunks[0].cancelled);
    rig_report_all(&rig, 0);
    rig_flush(&rig);
    const zn_message *result = rig_work(&rig, ZN_MSG_RESULT);
    assert_int_equal(result->outcomes.outcomes_count, 2);
    assert_int_equal(result->outcomes.outcomes[0].count, 5);
    assert_int_equal(result->outcomes.outcomes[1].first, 8);
    assert_int_equal(result->outcomes.outcomes[1].count, tasks - 8);
    rig_close(&rig);
}

/* More jobs than HELLO can name are named one by one, so that none is forgotten for ever. */
static void test_rejoin_names_all_jobs(void **state) {
    (void)state;
    enum {
        JOBS = ZN_HELLO_JOBS_MAX + 44
    };
    manager_rig rig;
    rig_register(&rig, 1, 1);
    for (uint64_t job = 1; job <= JOBS; job++) {
        rig_give(&rig, job, job, 0, 1, 1);
        rig_report_all(&rig, 0);
    }
    rig_flush(&rig);
    rejoin(&rig);
    const zn_message *hello = rig_work(&rig, ZN_MSG_HELLO);
    assert_int_equal(hello->hello.jobs_count, ZN_HELLO_JOBS_MAX);
    rig_welcome(&rig, 2);
    size_t named = 0;
    const zn_message *holding = NULL;
    while ((holding = rig_work_at(&rig, ZN_MSG_HOLDING, named)) != NULL) {
        assert_int_equal(holding->holding.runs_count, 0);
        named += 1;
    }
    assert_int_equal(named, JOBS - ZN_HELLO_JOBS_MAX);
    rig_close(&rig);
}

/* A coordinator that is gone for long: the worker finishes what it has, and tells when there is one
 * again. If that belongs to another cluster, nothing of the old one reaches it. */
static void test_rejoin_after_a_long_time(void **state) {
    (void)state;
    for (uint64_t cluster = 1; cluster <= 2; cluster++) {
        manager_rig rig;
        rig_register(&rig, 1, 1);
        rig_give(&rig, 1, 1, 0, 3, 1);
        for (int s = 0; s < 600; s++) {
            rig_tick(&rig, 1000);
            if (rig.model[0].count > 0) {
                rig_report_all(&rig, 0);
            }
        }
        assert_int_equal(zn_slot_manager_held(rig.manager), 0);
        zn_message found = { .number = ZN_MSG_ENDPOINTS, .endpoints.cluster = cluster };
        rig_step(&rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND, .message = &found });
        assert_int_equal(rig_work(&rig, ZN_MSG_HELLO)->hello.epoch, cluster == 1 ? 1 : 0);
        assert_int_equal(rig_count(&rig, ZN_ACTION_REMOVE_ALL), cluster == 1 ? 0 : 1);
        rig.cluster = cluster;
        rig_welcome(&rig, 7);
        assert_int_equal(rig_work(&rig, ZN_MSG_RESULT) != NULL, cluster == 1);
        rig_close(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejoin_tells_outcomes_then_what_is_held),
        cmocka_unit_test(test_rejoin_a_repeated_welcome_begins_nothing),
        cmocka_unit_test(test_rejoin_repeats_results_until_they_are_acknowledged),
        cmocka_unit_test(test_rejoin_gathers_results),
        cmocka_unit_test(test_rejoin_unacknowledged_results_hold_tasks_up),
        cmocka_unit_test(test_rejoin_withdrawn_attempts_end),
        cmocka_unit_test(test_rejoin_withdrawn_part_of_a_chunk),
        cmocka_unit_test(test_rejoin_names_all_jobs),
        cmocka_unit_test(test_rejoin_after_a_long_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
