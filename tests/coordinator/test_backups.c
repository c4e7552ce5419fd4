/* SPDX-License-Identifier: MPL-2.0 */
/* Second attempts of slow tasks: a stage on simulated workers with slots, some of them slow, under
 * a simulated clock; and what becomes of two attempts in every order of their ends. */
#include "rig.h"

#include "base/clock.h"

enum {
    SLOTS_MAX = 8,
    TASK_MS = 200,
    STEP_MS = 10
};

typedef struct slot {
    bool busy;
    uint32_t task;
    uint64_t attempt;
    uint64_t began_ns;
    uint64_t end_ns;
} slot;

/* A cluster that runs one stage, and what is slow in it. */
typedef struct scene {
    rig *r;
    uint64_t job;
    uint32_t workers;
    uint32_t slots; /* of each worker */
    uint32_t tasks;
    slot table[RIG_WORKERS][SLOTS_MAX];
    uint32_t (*factor)(uint32_t worker, uint32_t index, uint32_t task, uint64_t attempt);
    uint32_t second_attempts;
} scene;

static uint32_t slow_slot(uint32_t worker, uint32_t index, uint32_t task, uint64_t attempt) {
    (void)task;
    (void)attempt;
    return worker == 0 && index == 1 ? 10 : 1;
}

static uint32_t slow_worker(uint32_t worker, uint32_t index, uint32_t task, uint64_t attempt) {
    (void)index;
    (void)task;
    (void)attempt;
    return worker == 1 ? 10 : 1;
}

static uint32_t slow_hundredth(uint32_t worker, uint32_t index, uint32_t task, uint64_t attempt) {
    (void)worker;
    (void)index;
    return task % 100 == 99 && attempt == 1 ? 20 : 1;
}

static bool still_has(const rig_worker *w, const slot *s) {
    for (size_t i = 0; i < w->run_count; i++) {
        if (w->runs[i].first == s->task && w->runs[i].value == s->attempt) {
            return true;
        }
    }
    return false;
}

static void report(scene *c, uint32_t worker, slot *s) {
    rig_worker *w = &c->r->workers[worker];
    for (size_t i = w->run_count; i > 0; i--) {
        if (w->runs[i - 1].first == s->task && w->runs[i - 1].value == s->attempt) {
            rig_forget_run(w, i - 1);
        }
    }
    zn_outcome outcome = rig_outcome(s->task, 1, s->attempt);
    zn_message message = { .number = ZN_MSG_RESULT };
    message.outcomes = (zn_msg_outcomes){ .sequence = ++w->sent,
                                          .job = c->job,
                                          .outcomes = &outcome,
                                          .outcomes_count = 1,
                                          .spent_us = (c->r->now_ns - s->began_ns) / 1000 };
    s->busy = false;
    rig_send(c->r, worker, message);
    rig_deliver(c->r);
}

/* A free slot takes the first task of its worker that no slot has. */
static void begin_next(scene *c, uint32_t worker, uint32_t index) {
    const rig_worker *w = &c->r->workers[worker];
    slot *s = &c->table[worker][index];
    for (size_t i = 0; i < w->run_count && !s->busy; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < c->slots; k++) {
            const slot *other = &c->table[worker][k];
            taken = taken || (other->busy && other->task == w->runs[i].first &&
                              other->attempt == w->runs[i].value);
        }
        if (!taken) {
            uint32_t factor = c->factor(worker, index, w->runs[i].first, w->runs[i].value);
            *s = (slot){ true, w->runs[i].first, w->runs[i].value, c->r->now_ns,
                         c->r->now_ns + factor * TASK_MS * ZN_NS_PER_MS };
            c->second_attempts += s->attempt > 1 ? 1 : 0;
        }
    }
}

static void step_slots(scene *c) {
    for (uint32_t i = 0; i < c->workers; i++) {
        for (uint32_t k = 0; k < c->slots; k++) {
            slot *s = &c->table[i][k];
            if (s->busy && !still_has(&c->r->workers[i], s)) {
                s->busy = false; /* withdrawn */
            } else if (s->busy && c->r->now_ns >= s->end_ns) {
                report(c, i, s);
            }
        }
    }
    zn_scheduler_tick(c->r->scheduler, c->r->now_ns);
    zn_scheduler_assign(c->r->scheduler);
    rig_deliver(c->r);
    for (uint32_t i = 0; i < c->workers; i++) {
        for (uint32_t k = 0; k < c->slots; k++) {
            begin_next(c, i, k);
        }
    }
}

