/* SPDX-License-Identifier: MPL-2.0 */
/* The worker's core by scripted events: the test is both the coordinator and the slots, and every
 * step is followed by the check of the invariants. */
#include "manager_rig.h"

#include "base/clock.h"

/* The table of the registration, written down a second time and independently: what a reader of
 * docs/ARCHITECTURE.md expects in every state. */
static void test_registration_every_cell_is_as_documented(void **state) {
    (void)state;
    static const char *const expected[ZN_REGISTRATION_STATES] = {
        /* FOUND WELCOMED CURRENT REJOIN GAP SILENCE REFUSED DONE_ALL STOP EMPTY */
        [ZN_REGISTRATION_LOOKING] = "jA...lF.L.",    [ZN_REGISTRATION_JOINING] = ".A...lF.L.",
        [ZN_REGISTRATION_REGISTERED] = ".AajjlFLL.", [ZN_REGISTRATION_LEAVING] = ".........E",
        [ZN_REGISTRATION_ENDED] = "..........",
    };
    static const struct {
        char letter;
        zn_registration_reaction reaction;
        zn_registration_state next;
    } meanings[] = {
        { 'a', ZN_REACT_ACCEPT, ZN_REGISTRATION_REGISTERED },
        { 'A', ZN_REACT_ADOPT, ZN_REGISTRATION_REGISTERED },
        { 'j', ZN_REACT_JOIN, ZN_REGISTRATION_JOINING },
        { 'l', ZN_REACT_LOOK, ZN_REGISTRATION_LOOKING },
        { 'L', ZN_REACT_LEAVE, ZN_REGISTRATION_LEAVING },
        { 'F', ZN_REACT_FAIL, ZN_REGISTRATION_LEAVING },
        { 'E', ZN_REACT_END, ZN_REGISTRATION_ENDED },
    };
    for (unsigned from = 0; from < ZN_REGISTRATION_STATES; from++) {
        for (unsigned event = 0; event < ZN_REGISTRATION_EVENTS; event++) {
            zn_registration_cell cell = zn_registration_step(from, event);
            char letter = expected[from][event];
            zn_registration_state next = (zn_registration_state)from;
            zn_registration_reaction reaction = ZN_REACT_IGNORE;
            for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
                if (meanings[i].letter == letter) {
                    next = meanings[i].next;
                    reaction = meanings[i].reaction;
                }
            }
            assert_int_equal(cell.next, next);
            assert_int_equal(cell.reaction, reaction);
        }
    }
}

/* The way in: control first, then work, then credit for one task per slot. */
static void test_slot_manager_start_finds_joins_and_gives_credit(void **state) {
    (void)state;
    manager_rig rig;
    rig_open(&rig, 2, true);
    assert_non_null(rig_action(&rig, ZN_ACTION_SEND_CONTROL));
    assert_int_equal(rig_count(&rig, ZN_ACTION_START_SLOT), 2);
    rig_step(&rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND });
    const zn_message *hello = rig_work(&rig, ZN_MSG_HELLO);
    assert_int_equal(hello->hello.role, ZN_ROLE_WORKER);
    assert_int_equal(hello->hello.slots, 2);
    assert_int_equal(hello->hello.client, 99);
    assert_true(zn_bytes_equal(hello->hello.folder, zn_bytes_of_text("/f")));
    assert_true(zn_bytes_equal(hello->hello.machine, zn_bytes_of_text("m")));
    rig_welcome(&rig, 5);
    assert_int_equal(rig_work(&rig, ZN_MSG_CREDIT)->credit.tasks, 2);
    assert_int_equal(rig_work(&rig, ZN_MSG_CREDIT)->credit.epoch, 5);
    rig_close(&rig);
}

