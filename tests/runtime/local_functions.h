/* SPDX-License-Identifier: MPL-2.0 */
/* Functions that run in the tasks of tests over a cluster in this process. */
#ifndef ZN_TESTS_RUNTIME_LOCAL_FUNCTIONS_H
#define ZN_TESTS_RUNTIME_LOCAL_FUNCTIONS_H

#include "test.h"

#include <sched.h>
#include <zonda/zonda.h>

static inline zonda_err times_ten(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                  msgpack_packer *out) {
    (void)arg_count;
    zonda_task_counter(task, "multiplied", args[0].via.i64);
    msgpack_pack_int64(out, args[0].via.i64 * 10);
    return ZONDA_OK;
}

static inline zonda_err is_odd(zonda_task *task, const msgpack_object *args, size_t arg_count,
                               msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    if (args[0].via.i64 % 2 != 0) {
        msgpack_pack_true(out);
    } else {
        msgpack_pack_false(out);
    }
    return ZONDA_OK;
}

static inline zonda_err twice(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_object(out, args[0]);
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

static inline zonda_err add(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_int64(out, args[0].via.i64 + args[1].via.i64);
    return ZONDA_OK;
}

static inline zonda_err look_up(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    const msgpack_object *value = NULL;
    zonda_err err = zonda_task_shared(task, "word", &value);
    if (err == ZONDA_OK) {
        msgpack_pack_object(out, *value);
    }
    return err;
}

/* A record of 100 kB, so that results go into segments. */
static inline zonda_err blow_up(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    static const char filler[100000];
    msgpack_pack_array(out, 2);
    msgpack_pack_object(out, args[0]);
    msgpack_pack_bin(out, sizeof filler);
    msgpack_pack_bin_body(out, filler, sizeof filler);
    return ZONDA_OK;
}

static inline zonda_err always_fail(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                    msgpack_packer *out) {
    (void)arg_count;
    (void)out;
    if (args[0].via.i64 == 2) {
        return zonda_task_fail(task, "two is not liked here");
    }
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

/* Runs until its job is cancelled. */
static inline zonda_err run_for_ever(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                     msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    while (!zonda_task_cancelled(task)) {
        sched_yield();
    }
    msgpack_pack_nil(out);
    return ZONDA_OK;
}

static inline void register_all(void) {
    static const struct {
        const char *name;
        zonda_call *call;
    } functions[] = {
        { "times_ten", times_ten },
        { "is_odd", is_odd },
        { "twice", twice },
        { "add", add },
        { "look_up", look_up },
        { "blow_up", blow_up },
        { "always_fail", always_fail },
        { "run_for_ever", run_for_ever },
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        zonda_error error = { 0 };
        zonda_function function = { .call = functions[i].call };
        assert_ok(zonda_register(functions[i].name, &function, &error), error);
    }
}

#endif
