/* SPDX-License-Identifier: MPL-2.0 */
/* A plug-in that does what it should: one function for each form of call. */
#include <stdlib.h>
#include <unistd.h>
#include <zonda/plugin.h>

static zonda_err twice(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    (void)arg_count;
    zonda_task_counter(task, "doubled", 1);
    msgpack_pack_int64(out, args[0].via.i64 * 2);
    return ZONDA_OK;
}

static zonda_err is_odd(zonda_task *task, const msgpack_object *args, size_t arg_count,
                        msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    args[0].via.i64 % 2 != 0 ? msgpack_pack_true(out) : msgpack_pack_false(out);
    return ZONDA_OK;
}

static zonda_err repeat(zonda_task *task, const msgpack_object *args, size_t arg_count,
                        msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    for (int64_t i = 0; i < args[0].via.i64; i++) {
        msgpack_pack_object(out, args[0]);
    }
    return ZONDA_OK;
}

static zonda_err add(zonda_task *task, const msgpack_object *args, size_t arg_count,
                     msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_int64(out, args[0].via.i64 + args[1].via.i64);
    return ZONDA_OK;
}

static zonda_err plus_shared(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)arg_count;
    const msgpack_object *value = NULL;
    zonda_err err = zonda_task_shared(task, "offset", &value);
    if (err == ZONDA_OK) {
        msgpack_pack_int64(out, args[0].via.i64 + value->via.i64);
    }
    return err;
}

/* How often this process has called it: tells whether the library was loaded once. */
static zonda_err calls(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    static int64_t count;
    (void)task;
    (void)args;
    (void)arg_count;
    msgpack_pack_int64(out, __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
    return ZONDA_OK;
}

static zonda_err refuse(zonda_task *task, const msgpack_object *args, size_t arg_count,
                        msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    (void)out;
    return zonda_task_fail_permanent(task, "this one never likes anything");
}

static zonda_err open_sum(zonda_task *task, void **state) {
    (void)task;
    *state = calloc(1, sizeof(int64_t));
    return ZONDA_OK;
}

static void close_sum(zonda_task *task, void *state) {
    (void)task;
    free(state);
}

/* The sum of what the shard has shown so far. */
static zonda_err sum(zonda_task *task, const msgpack_object *args, size_t arg_count,
                     msgpack_packer *out) {
    (void)arg_count;
    int64_t *total = zonda_task_state(task);
    *total += args[0].via.i64;
    msgpack_pack_int64(out, *total);
    return ZONDA_OK;
}

static const zonda_plugin_function functions[] = {
    { "twice", { .call = twice } },
    { "is_odd", { .call = is_odd } },
    { "repeat", { .call = repeat } },
    { "add", { .call = add } },
    { "plus_shared", { .call = plus_shared } },
    { "calls", { .call = calls } },
    { "refuse", { .call = refuse } },
    { "sum", { .call = sum, .open = open_sum, .close = close_sum } },
};

ZONDA_PLUGIN("good", functions);