/* HELLO is said again ever less often, but at least once a second, until somebody answers. */
static void test_slot_manager_no_welcome_repeats_hello_with_backoff(void **state) {
    (void)state;
    manager_rig rig;
    rig_open(&rig, 1, true);
    rig_step(&rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND });
    unsigned hellos = 0;
    for (int ms = 0; ms < 2900; ms += 10) {
        rig_tick(&rig, 10);
        hellos += rig_work(&rig, ZN_MSG_HELLO) != NULL;
    }
    assert_in_range(hellos, 4, 5);
    unsigned lookups = 0;
    for (int ms = 0; ms < 5000; ms += 10) {
        rig_tick(&rig, 10);
        lookups += rig_count(&rig, ZN_ACTION_SEND_CONTROL);
    }
    assert_in_range(lookups, 5, 9);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LOOKING);
    rig_close(&rig);
}

/* A few tasks are spread over all slots; a slot gets more only after it has reported. */
static void test_slot_manager_few_tasks_are_spread_over_slots(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 4, 1);
    rig_give(&rig, 1, 1, 0, 6, 1);
    assert_int_equal(rig_count(&rig, ZN_ACTION_SEND_SLOT), 4);
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_int_equal(rig.model[slot].count, 1);
    }
    rig_report_all(&rig, 2);
    assert_int_equal(rig.model[2].count, 1);
    assert_int_equal(zn_slot_manager_held(rig.manager), 5);
    rig_close(&rig);
}

/* A job whose tasks wait in numbers does not hold up another one. */
static void test_slot_manager_stages_take_turns(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 0, 100, 1);
    rig_give(&rig, 2, 2, 500, 100, 1);
    unsigned turns[3] = { 0 };
    for (int i = 0; i < 8; i++) {
        turns[rig.model[0].chunks[0].job] += 1;
        rig.now_ns += 20 * ZN_NS_PER_MS;
        rig_report_all(&rig, 0);
    }
    assert_in_range(turns[1], 3, 5);
    assert_in_range(turns[2], 3, 5);
    rig_close(&rig);
}

/* A credit that the socket does not take is offered again with a heartbeat, not without end. */
static void test_slot_manager_unsent_credit_waits_for_the_heartbeat(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 5);
    zn_message credit = { .number = ZN_MSG_CREDIT, .credit = { .epoch = 5, .tasks = 1 } };
    rig_step(&rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_UNSENT, .message = &credit });
    assert_null(rig_work(&rig, ZN_MSG_CREDIT));
    rig_tick(&rig, ZN_HEARTBEAT_MS);
    assert_non_null(rig_work(&rig, ZN_MSG_CREDIT));
    rig_close(&rig);
}

/* Short tasks travel in larger and larger chunks, two per slot; credit follows. */
static void test_slot_manager_short_tasks_grow_chunks_and_credit(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    uint32_t largest = 0;
    uint64_t credit = 1;
    uint64_t next = 0;
    for (uint64_t sequence = 1; sequence < 200; sequence++) {
        uint64_t room = credit - zn_slot_manager_held(rig.manager);
        rig_give(&rig, sequence, 1, next, room == 0 ? 1 : room, 1);
        next += room == 0 ? 1 : room;
        credit = rig_credit(&rig, credit);
        while (rig.model[0].count > 0) {
            uint32_t tasks = rig.model[0].chunks[0].tasks;
            largest = tasks > largest ? tasks : largest;
            assert_in_range(tasks, 1, 1024);
            rig.now_ns += tasks * 10000;
            rig_report_all(&rig, 0);
            credit = rig_credit(&rig, credit);
        }
    }
    assert_in_range(largest, 300, 400);
    assert_in_range(credit, 1200, 1600);
    rig_close(&rig);
}

/* Long tasks: one per slot, and nothing waits here that could run elsewhere. */
static void test_slot_manager_long_tasks_are_not_prefetched(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 2, 1);
    for (uint64_t i = 0; i < 8; i++) {
        rig_give(&rig, i + 1, 1, i, 1, 1);
        rig.now_ns += 80 * ZN_NS_PER_MS;
        rig_report_all(&rig, 0);
        assert_int_equal(rig_credit(&rig, 2), 2);
    }
    rig_close(&rig);
}

