/* SPDX-License-Identifier: MPL-2.0 */
/* The worker's core under random events, invariants checked after each. Every task must be
 * reported, unless its job was cancelled or an attempt withdrawn, and not twice, unless the worker
 * registered again in between. In each epoch it must say what it still holds, all of it and nothing
 * else. Set ZONDA_SEED to run a seed again. */
#include "manager_rig.h"

#include <inttypes.h>

#include "base/clock.h"

enum {
    STEPS = 20000,
    SLOTS = 4,
    TASKS_MAX = 400000,
    JOBS = 5
};

typedef enum fate {
    FATE_NONE,
    FATE_HELD,
    FATE_REPORTED,
    FATE_GIVEN_UP, /* of another cluster, job cancelled or done, withdrawn */
} fate;

typedef struct world {
    manager_rig rig;
    uint64_t random;
    uint64_t next_task;
    uint64_t epochs;
    uint64_t next_job; /* jobs next_job … next_job + JOBS - 1 are open */
    uint8_t fates[TASKS_MAX];
    uint64_t job_of[TASKS_MAX];
    uint32_t attempt_of[TASKS_MAX];
    uint64_t told[TASKS_MAX]; /* epoch in which it was last reported or named */
    uint64_t reports;
    uint64_t named;
} world;

static uint64_t draw(world *w, uint64_t below) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static bool is_registered(const world *w) {
    return zn_slot_manager_state(w->rig.manager) == ZN_REGISTRATION_REGISTERED;
}

static void give_up(world *w, uint64_t job) {
    for (uint64_t task = 0; task < w->next_task; task++) {
        if (w->fates[task] == FATE_HELD && (job == 0 || w->job_of[task] == job)) {
            w->fates[task] = FATE_GIVEN_UP;
        }
    }
}

static void look_at_result(world *w, const zn_msg_outcomes *result) {
    for (size_t k = 0; k < result->outcomes_count; k++) {
        const zn_outcome *outcome = &result->outcomes[k];
        for (uint64_t t = outcome->first; t < outcome->first + outcome->count; t++) {
            assert_true(t < w->next_task && w->job_of[t] == result->job);
            assert_true(w->fates[t] != FATE_REPORTED || w->told[t] < result->epoch);
            w->told[t] = result->epoch;
            w->fates[t] = w->fates[t] == FATE_HELD ? FATE_REPORTED : w->fates[t];
            w->reports += 1;
        }
    }
}

static void look_at_holding(world *w, const zn_msg_holding *holding) {
    for (size_t k = 0; k < holding->runs_count; k++) {
        const zn_run *run = &holding->runs[k];
        for (uint64_t t = run->first; t < run->first + run->count; t++) {
            assert_true(t < w->next_task && w->job_of[t] == holding->job);
            assert_int_equal(w->fates[t], FATE_HELD);
            assert_int_equal(w->attempt_of[t], run->attempt);
            assert_true(w->told[t] < holding->epoch);
            w->told[t] = holding->epoch;
            w->named += 1;
        }
    }
}

static void look_at_results(world *w) {
    for (size_t i = 0; i < w->rig.outbox.count; i++) {
        const zn_action *action = &w->rig.outbox.items[i];
        if (action->kind == ZN_ACTION_SEND_WORK && action->message.number == ZN_MSG_RESULT) {
            look_at_result(w, &action->message.outcomes);
        } else if (action->kind == ZN_ACTION_SEND_WORK &&
                   action->message.number == ZN_MSG_HOLDING) {
            look_at_holding(w, &action->message.holding);
        }
    }
    zn_outbox_clear(&w->rig.outbox);
}

static void after_step(world *w) {
    look_at_results(w);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (w->rig.model[slot].killed) {
            rig_die(&w->rig, slot, 0, 0);
            look_at_results(w);
        }
    }
}

