/* SPDX-License-Identifier: MPL-2.0 */
/* Every cell of the driver's transition table, and the ways out of each state. */
#include "driver_scene.h"

/* Brings a new scene into a state by the shortest way. */
static void reach(driver_scene *scene, zn_driver_state state) {
    zn_result result;
    bool stream = state == ZN_DRIVER_COLLECTING || state == ZN_DRIVER_DELIVERING;
    if (state == ZN_DRIVER_OPENING) {
        open_scene(scene, three_items(), false);
        return;
    }
    if (state == ZN_DRIVER_PUTTING || state == ZN_DRIVER_STARTING) {
        open_scene(scene, three_items(), false);
        reply(scene, opened());
        if (state == ZN_DRIVER_STARTING) {
            put_all_blobs(scene);
        }
        return;
    }
    reach_check(scene, stream);
    switch (state) {
    case ZN_DRIVER_WAITING:
        reply(scene, status(0, ZN_STAGE_RUNNING, 0, 3));
        break;
    case ZN_DRIVER_COLLECTING:
    case ZN_DRIVER_DELIVERING:
        reply(scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
        if (state == ZN_DRIVER_DELIVERING) {
            reply(scene, results(&result, 0, 0, 3, 3));
        }
        break;
    case ZN_DRIVER_READY:
    case ZN_DRIVER_CLOSING:
    case ZN_DRIVER_DRAINING:
    case ZN_DRIVER_CLOSED:
        reply(scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
        if (state != ZN_DRIVER_READY) {
            happen(scene, (zn_driver_event){ .kind = ZN_DRIVER_CLOSE });
        }
        if (state == ZN_DRIVER_DRAINING || state == ZN_DRIVER_CLOSED) {
            reply(scene, closing(state == ZN_DRIVER_DRAINING ? 1 : 0));
        }
        break;
    case ZN_DRIVER_CANCELLING:
        send_error(scene, ZN_DRIVER_STOP, ZONDA_ERR_CANCELLED);
        break;
    default:
        break;
    }
}

/* The state after an event, where it is not the one before it. REPLY is a good reply. */
#define STAY ZN_DRIVER_STATES
static const zn_driver_state table[ZN_DRIVER_STATES][ZN_DRIVER_EVENTS] = {
/*                 REPLY      REFUSED     LOST        TIMER     DELIVERED WANT        STOP CLOSE
                   UNREAD */
#define ROW(state, reply, refused, lost, timer, delivered, want, stop, close, unread)              \
    [ZN_DRIVER_##state] = { reply, refused, lost, timer, delivered, want, stop, close, unread }
#define S(state) ZN_DRIVER_##state
    ROW(OPENING, S(PUTTING), S(CLOSED), S(CLOSED), STAY, STAY, STAY, S(CLOSED), S(CLOSED), STAY),
    ROW(PUTTING, STAY, S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING), S(CANCELLING),
        STAY),
    ROW(STARTING, S(WAITING), S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING), STAY),
    ROW(CHECKING, S(READY), S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING), STAY),
    ROW(WAITING, STAY, STAY, STAY, S(CHECKING), STAY, STAY, S(CANCELLING), S(CANCELLING), STAY),
    ROW(COLLECTING, S(DELIVERING), S(CANCELLING), S(CANCELLING), STAY, STAY, STAY, S(CANCELLING),
        S(CANCELLING), STAY),
    ROW(DELIVERING, STAY, STAY, STAY, STAY, S(READY), STAY, S(CANCELLING), S(CANCELLING),
        S(COLLECTING)),
    ROW(READY, STAY, STAY, STAY, STAY, STAY, S(COLLECTING), S(CANCELLING), S(CLOSING),
        S(CANCELLING)),
    ROW(CANCELLING, S(CLOSING), S(CLOSING), S(CLOSED), STAY, STAY, STAY, STAY, STAY, STAY),
    ROW(CLOSING, S(CLOSED), S(CLOSED), S(CLOSED), STAY, STAY, STAY, STAY, STAY, STAY),
    ROW(DRAINING, STAY, STAY, STAY, S(CLOSING), STAY, STAY, STAY, STAY, STAY),
    ROW(CLOSED, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY),
#undef S
#undef ROW
};