/* The same TASK twice is taken once; one that skips a number ends the epoch, and no work. */
static void test_slot_manager_sequence_repeated_is_dropped_gap_gives_up_epoch(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 0, 3, 1);
    rig_give(&rig, 1, 1, 0, 3, 1);
    assert_int_equal(zn_slot_manager_held(rig.manager), 3);
    assert_int_equal(zn_slot_manager_totals(rig.manager).received, 3);
    rig_give(&rig, 3, 1, 10, 3, 1);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_JOINING);
    assert_int_equal(zn_slot_manager_held(rig.manager), 3);
    assert_int_equal(rig_work(&rig, ZN_MSG_HELLO)->hello.epoch, 1);
    assert_int_equal(rig_count(&rig, ZN_ACTION_CANCEL_CHUNK), 0);
    rig_close(&rig);
}

/* A last TASK that was lost shows after one heartbeat of grace. */
static void test_slot_manager_heartbeat_ahead_twice_is_a_gap(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_heartbeat(&rig, 1);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_REGISTERED);
    rig_heartbeat(&rig, 1);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_JOINING);
    rig_close(&rig);
}

/* More tasks than a worker may hold, or runs that make no sense, are not taken. */
static void test_slot_manager_impossible_runs_give_up_epoch(void **state) {
    (void)state;
    static const zn_run runs[] = {
        { .first = 0, .count = ZN_CREDIT_TASKS_MAX + 1, .attempt = 1 },
        { .first = 0, .count = 0, .attempt = 1 },
        { .first = 0, .count = 1, .attempt = 0 },
        { .first = ZN_STAGE_TASKS_MAX, .count = 1, .attempt = 1 },
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        manager_rig rig;
        rig_register(&rig, 1, 1);
        rig_give(&rig, 1, 1, runs[i].first, runs[i].count, (uint32_t)runs[i].attempt);
        assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_JOINING);
        rig_close(&rig);
    }
}

/* Results of several slots travel in one message with the worker's own sequence. */
static void test_slot_manager_results_are_batched_and_numbered(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 2, 3);
    rig_give(&rig, 1, 1, 0, 2, 1);
    rig_report_all(&rig, 0);
    assert_null(rig_work(&rig, ZN_MSG_RESULT));
    rig_report_all(&rig, 1);
    rig_flush(&rig);
    const zn_message *result = rig_work(&rig, ZN_MSG_RESULT);
    assert_int_equal(result->outcomes.sequence, 1);
    assert_int_equal(result->outcomes.epoch, 3);
    assert_int_equal(result->outcomes.outcomes_count, 1);
    assert_int_equal(result->outcomes.outcomes[0].count, 2);
    rig_flush(&rig);
    assert_null(rig_work(&rig, ZN_MSG_RESULT));
    rig_close(&rig);
}

/* A slot that dies costs the task that it ran and nothing else. */
static void test_slot_manager_slot_death_fails_only_the_running_task(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_teach_short_tasks(&rig, 1);
    rig_give(&rig, rig.received + 1, 1, 100, 3, 1);
    assert_int_equal(rig.model[0].chunks[0].tasks, 3);
    rig_die(&rig, 0, rig.model[0].chunks[0].sequence, 2);
    rig_flush(&rig);
    const zn_message *result = rig_work(&rig, ZN_MSG_RESULT);
    assert_int_equal(result->outcomes.outcomes_count, 1);
    const zn_outcome *outcome = &result->outcomes.outcomes[0];
    assert_int_equal(outcome->first, 101);
    assert_int_equal(outcome->failure[0].code, ZONDA_ERR_CRASH);
    assert_int_equal(outcome->failure[0].shard, 101);
    assert_int_equal(zn_slot_manager_held(rig.manager), 2);
    rig_tick(&rig, 1);
    assert_int_equal(rig_count(&rig, ZN_ACTION_START_SLOT), 1);
    rig_ready(&rig, 0);
    /* First the temporaries of the dead attempt, then the others with the attempt that they had. */
    assert_int_equal(rig.model[0].chunks[0].epoch, 0);
    assert_int_equal(rig.model[0].chunks[0].first, 101);
    rig_end_chunk(&rig, 0);
    assert_int_equal(rig.model[0].chunks[0].first, 100);
    assert_int_equal(rig.model[0].chunks[0].attempt, 1);
    rig_close(&rig);
}