static void give_tasks(world *w) {
    uint64_t count = 1 + draw(w, 30);
    uint64_t job = w->next_job + draw(w, JOBS);
    uint32_t attempt = 1 + (uint32_t)draw(w, 3);
    if (!is_registered(w) || w->next_task + count >= TASKS_MAX ||
        zn_slot_manager_held(w->rig.manager) > 2000) {
        return;
    }
    uint64_t first = w->next_task;
    w->next_task += count;
    for (uint64_t task = first; task < first + count; task++) {
        w->fates[task] = FATE_HELD;
        w->job_of[task] = job;
        w->attempt_of[task] = attempt;
    }
    rig_give(&w->rig, w->rig.received + 1, job, first, count, attempt);
    if (draw(w, 10) == 0) {
        rig_give(&w->rig, w->rig.received, job, first, count, 1);
    }
}

/* Every task that is held must have been named, once. */
static void check_all_told(const world *w) {
    for (uint64_t task = 0; task < w->next_task; task++) {
        if (w->fates[task] == FATE_HELD && w->told[task] != w->rig.epoch) {
            fail_msg("task %" PRIu64 " is held and was not named", task);
        }
    }
}

static void welcome(world *w) {
    if (draw(w, 8) == 0) {
        w->rig.cluster += 1;
        give_up(w, 0);
    }
    if (zn_slot_manager_state(w->rig.manager) == ZN_REGISTRATION_LOOKING) {
        rig_step(&w->rig, (zn_worker_event){ .kind = ZN_WORKER_EVENT_FOUND });
    }
    rig_welcome(&w->rig, ++w->epochs);
    look_at_results(w);
    check_all_told(w);
}

static uint32_t busy_slot(world *w) {
    uint32_t start = (uint32_t)draw(w, SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t slot = (start + i) % SLOTS;
        if (w->rig.model[slot].count > 0) {
            return slot;
        }
    }
    return SLOTS;
}

static void finish_chunk(world *w) {
    uint32_t slot = busy_slot(w);
    if (slot == SLOTS) {
        return;
    }
    model_chunk *chunk = &w->rig.model[slot].chunks[0];
    w->rig.now_ns += chunk->tasks * draw(w, 2000000);
    if (chunk->epoch == 0 || chunk->cancelled) {
        rig_end_chunk(&w->rig, slot);
    } else if (draw(w, 20) == 0) {
        for (size_t i = 0; i < chunk->run_count; i++) {
            for (uint64_t k = 0; k < chunk->runs[i].count; k++) {
                uint64_t task = chunk->runs[i].first + k;
                w->fates[task] = w->fates[task] == FATE_HELD ? FATE_GIVEN_UP : w->fates[task];
            }
        }
        rig_end_chunk(&w->rig, slot);
    } else {
        rig_report_all(&w->rig, slot);
    }
}

static void kill_slot(world *w) {
    uint32_t slot = busy_slot(w);
    if (slot < SLOTS) {
        const model_chunk *chunk = &w->rig.model[slot].chunks[0];
        rig_die(&w->rig, slot, chunk->sequence, (uint32_t)draw(w, chunk->tasks + 1));
    }
}

static void answer_done(world *w) {
    uint32_t slot = (uint32_t)draw(w, SLOTS);
    model_slot *model = &w->rig.model[slot];
    if (model->done_count > 0 && model->count == 0) {
        rig_slot_done(&w->rig, slot, model->done_jobs[0]);
    }
}

static void start_slots(world *w) {
    uint32_t slot = (uint32_t)draw(w, SLOTS);
    if (w->rig.model[slot].starting) {
        rig_ready(&w->rig, slot);
    }
}

static void end_job(world *w) {
    uint64_t job = w->next_job + draw(w, JOBS);
    if (!is_registered(w)) {
        return;
    }
    if (draw(w, 2) == 0) {
        zn_message cancel = { .number = ZN_MSG_CANCEL };
        cancel.cancel = (zn_msg_cancel){ .epoch = w->rig.epoch, .job = job };
        rig_flush(&w->rig);
        look_at_results(w);
        give_up(w, job);
        rig_message(&w->rig, &cancel);
    } else {
        rig_flush(&w->rig);
        look_at_results(w);
        give_up(w, w->next_job);
        rig_done(&w->rig, w->next_job);
        w->next_job += 1;
    }
}