static void say_alive(scene *c) {
    for (uint32_t i = 0; i < c->workers; i++) {
        zn_message beat = { .number = ZN_MSG_HEARTBEAT };
        beat.heartbeat.sent = c->r->workers[i].sent;
        rig_send(c->r, i, beat);
    }
}

/* Runs the stage; returns how many task times it took. */
static double run_stage(scene *c, bool backups) {
    zn_msg_open_job options = { .no_backups = backups ? 0 : 1 };
    c->r = rig_new();
    c->job = rig_open_with(c->r, "one", &options);
    rig_start(c->r, c->job, 0, c->tasks);
    for (uint32_t i = 0; i < c->workers; i++) {
        c->r->workers[i].singly = true;
        rig_join(c->r, i, c->slots, c->slots);
    }
    uint64_t began_ns = c->r->now_ns;
    uint64_t steps = 0;
    while (rig_status(c->r, c->job, 0).state == ZN_STAGE_RUNNING) {
        step_slots(c);
        if (++steps % 100 == 0) {
            say_alive(c);
        }
        c->r->now_ns += STEP_MS * ZN_NS_PER_MS;
        assert_true(steps < 100000);
    }
    double took = (double)(c->r->now_ns - began_ns) / (TASK_MS * (double)ZN_NS_PER_MS);
    rig_close(c->r, c->job);
    rig_free(&c->r);
    return took;
}

/* Runs it without and with second attempts, and compares both with the ideal. */
static void compare(scene c, double ideal) {
    scene quiet = c;
    double without = run_stage(&quiet, false) / ideal;
    double with = run_stage(&c, true) / ideal;
    print_message("%.2f of ideal without second attempts, %.2f with %u\n", without, with,
                  c.second_attempts);
    assert_int_equal(quiet.second_attempts, 0);
    assert_true(without > 1.25);
    assert_true(with <= 1.25);
    assert_true(c.second_attempts <= c.workers * c.slots);
}

/* One slot of four is ten times slower. */
static void test_backups_make_up_for_a_slow_slot(void **state) {
    (void)state;
    compare((scene){ .workers = 1, .slots = 4, .tasks = 70, .factor = slow_slot }, 70 / 3.1);
}

/* One worker of three is ten times slower. */
static void test_backups_make_up_for_a_slow_worker(void **state) {
    (void)state;
    compare((scene){ .workers = 3, .slots = 2, .tasks = 48, .factor = slow_worker }, 48 / 4.2);
}

/* One task of a hundred is twenty times slower when it is tried first. */
static void test_backups_make_up_for_slow_attempts(void **state) {
    (void)state;
    compare((scene){ .workers = 2, .slots = 4, .tasks = 400, .factor = slow_hundredth }, 400 / 8.0);
}

/* ---- two attempts at one task ---- */

/* Task 3 of 4 is with worker 0 and, as second attempt, with worker 1. */
static rig *double_up(uint64_t *job) {
    rig *r = rig_new();
    *job = rig_open(r, "one");
    rig_start(r, *job, 0, 4);
    r->workers[0].singly = true;
    rig_join(r, 0, 4, 4);
    rig_assign(r);
    for (uint32_t i = 0; i < 3; i++) {
        zn_outcome outcome = rig_outcome(i, 1, 1);
        zn_message message = { .number = ZN_MSG_RESULT };
        message.outcomes = (zn_msg_outcomes){ .sequence = ++r->workers[0].sent,
                                              .job = *job,
                                              .outcomes = &outcome,
                                              .outcomes_count = 1,
                                              .spent_us = 1000 };
        rig_forget_run(&r->workers[0], 0);
        rig_send(r, 0, message);
    }
    rig_join(r, 1, 1, 1);
    r->now_ns += 500 * ZN_NS_PER_MS;
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_deliver(r);
    assert_int_equal(r->workers[0].run_count, 1);
    assert_int_equal(r->workers[1].run_count, 1);
    assert_int_equal(r->workers[1].runs[0].first, 3);
    assert_int_equal(r->workers[1].runs[0].value, 2);
    return r;
}

static zn_message commit_of(uint64_t job, uint64_t attempt) {
    return (zn_message){ .number = ZN_MSG_COMMIT,
                         .commit = { .job = job, .task = 3, .attempt = attempt } };
}