/* A slot that dies at once again and again is started ever less often. */
static void test_slot_manager_repeated_death_backs_off(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    unsigned starts = 0;
    for (int ms = 0; ms < 20000; ms += 20) {
        rig_tick(&rig, 20);
        if (rig_count(&rig, ZN_ACTION_START_SLOT) > 0) {
            starts += 1;
        }
        rig_heartbeat(&rig, 0);
        rig_die(&rig, 0, 0, 0);
    }
    assert_in_range(starts, 5, 12);
    rig_close(&rig);
}

/* COMMIT goes to the coordinator, again with each heartbeat, until it is answered. */
static void test_slot_manager_commit_is_relayed_and_repeated(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 4, 1, 2);
    rig_commit(&rig, 0, 1, 4, 2);
    assert_int_equal(rig_work(&rig, ZN_MSG_COMMIT)->commit.task, 4);
    rig_tick(&rig, 1000);
    assert_non_null(rig_work(&rig, ZN_MSG_HEARTBEAT));
    assert_int_equal(rig_work(&rig, ZN_MSG_COMMIT)->commit.attempt, 2);
    zn_message verdict = { .number = ZN_MSG_COMMITTED };
    verdict.committed =
        (zn_msg_committed){ .epoch = 1, .job = 1, .task = 4, .attempt = 2, .granted = 1 };
    rig_message(&rig, &verdict);
    assert_int_equal(rig_slot(&rig, 0, ZN_MSG_COMMITTED)->committed.granted, 1);
    rig_tick(&rig, 1000);
    assert_null(rig_work(&rig, ZN_MSG_COMMIT));
    /* An attempt that is not held here is told no without a question. */
    rig_commit(&rig, 0, 1, 5, 1);
    assert_null(rig_work(&rig, ZN_MSG_COMMIT));
    assert_int_equal(rig_slot(&rig, 0, ZN_MSG_COMMITTED)->committed.granted, 0);
    rig_close(&rig);
}

/* CANCEL: queued tasks are forgotten, running ones told; one that does not end is killed. */
static void test_slot_manager_cancel_ends_attempts_and_kills_after_grace(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 0, 5, 1);
    zn_message cancel = { .number = ZN_MSG_CANCEL, .cancel = { .epoch = 1, .job = 1 } };
    rig_message(&rig, &cancel);
    assert_int_equal(rig_count(&rig, ZN_ACTION_CANCEL_CHUNK), 1);
    assert_int_equal(zn_slot_manager_held(rig.manager), 0);
    rig_tick(&rig, 1900);
    assert_int_equal(rig_count(&rig, ZN_ACTION_KILL_SLOT), 0);
    rig_tick(&rig, 200);
    assert_int_equal(rig_count(&rig, ZN_ACTION_KILL_SLOT), 1);
    rig_tick(&rig, 200);
    assert_int_equal(rig_count(&rig, ZN_ACTION_KILL_SLOT), 0);
    rig_die(&rig, 0, 1, 1);
    rig_flush(&rig);
    assert_null(rig_work(&rig, ZN_MSG_RESULT));
    /* DONE has to wait until the killed attempt was swept. */
    rig_done(&rig, 1);
    assert_null(rig_work(&rig, ZN_MSG_DONE));
    rig_tick(&rig, 1);
    rig_ready(&rig, 0);
    assert_int_equal(rig.model[0].chunks[0].epoch, 0);
    rig_end_chunk(&rig, 0);
    assert_non_null(rig_slot(&rig, 0, ZN_MSG_DONE));
    assert_null(rig_work(&rig, ZN_MSG_DONE));
    rig_slot_done(&rig, 0, 1);
    assert_int_equal(rig_work(&rig, ZN_MSG_DONE)->done.job, 1);
    assert_int_equal(rig_count(&rig, ZN_ACTION_REMOVE_JOB), 1);
    rig_close(&rig);
}