static zn_message good_reply(driver_scene *scene, zn_driver_state state, zn_result *result) {
    switch (state) {
    case ZN_DRIVER_OPENING:
        return opened();
    case ZN_DRIVER_PUTTING:
        return stored(scene->plan->blobs[0].bytes.len);
    case ZN_DRIVER_STARTING:
        return started(0, 3);
    case ZN_DRIVER_CHECKING:
        return status(0, ZN_STAGE_COMPLETE, 3, 3);
    case ZN_DRIVER_COLLECTING:
        return results(result, 0, 0, 3, 3);
    default:
        return closing(0);
    }
}

/* Every cell: each event in each state leads where the table says, and the action fits. */
static void test_driver_core_every_cell_of_the_table(void **state) {
    (void)state;
    for (unsigned from = 0; from < ZN_DRIVER_STATES; from++) {
        for (unsigned kind = 0; kind < ZN_DRIVER_EVENTS; kind++) {
            driver_scene scene;
            zn_result result;
            reach(&scene, (zn_driver_state)from);
            expect_state(&scene, (zn_driver_state)from);
            zn_message message = good_reply(&scene, (zn_driver_state)from, &result);
            zonda_error error;
            zn_error_set(&error, ZONDA_ERR_IO, "scripted");
            error.has_lost = true; /* stage 0, task 0 */
            uint64_t ignored = zn_driver_core_ignored(scene.core);
            happen(&scene, (zn_driver_event){ .kind = (zn_driver_event_kind)kind,
                                              .reply = &message,
                                              .error = &error });
            zn_driver_state expected = table[from][kind];
            bool stays = expected == STAY;
            expect_state(&scene, stays ? (zn_driver_state)from : expected);
            bool taken = from == ZN_DRIVER_PUTTING && kind == ZN_DRIVER_REPLY;
            assert_int_equal(zn_driver_core_ignored(scene.core) - ignored, stays && !taken);
            close_scene(&scene);
        }
    }
}

/* A reply of another kind is an error in every state that waits for one. */
static void test_driver_core_other_reply_fails_in_every_state(void **state) {
    (void)state;
    for (unsigned from = 0; from < ZN_DRIVER_STATES; from++) {
        driver_scene scene;
        reach(&scene, (zn_driver_state)from);
        bool calls = scene.action.kind == ZN_DRIVER_CALL;
        bool failed = zn_driver_core_failure(scene.core)->code != ZONDA_OK;
        reply(&scene, (zn_message){ .number = ZN_MSG_WORKERS });
        if (calls && !failed) {
            expect_failure(&scene, "PROTOCOL", "WORKERS came where");
        }
        close_scene(&scene);
    }
}

/* A REFUSAL at each step comes out as it is, and the job is ended where there is one. */
static void test_driver_core_refusal_comes_out_at_every_step(void **state) {
    (void)state;
    static const zn_driver_state steps[] = { ZN_DRIVER_OPENING, ZN_DRIVER_PUTTING,
                                             ZN_DRIVER_STARTING, ZN_DRIVER_CHECKING,
                                             ZN_DRIVER_COLLECTING };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        driver_scene scene;
        reach(&scene, steps[i]);
        send_error(&scene, ZN_DRIVER_REFUSED, ZONDA_ERR_EMPTY_STAGE);
        expect_failure(&scene, "EMPTY_STAGE", "scripted");
        if (steps[i] != ZN_DRIVER_OPENING) {
            expect_call(&scene, ZN_MSG_CANCEL_JOB);
            assert_false(scene.action.hurried);
        }
        close_scene(&scene);
    }
}

/* The first failure is the one that counts, also when closing fails too. */
static void test_driver_core_first_failure_stays(void **state) {
    (void)state;
    driver_scene scene;
    reach(&scene, ZN_DRIVER_CHECKING);
    send_error(&scene, ZN_DRIVER_LOST, ZONDA_ERR_TIMEOUT);
    expect_call(&scene, ZN_MSG_CANCEL_JOB);
    assert_true(scene.action.hurried);
    send_error(&scene, ZN_DRIVER_LOST, ZONDA_ERR_UNREACHABLE);
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    expect_failure(&scene, "TIMEOUT", "scripted");
    close_scene(&scene);
}