/* Who ends first wins; the other one is withdrawn, and what it still says is not taken. */
static void test_backups_first_end_wins(void **state) {
    (void)state;
    for (size_t winner = 0; winner < 2; winner++) {
        uint64_t job = 0;
        rig *r = double_up(&job);
        rig_finish_first(r, winner);
        rig_deliver(r);
        assert_int_equal(r->workers[1 - winner].withdrawn, 1);
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
        rig_result(r, 1 - winner, job, 0, rig_outcome(3, 1, winner == 0 ? 2 : 1));
        assert_int_equal(r->scheduler->stats.stale_tasks, 1);
        rig_close(r, job);
        rig_free(&r);
    }
}

/* Notes and snapshots know of both attempts, and of the one that is left: rig_free compares them.
 */
static void test_backups_are_in_notes_and_snapshots(void **state) {
    (void)state;
    for (size_t failing = 0; failing <= 2; failing++) {
        uint64_t job = 0;
        rig *r = double_up(&job);
        if (failing < 2) {
            rig_fail_first(r, failing, ZONDA_ERR_USER, false);
        }
        rig_free(&r);
    }
}

/* One of two fails or is lost: the other one goes on, and the next attempt has a new number. */
static void test_backups_one_failure_leaves_the_other(void **state) {
    (void)state;
    for (size_t failing = 0; failing < 2; failing++) {
        uint64_t job = 0;
        rig *r = double_up(&job);
        rig_fail_first(r, failing, ZONDA_ERR_USER, false);
        rig_assign(r);
        assert_int_equal(rig_held(&r->workers[failing]), 0);
        assert_int_equal(rig_held(&r->workers[1 - failing]), 1);
        rig_fail_first(r, 1 - failing, ZONDA_ERR_USER, false);
        rig_assign(r);
        assert_int_equal(rig_held(&r->workers[0]) + rig_held(&r->workers[1]), 1);
        size_t next = rig_held(&r->workers[0]) > 0 ? 0 : 1;
        assert_int_equal(r->workers[next].runs[0].value, 3); /* 1 and 2 are used */
        rig_fail_first(r, next, ZONDA_ERR_USER, false);      /* the third failure */
        zn_message get = { .number = ZN_MSG_GET_STATUS, .get_status = { .job = job } };
        assert_int_equal(rig_call(r, get)->status.state, ZN_STAGE_FAILED);
        rig_free(&r);
    }
}

static void test_backups_outlive_a_lost_holder(void **state) {
    (void)state;
    for (size_t lost = 0; lost < 2; lost++) {
        uint64_t job = 0;
        rig *r = double_up(&job);
        zn_scheduler_unreachable(r->scheduler, r->now_ns, r->workers[lost].epoch);
        rig_assign(r);
        assert_int_equal(rig_status(r, job, 0).running, 1);
        rig_finish_first(r, 1 - lost);
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
        rig_free(&r);
    }
}

/* Only one attempt may publish: who asks first. The other one is withdrawn at once. */
static void test_backups_one_may_publish(void **state) {
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        uint64_t job = 0;
        rig *r = double_up(&job);
        rig_send(r, first, commit_of(job, first + 1));
        rig_send(r, 1 - first, commit_of(job, 2 - first));
        rig_send(r, first, commit_of(job, first + 1)); /* asked again: the same answer */
        rig_deliver(r);
        assert_int_equal(r->workers[first].granted, 1);
        assert_int_equal(r->workers[1 - first].granted, 0);
        assert_int_equal(r->workers[1 - first].withdrawn, 1);
        rig_finish_first(r, first);
        assert_int_equal(rig_status(r, job, 0).state, ZN_STAGE_COMPLETE);
        rig_free(&r);
    }
}

/* A job that ends withdraws second attempts, too. */
static void test_backups_end_with_their_job(void **state) {
    (void)state;
    uint64_t job = 0;
    rig *r = double_up(&job);
    rig_close(r, job);
    rig_deliver(r);
    assert_int_equal(r->workers[1].withdrawn, 1);
    assert_int_equal(rig_held(&r->workers[0]), 0);
    rig_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backups_make_up_for_a_slow_slot),
        cmocka_unit_test(test_backups_make_up_for_a_slow_worker),
        cmocka_unit_test(test_backups_make_up_for_slow_attempts),
        cmocka_unit_test(test_backups_first_end_wins),
        cmocka_unit_test(test_backups_are_in_notes_and_snapshots),
        cmocka_unit_test(test_backups_one_failure_leaves_the_other),
        cmocka_unit_test(test_backups_outlive_a_lost_holder),
        cmocka_unit_test(test_backups_one_may_publish),
        cmocka_unit_test(test_backups_end_with_their_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
