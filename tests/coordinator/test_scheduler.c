/* SPDX-License-Identifier: MPL-2.0 */
/* The scheduler by scripted events: who gets tasks, what outcomes do, how workers come and go. */
#include "rig.h"

#include "base/clock.h"

/* A stage runs to its end on one worker, and the status says so. */
static void test_scheduler_one_worker_completes_stage(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 100);
    rig_join(r, 0, 2, 8);
    rig_drain(r);
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.state, ZN_STAGE_COMPLETE);
    assert_int_equal(status.completed, 100);
    assert_int_equal(status.running, 0);
    assert_int_equal(status.retries, 0);
    assert_int_equal(status.workers, 1);
    rig_free(&r);
}

/* No worker ever holds more than its credit, and less credit later is respected. */
static void test_scheduler_credit_bounds_what_is_held(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 1000);
    rig_join(r, 0, 8, 8);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 8);
    assert_int_equal(r->workers[0].task_messages, 1);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 8);
    zn_message credit = { .number = ZN_MSG_CREDIT };
    credit.credit.tasks = 3;
    rig_send(r, 0, credit);
    rig_finish_first(r, 0);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 3);
    rig_free(&r);
}

/* Few tasks are spread over all workers by their slots instead of going to the first. */
static void test_scheduler_few_tasks_are_spread(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    for (size_t i = 0; i < 4; i++) {
        rig_join(r, i, i == 3 ? 4 : 1, 100);
    }
    rig_start(r, job, 0, 7);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    assert_int_equal(rig_held(&r->workers[1]), 1);
    assert_int_equal(rig_held(&r->workers[2]), 1);
    assert_int_equal(rig_held(&r->workers[3]), 4);
    rig_drain(r);
    rig_start(r, job, 1, 4);
    rig_assign(r);
    for (size_t i = 0; i < 4; i++) {
        assert_true(rig_held(&r->workers[i]) >= 1);
    }
    rig_free(&r);
}

/* A worker whose slots idle gets tasks even beyond its share, if nobody else can take them. */
static void test_scheduler_idle_slots_are_filled(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 64, 1);
    rig_join(r, 1, 4, 100);
    rig_start(r, job, 0, 5);
    rig_assign(r);
    assert_int_equal(rig_held(&r->workers[0]), 1);
    assert_int_equal(rig_held(&r->workers[1]), 4);
    rig_free(&r);
}

/* Two jobs share: the second, small one does not wait for the first, large one. */
static void test_scheduler_two_jobs_share_fairly(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t large = rig_open(r, "large");
    rig_start(r, large, 0, 100000);
    uint64_t small = rig_open(r, "small");
    rig_start(r, small, 0, 20);
    rig_join(r, 0, 4, 4);
    for (int i = 0; i < 40 && rig_status(r, small, 0).state == ZN_STAGE_RUNNING; i++) {
        rig_assign(r);
        while (r->workers[0].run_count > 0) {
            rig_finish_first(r, 0);
        }
    }
    assert_int_equal(rig_status(r, small, 0).state, ZN_STAGE_COMPLETE);
    uint64_t completed = rig_status(r, large, 0).completed;
    assert_in_range(completed, 16, 24);
    rig_free(&r);
}

/* Single tasks go to different workers in turn. */
static void test_scheduler_single_tasks_rotate(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_join(r, 0, 1, 4);
    rig_join(r, 1, 1, 4);
    size_t seen[2] = { 0, 0 };
    for (uint64_t stage = 0; stage < 6; stage++) {
        rig_start(r, job, stage, 1);
        rig_assign(r);
        size_t who = rig_held(&r->workers[0]) > 0 ? 0 : 1;
        seen[who]++;
        rig_finish_first(r, who);
    }
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], 3);
    rig_free(&r);
}

/* A stage of ten million tasks is a handful of runs at every moment. */
static void test_scheduler_large_range_stays_small(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10000000);
    const zn_live_stage *stage = zn_live_job_stage(zn_key_map_get(&r->scheduler->job_map, job), 0);
    assert_int_equal(stage->pending.run_count, 1);
    rig_join(r, 0, 4096, 65536);
    rig_join(r, 1, 4096, 65536);
    size_t messages = 0;
    while (rig_status(r, job, 0).state == ZN_STAGE_RUNNING) {
        rig_assign(r);
        rig_finish_first(r, 1); /* the later tasks first */
        rig_finish_first(r, 0);
        messages += 2;
        assert_true(stage->pending.run_count <= 4);
        assert_true(stage->results.run_count <= 4);
    }
    assert_true(stage->results.run_count <= 4);
    assert_int_equal(rig_status(r, job, 0).completed, 10000000);
    assert_true(messages < 400);
    rig_free(&r);
}

