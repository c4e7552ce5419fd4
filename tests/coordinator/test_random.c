/* SPDX-License-Identifier: MPL-2.0 */
/* A long random life of a cluster: workers join, freeze, leave and are lost, messages are repeated
 * and lost, tasks fail, jobs are cancelled and closed, time passes. Invariants are checked after
 * every step, and in the end every job that nobody ended must be complete. ZONDA_SEED chooses the
 * run; the seed is printed. */
#include "rig.h"

#include "base/clock.h"

enum {
    STEPS = 20000,
    JOBS = 6
};

typedef struct life {
    rig *r;
    uint64_t seed;
    uint64_t jobs[JOBS]; /* 0: none */
    uint64_t stages[JOBS];
    bool cancelled[JOBS];
    bool ended[JOBS];   /* while a stage ran */
    bool limited[JOBS]; /* its last stage */
    uint64_t completed_jobs;
    uint64_t limited_jobs;
    uint64_t failed_jobs;
} life;

static uint32_t roll(life *l, uint32_t sides) {
    l->seed = l->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(l->seed >> 33) % sides;
}

/* Closes the job with DONE from everybody and makes room for another. */
static void close_job(life *l, size_t index) {
    rig *r = l->r;
    uint64_t job = l->jobs[index];
    while (rig_close(r, job) > 0) {
        rig_deliver(r);
        for (size_t i = 0; i < RIG_WORKERS; i++) {
            zn_message done = { .number = ZN_MSG_DONE };
            done.done.job = job;
            rig_send(r, i, done);
            if (r->workers[i].epoch == 0) { /* it was asked to, perhaps */
                rig_join(r, i, 2, 5);
            }
        }
        if (roll(l, 3) == 0) {
            uint64_t epoch = r->workers[roll(l, RIG_WORKERS)].epoch;
            zn_scheduler_unreachable(r->scheduler, r->now_ns, epoch);
        }
    }
    l->jobs[index] = 0;
}

/* Starts a stage that reads the one before it, half of them with a limit. */
static void start_stage(life *l, size_t index, uint64_t stage) {
    zn_message start = rig_start_message(l->r, l->jobs[index], stage, 1 + roll(l, 100));
    start.start_stage.limit = roll(l, 2) * roll(l, 60);
    l->limited[index] = start.start_stage.limit > 0;
    zn_stage_input input = { .stage = stage - 1, .by = roll(l, 2) };
    start.start_stage.inputs = &input;
    start.start_stage.inputs_count = stage > 0 ? 1 : 0;
    assert_int_equal(rig_call(l->r, start)->number, ZN_MSG_STAGE_STARTED);
}

static void step_driver(life *l, size_t index) {
    rig *r = l->r;
    if (l->jobs[index] == 0) {
        l->jobs[index] = rig_open(r, "random");
        l->stages[index] = 1;
        l->ended[index] = false;
        l->cancelled[index] = false;
        start_stage(l, index, 0);
        return;
    }
    zn_msg_status status = rig_status(r, l->jobs[index], l->stages[index] - 1);
    if (status.state == ZN_STAGE_RUNNING) {
        assert_false(l->ended[index]);
        assert_true(status.completed < status.total);
    } else if (status.state == ZN_STAGE_COMPLETE && l->stages[index] < 3 && !l->cancelled[index]) {
        l->limited_jobs += l->limited[index];
        start_stage(l, index, l->stages[index]++);
    } else {
        l->completed_jobs += status.state == ZN_STAGE_COMPLETE;
        l->failed_jobs += status.state == ZN_STAGE_FAILED;
        close_job(l, index);
    }
}

static void step_cancel(life *l, size_t index) {
    if (l->jobs[index] == 0 || roll(l, 8) > 0) {
        return;
    }
    zn_msg_status status = rig_status(l->r, l->jobs[index], l->stages[index] - 1);
    zn_message cancel = { .number = ZN_MSG_CANCEL_JOB };
    cancel.cancel_job.job = l->jobs[index];
    rig_call(l->r, cancel);
    l->cancelled[index] = true;
    l->ended[index] = l->ended[index] || status.state == ZN_STAGE_RUNNING;
}

/* A task could not read a result of the stage before it, which is there or not. */
static void fail_reading(life *l, size_t worker) {
    rig_worker *w = &l->r->workers[worker];
    zn_task_run run = w->runs[0];
    uint64_t job = w->jobs[0];
    uint64_t stage = w->stages[0];
    zn_failure failure = { .code = ZONDA_ERR_CORRUPT,
                           .has_lost = 1,
                           .lost_stage = stage - 1,
                           .lost_task = roll(l, 40),
                           .lost_attempt = 1 + roll(l, 2),
                           .text = zn_bytes_of_text("it rots") };
    zn_outcome outcome = rig_outcome(run.first, run.count, run.value);
    outcome.failure = &failure;
    outcome.failure_count = 1;
    rig_forget_run(w, 0);
    rig_result(l->r, worker, job, stage, outcome);
}