/* Takes back a stretch of tasks, whatever has become of them. */
static void withdraw(world *w) {
    uint64_t first = w->next_task < 500 ? 0 : w->next_task - 1 - draw(w, 500);
    if (!is_registered(w) || w->next_task == 0) {
        return;
    }
    rig_flush(&w->rig);
    look_at_results(w);
    uint64_t last = first;
    while (last < w->next_task && last < first + 8 && w->job_of[last] == w->job_of[first] &&
           w->attempt_of[last] == w->attempt_of[first]) {
        w->fates[last] = w->fates[last] == FATE_HELD ? FATE_GIVEN_UP : w->fates[last];
        last += 1;
    }
    rig_withdraw(&w->rig, w->job_of[first], first, last - first, w->attempt_of[first]);
}

static void disturb(world *w) {
    switch (draw(w, 6)) {
    case 0: {
        zn_message rejoin = { .number = ZN_MSG_REJOIN, .rejoin.epoch = w->rig.epoch };
        rig_message(&w->rig, &rejoin);
        break;
    }
    case 1:
        rig_give(&w->rig, w->rig.received + 2, 1, 0, 1, 1);
        break;
    case 2:
        rig_heartbeat(&w->rig, w->rig.received + draw(w, 2));
        break;
    case 3:
        rig_tick(&w->rig, 4000);
        break;
    case 4:
        rig_acknowledge(&w->rig, 1 + draw(w, 50));
        break;
    default:
        welcome(w);
        break;
    }
}

static void step(world *w) {
    uint64_t dice = draw(w, 1000);
    if (dice < 250) {
        give_tasks(w);
    } else if (dice < 650) {
        finish_chunk(w);
    } else if (dice < 700) {
        rig_flush(&w->rig);
    } else if (dice < 800) {
        answer_done(w);
    } else if (dice < 880) {
        start_slots(w);
    } else if (dice < 960) {
        rig_tick(&w->rig, draw(w, 100));
        after_step(w);
        rig_heartbeat(&w->rig, w->rig.received);
    } else if (dice < 980) {
        kill_slot(w);
    } else if (dice < 992) {
        end_job(w);
    } else if (dice < 996) {
        disturb(w);
    } else if (dice < 998) {
        withdraw(w);
    } else if (!is_registered(w)) {
        welcome(w);
    }
    after_step(w);
}

/* Everything calms down: slots start, report, answer. */
static void settle(world *w) {
    for (int i = 0; i < 20000 && zn_slot_manager_held(w->rig.manager) > 0; i++) {
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            if (w->rig.model[slot].starting) {
                rig_ready(&w->rig, slot);
            }
        }
        finish_chunk(w);
        after_step(w);
        rig_tick(&w->rig, 10);
        after_step(w);
        rig_heartbeat(&w->rig, w->rig.received);
    }
    rig_flush(&w->rig);
    look_at_results(w);
}

/* Random scripts keep the invariants, and no task is lost or reported twice. */
static void test_slot_manager_random_script_loses_nothing(void **state) {
    (void)state;
    const char *given = getenv("ZONDA_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : zn_random_id() % 1000000 + 1;
    print_message("seed %" PRIu64 "\n", seed);
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->next_job = 1;
    rig_open(&w->rig, SLOTS, true);
    welcome(w);
    for (int i = 0; i < STEPS; i++) {
        step(w);
    }
    if (!is_registered(w)) {
        welcome(w);
    }
    settle(w);
    for (uint64_t task = 0; task < w->next_task; task++) {
        if (w->fates[task] == FATE_HELD) {
            fail_msg("seed %" PRIu64 ": task %" PRIu64 " of job %" PRIu64 " was lost", seed, task,
                     w->job_of[task]);
        }
    }
    assert_int_equal(zn_slot_manager_held(w->rig.manager), 0);
    assert_true(w->reports > 1000 && w->named > 100);
    rig_close(&w->rig);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_manager_random_script_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