/* DONE is answered when every slot that knew the job has answered, and again when asked again. */
static void test_slot_manager_done_waits_for_slots(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 3, 1);
    rig_give(&rig, 1, 1, 0, 2, 1);
    rig_report_all(&rig, 0);
    rig_done(&rig, 1);
    assert_non_null(rig_slot(&rig, 0, ZN_MSG_DONE));
    assert_non_null(rig_slot(&rig, 1, ZN_MSG_DONE));
    assert_null(rig_slot(&rig, 2, ZN_MSG_DONE));
    rig_slot_done(&rig, 0, 1);
    assert_null(rig_work(&rig, ZN_MSG_DONE));
    rig_done(&rig, 1);
    assert_null(rig_work(&rig, ZN_MSG_DONE));
    rig_end_chunk(&rig, 1);
    rig_slot_done(&rig, 1, 1);
    assert_non_null(rig_work(&rig, ZN_MSG_DONE));
    assert_int_equal(rig_count(&rig, ZN_ACTION_FORGET_BLOBS), 1);
    rig_done(&rig, 1);
    assert_non_null(rig_work(&rig, ZN_MSG_DONE));
    rig_done(&rig, 77);
    assert_int_equal(rig_work(&rig, ZN_MSG_DONE)->done.job, 77);
    rig_close(&rig);
}

/* A coordinator of another cluster: everything is dropped. Of the jobs that were closed so, a
 * bounded number is remembered, since attempts that ran may have left segments behind. */
static void test_slot_manager_other_cluster_drops_everything(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    for (uint64_t job = 1; job <= 100; job++) {
        rig_give(&rig, job, job, 0, 1, 1);
    }
    rig.cluster = 2;
    rig_welcome(&rig, 50);
    assert_int_equal(rig_count(&rig, ZN_ACTION_REMOVE_ALL), 1);
    assert_int_equal(rig_count(&rig, ZN_ACTION_CANCEL_CHUNK), 1);
    assert_null(rig_work(&rig, ZN_MSG_HOLDING));
    assert_int_equal(zn_slot_manager_held(rig.manager), 0);
    uint64_t removed = rig_count(&rig, ZN_ACTION_REMOVE_JOB);
    rig_end_chunk(&rig, 0);
    rig_slot_done(&rig, 0, 1);
    removed += rig_count(&rig, ZN_ACTION_REMOVE_JOB);
    assert_int_equal(removed, 100 - 64);
    rig_done(&rig, 1);
    assert_int_equal(rig_action(&rig, ZN_ACTION_REMOVE_JOB)->job.value, 1);
    rig_close(&rig);
}

/* Silence of the coordinator: it is looked for, and tasks go on. */
static void test_slot_manager_silence_looks_for_coordinator(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_give(&rig, 1, 1, 0, 2, 1);
    for (int ms = 0; ms < 2500; ms += 500) {
        rig_tick(&rig, 500);
    }
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_REGISTERED);
    rig_tick(&rig, 600);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LOOKING);
    assert_int_equal(rig_count(&rig, ZN_ACTION_SEND_CONTROL), 1);
    assert_int_equal(zn_slot_manager_held(rig.manager), 2);
    rig_report_all(&rig, 0);
    assert_int_equal(rig.model[0].count, 1);
    rig_close(&rig);
}