/* Reports part of what a worker holds, now and then failed, away in a segment, or twice. */
static void step_report(life *l, size_t worker) {
    rig *r = l->r;
    rig_worker *w = &r->workers[worker];
    if (w->run_count == 0) {
        return;
    }
    if (roll(l, 100) == 0) {
        static const zonda_err codes[] = { ZONDA_ERR_USER, ZONDA_ERR_WORKER_LOST,
                                           ZONDA_ERR_DISK_FULL };
        zonda_err code = codes[roll(l, 3)];
        if (roll(l, 3) > 0 && w->stages[0] > 0) {
            fail_reading(l, worker);
            return;
        }
        rig_fail_first(r, worker, code, roll(l, 4) == 0);
        return;
    }
    size_t index = roll(l, (uint32_t)w->run_count);
    zn_task_run run = w->runs[index];
    zn_reference reference = { .segment = zn_bytes_of_text("s"), .length = 1 };
    zn_outcome outcome = rig_outcome(run.first, 1 + roll(l, run.count), run.value);
    outcome.records_out = roll(l, 3);
    zn_part parts[] = { { roll(l, 120), roll(l, 50) }, { roll(l, 120), roll(l, 9) } };
    if (roll(l, 3) == 0) {
        outcome.reference = &reference;
        outcome.reference_count = 1;
        outcome.parts = parts;
        outcome.parts_count = roll(l, 3);
    }
    uint64_t job = w->jobs[index];
    uint64_t stage = w->stages[index];
    w->runs[index].first += (uint32_t)outcome.count;
    w->runs[index].count -= (uint32_t)outcome.count;
    if (w->runs[index].count == 0) {
        rig_forget_run(w, index);
    }
    rig_result(r, worker, job, stage, outcome);
    if (roll(l, 20) == 0) {
        w->sent--; /* the same message again */
        rig_result(r, worker, job, stage, outcome);
    }
}

static void step_trouble(life *l, size_t worker) {
    rig *r = l->r;
    rig_worker *w = &r->workers[worker];
    zn_message message = { .number = ZN_MSG_DONE };
    switch (roll(l, 6)) {
    case 0: /* its connection is gone */
        zn_scheduler_unreachable(r->scheduler, r->now_ns, w->epoch);
        break;
    case 1: /* it leaves */
        message.done.scope = ZN_DONE_ALL;
        rig_send(r, worker, message);
        break;
    case 2: /* a RESULT is lost */
        w->sent++;
        break;
    case 3: /* less or more credit */
        message.number = ZN_MSG_CREDIT;
        message.credit.tasks = roll(l, 30);
        rig_send(r, worker, message);
        break;
    case 4: /* a late message of an old epoch */
        message.number = ZN_MSG_HEARTBEAT;
        message.heartbeat.epoch = 7;
        zn_scheduler_message(r->scheduler, r->now_ns, &w->peer, &message);
        break;
    default:
        message.number = ZN_MSG_COMMIT;
        message.commit = (zn_msg_commit){ .job = l->jobs[0], .task = roll(l, 50), .attempt = 1 };
        rig_send(r, worker, message);
        break;
    }
    rig_deliver(r);
}

static void step_time(life *l) {
    rig *r = l->r;
    r->now_ns += (1 + roll(l, 400)) * ZN_NS_PER_MS;
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        zn_message beat = { .number = ZN_MSG_HEARTBEAT };
        beat.heartbeat.sent = r->workers[i].sent;
        if (roll(l, 3) > 0) {
            rig_send(r, i, beat);
        }
    }
    zn_scheduler_tick(r->scheduler, r->now_ns);
    rig_deliver(r);
}

static void step(life *l) {
    size_t worker = roll(l, RIG_WORKERS);
    size_t job = roll(l, JOBS);
    uint32_t what = roll(l, 100);
    if (what < 50) {
        step_report(l, worker);
    } else if (what < 65) {
        step_driver(l, job);
    } else if (what < 66) {
        step_cancel(l, job);
    } else if (what < 68) {
        step_trouble(l, worker);
    } else if (what < 72) {
        rig_join(l->r, worker, 1 + roll(l, 4), 1 + roll(l, 20));
    } else if (what < 76) {
        step_time(l);
    } else {
        rig_assign(l->r);
    }
}

/* Brings all workers into order and runs everything to its end. */
static void settle(life *l) {
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        rig_join(l->r, i, 2, 50);
    }
    rig_drain(l->r);
    for (size_t i = 0; i < JOBS; i++) {
        if (l->jobs[i] != 0) {
            zn_msg_status status = rig_status(l->r, l->jobs[i], l->stages[i] - 1);
            bool failed = status.state == ZN_STAGE_FAILED;
            assert_int_equal(status.state, failed        ? ZN_STAGE_FAILED
                                           : l->ended[i] ? ZN_STAGE_CANCELLED
                                                         : ZN_STAGE_COMPLETE);
            assert_int_equal(status.running, 0);
            close_job(l, i);
        }
    }
}

/* Nothing is ever lost, doubled or stuck in 20,000 random steps. */
static void test_random_life_keeps_invariants(void **state) {
    (void)state;
    const char *given = getenv("ZONDA_SEED");
    life l = { .seed = given != NULL ? strtoull(given, NULL, 10) : 20240607, .r = rig_new() };
    print_message("seed %llu\n", (unsigned long long)l.seed);
    for (int i = 0; i < STEPS; i++) {
        step(&l);
    }
    settle(&l);
    assert_int_equal(l.r->scheduler->job_map.count, 0);
    assert_int_equal(l.r->scheduler->running, 0);
    assert_int_equal(l.r->scheduler->pending, 0);
    assert_int_equal(zn_blob_store_used(l.r->scheduler->blobs), 0);
    assert_true(l.completed_jobs > 5);
    assert_true(l.failed_jobs > 0);
    assert_true(l.limited_jobs > 0);
    assert_true(l.r->scheduler->stats.remade_tasks > 0);
    assert_true(l.r->scheduler->stats.gaps > 0);
    assert_true(l.r->scheduler->stats.duplicates > 0);
    assert_true(l.r->scheduler->stats.unknown_epochs > 0);
    print_message("%llu jobs complete, %llu failed, %llu gaps\n",
                  (unsigned long long)l.completed_jobs, (unsigned long long)l.failed_jobs,
                  (unsigned long long)l.r->scheduler->stats.gaps);
    rig_free(&l.r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_life_keeps_invariants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