/* Workers that never say DONE do not hold the driver for ever. */
static void test_driver_core_closing_has_a_deadline(void **state) {
    (void)state;
    driver_scene scene;
    reach(&scene, ZN_DRIVER_DRAINING);
    scene.now_ns += TIMEOUT_MS * ZN_NS_PER_MS;
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
    reply(&scene, closing(2));
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    expect_failure(&scene, "TIMEOUT", "2 workers");
    close_scene(&scene);
}

/* A coordinator that has forgotten the job has closed it. */
static void test_driver_core_forgotten_job_is_closed(void **state) {
    (void)state;
    driver_scene scene;
    reach(&scene, ZN_DRIVER_CLOSING);
    send_error(&scene, ZN_DRIVER_REFUSED, ZONDA_ERR_UNKNOWN_JOB);
    assert_int_equal(scene.action.kind, ZN_DRIVER_END);
    assert_int_equal(zn_driver_core_failure(scene.core)->code, ZONDA_OK);
    close_scene(&scene);
}

static void unread(driver_scene *scene, uint64_t task, uint32_t attempt) {
    zonda_error error;
    zn_error_set(&error, ZONDA_ERR_CORRUPT, "scripted rot");
    error.has_lost = true;
    error.lost_task = task;
    error.lost_attempt = attempt;
    happen(scene, (zn_driver_event){ .kind = ZN_DRIVER_UNREAD, .error = &error });
}

/* A delivered result that cannot be read is told once, waited for, and delivered again with all
 * that comes behind it; over and over it ends the job. */
static void test_driver_core_unread_result_is_made_again(void **state) {
    (void)state;
    driver_scene scene;
    zn_result result;
    reach_check(&scene, false);
    reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_WANT });
    reply(&scene, results(&result, 0, 0, 3, 3));
    happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
    assert_true(zn_driver_core_drained(scene.core));
    for (uint32_t attempt = 1; attempt < ZN_ATTEMPTS_INFRA_MAX; attempt++) {
        unread(&scene, 1, attempt);
        expect_call(&scene, ZN_MSG_COLLECT_RESULTS);
        const zn_msg_collect_results *collect = &scene.action.request.collect_results;
        assert_int_equal(collect->first, 1);
        assert_int_equal(collect->lost_count, 1);
        assert_int_equal(collect->lost[0].task, 1);
        assert_int_equal(collect->lost[0].attempt, attempt);
        reply(&scene, results(&result, 0, 1, 0, 3));
        expect_call(&scene, ZN_MSG_GET_STATUS);
        reply(&scene, status(0, ZN_STAGE_RUNNING, 2, 3));
        expect_state(&scene, ZN_DRIVER_WAITING);
        happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_TIMER });
        reply(&scene, status(0, ZN_STAGE_COMPLETE, 3, 3));
        expect_call(&scene, ZN_MSG_COLLECT_RESULTS);
        assert_int_equal(scene.action.request.collect_results.lost_count, 0);
        reply(&scene, results(&result, 0, 1, 2, 3));
        happen(&scene, (zn_driver_event){ .kind = ZN_DRIVER_DELIVERED });
        expect_state(&scene, ZN_DRIVER_READY);
        assert_true(zn_driver_core_drained(scene.core));
    }
    unread(&scene, 1, ZN_ATTEMPTS_INFRA_MAX);
    expect_failure(&scene, "CORRUPT", "scripted rot");
    expect_call(&scene, ZN_MSG_CANCEL_JOB);
    close_scene(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver_core_every_cell_of_the_table),
        cmocka_unit_test(test_driver_core_other_reply_fails_in_every_state),
        cmocka_unit_test(test_driver_core_refusal_comes_out_at_every_step),
        cmocka_unit_test(test_driver_core_first_failure_stays),
        cmocka_unit_test(test_driver_core_unread_result_is_made_again),
        cmocka_unit_test(test_driver_core_closing_has_a_deadline),
        cmocka_unit_test(test_driver_core_forgotten_job_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