/* A repeated RESULT changes nothing; a missing one ends the epoch. The tasks are given back when
 * the worker comes again and has kept nothing. */
static void test_scheduler_sequences_are_kept(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    rig_result(r, 0, job, 0, rig_outcome(0, 2, 1));
    r->workers[0].sent = 0; /* again */
    rig_result(r, 0, job, 0, rig_outcome(2, 2, 1));
    assert_int_equal(r->scheduler->stats.duplicates, 1);
    assert_int_equal(rig_status(r, job, 0).completed, 2);
    r->workers[0].sent = 2; /* one is missing */
    rig_result(r, 0, job, 0, rig_outcome(4, 2, 1));
    rig_deliver(r);
    assert_int_equal(r->scheduler->stats.gaps, 1);
    assert_int_equal(r->workers[0].rejoins, 1);
    assert_int_equal(r->workers[0].epoch, 0);
    assert_int_equal(rig_status(r, job, 0).running, 8);
    assert_int_equal(rig_status(r, job, 0).workers, 0);
    uint64_t id = r->workers[0].id;
    rig_join(r, 0, 10, 10);
    assert_int_equal(r->workers[0].id, id);
    rig_assign(r);
    assert_int_equal(r->workers[0].runs[0].value, 2);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    assert_int_equal(rig_status(r, job, 0).retries, 8);
    rig_free(&r);
}

/* A last RESULT that was lost shows in the second heartbeat that speaks of it, not in the first. */
static void test_scheduler_heartbeat_shows_lost_result(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 1);
    rig_join(r, 0, 1, 1);
    rig_assign(r);
    zn_message beat = { .number = ZN_MSG_HEARTBEAT };
    beat.heartbeat.sent = 1;
    rig_send(r, 0, beat);
    assert_int_equal(r->scheduler->stats.gaps, 0);
    rig_send(r, 0, beat);
    rig_deliver(r);
    assert_int_equal(r->scheduler->stats.gaps, 1);
    assert_int_equal(r->workers[0].rejoins, 1);
    rig_free(&r);
}

/* Messages of an epoch that is unknown, old or another's get REJOIN and do nothing else. */
static void test_scheduler_unknown_epoch_gets_rejoin(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 4);
    rig_join(r, 0, 1, 4);
    rig_assign(r);
    uint64_t old = r->workers[0].epoch;
    rig_join(r, 0, 1, 4);
    assert_int_not_equal(r->workers[0].epoch, old);
    assert_int_equal(rig_status(r, job, 0).running, 0);
    uint64_t fresh = r->workers[0].epoch;
    r->workers[0].epoch = old;
    rig_result(r, 0, job, 0, rig_outcome(0, 4, 1));
    rig_deliver(r);
    assert_int_equal(rig_status(r, job, 0).completed, 0);
    r->workers[1].epoch = fresh; /* somebody else's */
    rig_result(r, 1, job, 0, rig_outcome(0, 4, 1));
    rig_deliver(r);
    assert_int_equal(r->workers[1].rejoins, 1);
    assert_int_equal(r->scheduler->stats.unknown_epochs, 2);
    assert_int_equal(rig_status(r, job, 0).completed, 0);
    rig_free(&r);
}

/* Outcomes count only for tasks that are held with that attempt. */
static void test_scheduler_stale_outcomes_are_dropped(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 5, 5);
    rig_assign(r);
    rig_result(r, 0, job, 0, rig_outcome(5, 5, 1)); /* never given */
    rig_result(r, 0, job, 0, rig_outcome(0, 5, 2)); /* another attempt */
    rig_result(r, 0, job, 9, rig_outcome(0, 5, 1)); /* another stage */
    rig_result(r, 0, job + 9, 0, rig_outcome(0, 5, 1));
    rig_result(r, 0, job, 0, rig_outcome(1000000000, 1000000000, 1));
    assert_int_equal(r->scheduler->stats.stale_tasks, 1000000020);
    assert_int_equal(rig_status(r, job, 0).completed, 0);
    rig_result(r, 0, job, 0, rig_outcome(3, 5, 1)); /* half of it */
    assert_int_equal(rig_status(r, job, 0).completed, 2);
    rig_free(&r);
}