/* A worker that did not run itself for a while does not take that for silence. */
static void test_slot_manager_own_pause_is_not_silence(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    rig_tick(&rig, 10000);
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_REGISTERED);
    for (int ms = 0; ms < 3000; ms += 500) {
        rig_tick(&rig, 500);
    }
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LOOKING);
    rig_close(&rig);
}

/* Another version can never work: the worker ends with that error. */
static void test_slot_manager_version_refusal_ends_with_error(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 1, 1);
    zonda_error error = { 0 };
    zn_error_set(&error, ZONDA_ERR_VERSION, "they speak 9");
    rig_step(&rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_REFUSED, .error = &error });
    assert_int_equal(zn_slot_manager_state(rig.manager), ZN_REGISTRATION_LEAVING);
    assert_non_null(rig_slot(&rig, 0, ZN_MSG_DONE));
    rig_slot_end(&rig, 0);
    assert_int_equal(rig_action(&rig, ZN_ACTION_END)->code, ZONDA_ERR_VERSION);
    assert_err(zn_slot_manager_reason(rig.manager)->code, VERSION);
    rig_close(&rig);
}

/* A regular stop: results that are there go out, then the good-bye, then the slots end. */
static void test_slot_manager_stop_says_good_bye(void **state) {
    (void)state;
    manager_rig rig;
    rig_register(&rig, 2, 1);
    rig_give(&rig, 1, 1, 0, 2, 1);
    rig_report_all(&rig, 0);
    rig_step(&rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_STOP });
    assert_non_null(rig_work(&rig, ZN_MSG_RESULT));
    assert_int_equal(rig_work(&rig, ZN_MSG_DONE)->done.scope, ZN_DONE_ALL);
    rig_slot_end(&rig, 0);
    assert_null(rig_action(&rig, ZN_ACTION_END));
    rig_tick(&rig, 2100);
    assert_int_equal(rig_count(&rig, ZN_ACTION_KILL_SLOT), 1);
    rig_die(&rig, 1, 1, 1);
    assert_int_equal(rig_action(&rig, ZN_ACTION_END)->code, ZONDA_OK);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registration_every_cell_is_as_documented),
        cmocka_unit_test(test_slot_manager_start_finds_joins_and_gives_credit),
        cmocka_unit_test(test_slot_manager_unsent_credit_waits_for_the_heartbeat),
        cmocka_unit_test(test_slot_manager_no_welcome_repeats_hello_with_backoff),
        cmocka_unit_test(test_slot_manager_few_tasks_are_spread_over_slots),
        cmocka_unit_test(test_slot_manager_stages_take_turns),
        cmocka_unit_test(test_slot_manager_short_tasks_grow_chunks_and_credit),
        cmocka_unit_test(test_slot_manager_long_tasks_are_not_prefetched),
        cmocka_unit_test(test_slot_manager_sequence_repeated_is_dropped_gap_gives_up_epoch),
        cmocka_unit_test(test_slot_manager_heartbeat_ahead_twice_is_a_gap),
        cmocka_unit_test(test_slot_manager_impossible_runs_give_up_epoch),
        cmocka_unit_test(test_slot_manager_results_are_batched_and_numbered),
        cmocka_unit_test(test_slot_manager_slot_death_fails_only_the_running_task),
        cmocka_unit_test(test_slot_manager_repeated_death_backs_off),
        cmocka_unit_test(test_slot_manager_commit_is_relayed_and_repeated),
        cmocka_unit_test(test_slot_manager_cancel_ends_attempts_and_kills_after_grace),
        cmocka_unit_test(test_slot_manager_done_waits_for_slots),
        cmocka_unit_test(test_slot_manager_other_cluster_drops_everything),
        cmocka_unit_test(test_slot_manager_silence_looks_for_coordinator),
        cmocka_unit_test(test_slot_manager_own_pause_is_not_silence),
        cmocka_unit_test(test_slot_manager_version_refusal_ends_with_error),
        cmocka_unit_test(test_slot_manager_stop_says_good_bye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