/* A worker that cannot be reached is lost: its tasks go to another, one attempt higher. */
static void test_scheduler_lost_worker_gives_tasks_back(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 6);
    rig_join(r, 0, 6, 6);
    rig_assign(r);
    rig_result(r, 0, job, 0, rig_outcome(0, 2, 1));
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    rig_deliver(r);
    assert_int_equal(rig_status(r, job, 0).workers, 0);
    rig_join(r, 1, 6, 6);
    rig_assign(r);
    assert_int_equal(r->workers[1].run_count, 1);
    assert_int_equal(r->workers[1].runs[0].first, 2);
    assert_int_equal(r->workers[1].runs[0].count, 4);
    assert_int_equal(r->workers[1].runs[0].value, 2);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* Silence for the lost time, seen in small steps, loses a worker; heartbeats go out before. */
static void test_scheduler_silent_worker_is_lost(void **state) {
    (void)state;
    rig *r = rig_new();
    rig_join(r, 0, 1, 1);
    rig_join(r, 1, 1, 1);
    for (int i = 0; i < 32; i++) {
        r->now_ns += 100 * ZN_NS_PER_MS;
        zn_message beat = { .number = ZN_MSG_HEARTBEAT };
        rig_send(r, 1, beat);
        zn_scheduler_tick(r->scheduler, r->now_ns);
        rig_deliver(r);
    }
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 1);
    assert_in_range(r->workers[0].heartbeats, 2, 3);
    assert_in_range(r->workers[1].heartbeats, 3, 4);
    rig_free(&r);
}

/* A coordinator that did not run itself does not blame its workers for the silence. */
static void test_scheduler_own_pause_loses_nobody(void **state) {
    (void)state;
    rig *r = rig_new();
    rig_join(r, 0, 1, 1);
    r->now_ns += 60 * ZN_NS_PER_S;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 1);
    rig_free(&r);
}

/* A worker that leaves on purpose is gone at once, and its tasks are not counted against it. */
static void test_scheduler_leaving_worker_is_forgotten(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 3);
    rig_join(r, 0, 3, 3);
    rig_assign(r);
    zn_message done = { .number = ZN_MSG_DONE };
    done.done.scope = ZN_DONE_ALL;
    rig_send(r, 0, done);
    rig_deliver(r);
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 0);
    const zn_live_stage *stage = zn_live_job_stage(zn_key_map_get(&r->scheduler->job_map, job), 0);
    assert_int_equal(stage->failures.task_count, 0);
    rig_send(r, 0, done); /* once more: nobody is asked to rejoin who leaves */
    rig_deliver(r);
    assert_int_equal(r->workers[0].rejoins, 0);
    rig_free(&r);
}

/* Results that lay in segments of a lost worker are made again while the stage runs. */
static void test_scheduler_lost_segments_are_made_again(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 4);
    rig_join(r, 0, 3, 3);
    rig_assign(r);
    zn_reference reference = { .segment = zn_bytes_of_text("s1"), .length = 10 };
    zn_counter counter = {
        .name = zn_bytes_of_text("n"), .sum = 5, .min = 5, .max = 5, .count = 1
    };
    zn_outcome away = rig_outcome(0, 1, 1);
    away.reference = &reference;
    away.reference_count = 1;
    away.records_out = 3;
    away.records_in = 4;
    away.counters = &counter;
    away.counters_count = 1;
    rig_result(r, 0, job, 0, away);
    rig_result(r, 0, job, 0, rig_outcome(1, 1, 1)); /* inline: safe */
    assert_int_equal(rig_status(r, job, 0).records_out, 3);
    assert_int_equal(rig_status(r, job, 0).counters[0].sum, 5);
    zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[0].epoch);
    zn_msg_status status = rig_status(r, job, 0);
    assert_int_equal(status.completed, 1);
    assert_int_equal(status.records_out, 0);
    assert_int_equal(status.records_in, 0);
    assert_int_equal(status.counters[0].sum, 0);
    rig_join(r, 1, 1, 4);
    rig_assign(r);
    assert_int_equal(r->workers[1].runs[0].first, 0);
    assert_true(r->workers[1].runs[0].value > 1);
    rig_drain(r);
    assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
    rig_free(&r);
}

/* COMMIT is granted to an attempt that is held, again if asked again, and to no other. */
static void test_scheduler_commit_only_for_held_attempt(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 4);
    rig_join(r, 0, 2, 2);
    rig_assign(r);
    zn_message commit = { .number = ZN_MSG_COMMIT };
    commit.commit = (zn_msg_commit){ .job = job, .task = 1, .attempt = 1 };
    for (int i = 0; i < 2; i++) {
        rig_send(r, 0, commit);
        rig_deliver(r);
        assert_int_equal(r->workers[0].granted, 1);
        r->workers[0].granted = -1;
    }
    const zn_msg_commit wrong[] = { { .job = job, .task = 1, .attempt = 2 },
                                    { .job = job, .task = 2, .attempt = 1 },
                                    { .job = job, .stage = 1, .task = 1, .attempt = 1 },
                                    { .job = job + 1, .task = 1, .attempt = 1 } };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        commit.commit = wrong[i];
        rig_send(r, 0, commit);
        rig_deliver(r);
        assert_int_equal(r->workers[0].granted, 0);
    }
    rig_free(&r);
}

/* Stopping tells every worker, assigns nothing more, and ends when all have left. */
static void test_scheduler_stop_tells_workers(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 100);
    rig_join(r, 0, 2, 2);
    rig_join(r, 1, 1, 2);
    rig_assign(r);
    zn_scheduler_stop(r->scheduler, r->now_ns);
    rig_assign(r);
    assert_true(r->workers[0].done_all && r->workers[1].done_all);
    zn_message done = { .number = ZN_MSG_DONE };
    done.done.scope = ZN_DONE_ALL;
    rig_send(r, 0, done);
    rig_send(r, 1, done);
    rig_deliver(r);
    assert_int_equal(zn_scheduler_worker_count(r->scheduler), 0);
    rig_free(&r);
}

/* Progress makes one event per stage and 5 ms; the end of a stage is told at once. */
static void test_scheduler_events_are_limited(void **state) {
    (void)state;
    rig *r = rig_new();
    uint64_t job = rig_open(r, "job");
    rig_start(r, job, 0, 10);
    rig_join(r, 0, 10, 10);
    rig_assign(r);
    for (uint64_t i = 0; i < 9; i++) {
        rig_result(r, 0, job, 0, rig_outcome(i, 1, 1));
        zn_scheduler_tick(r->scheduler, r->now_ns);
    }
    rig_deliver(r);
    assert_int_equal(r->events, 1);
    assert_true(zn_scheduler_deadline(r->scheduler) <= r->now_ns + 5 * ZN_NS_PER_MS);
    r->now_ns += 5 * ZN_NS_PER_MS;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_deliver(r);
    assert_int_equal(r->events, 2);
    rig_result(r, 0, job, 0, rig_outcome(9, 1, 1));
    rig_deliver(r);
    assert_int_equal(r->events, 3);
    rig_free(&r);
}

/* What no worker sends, and HELLO of somebody else, are refused or counted. */
static void test_scheduler_unexpected_messages_do_nothing(void **state) {
    (void)state;
    rig *r = rig_new();
    zn_message hello = { .number = ZN_MSG_HELLO };
    hello.hello.client = 5;
    hello.hello.role = ZN_ROLE_DRIVER;
    rig_send(r, 0, hello);
    rig_deliver(r);
    assert_int_equal(r->workers[0].refusals, 1);
    zn_message welcome = { .number = ZN_MSG_WELCOME };
    rig_send(r, 0, welcome);
    assert_int_equal(r->scheduler->stats.unexpected, 1);
    assert_int_equal(r->scheduler->outbox.count, 0);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scheduler_one_worker_completes_stage),
        cmocka_unit_test(test_scheduler_credit_bounds_what_is_held),
        cmocka_unit_test(test_scheduler_few_tasks_are_spread),
        cmocka_unit_test(test_scheduler_idle_slots_are_filled),
        cmocka_unit_test(test_scheduler_two_jobs_share_fairly),
        cmocka_unit_test(test_scheduler_single_tasks_rotate),
        cmocka_unit_test(test_scheduler_large_range_stays_small),
        cmocka_unit_test(test_scheduler_sequences_are_kept),
        cmocka_unit_test(test_scheduler_heartbeat_shows_lost_result),
        cmocka_unit_test(test_scheduler_unknown_epoch_gets_rejoin),
        cmocka_unit_test(test_scheduler_stale_outcomes_are_dropped),
        cmocka_unit_test(test_scheduler_lost_worker_gives_tasks_back),
        cmocka_unit_test(test_scheduler_silent_worker_is_lost),
        cmocka_unit_test(test_scheduler_own_pause_loses_nobody),
        cmocka_unit_test(test_scheduler_leaving_worker_is_forgotten),
        cmocka_unit_test(test_scheduler_lost_segments_are_made_again),
        cmocka_unit_test(test_scheduler_commit_only_for_held_attempt),
        cmocka_unit_test(test_scheduler_stop_tells_workers),
        cmocka_unit_test(test_scheduler_events_are_limited),
        cmocka_unit_test(test_scheduler_unexpected_messages_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
