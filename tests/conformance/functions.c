/* SPDX-License-Identifier: MPL-2.0 */
/* The C functions that cases name with fn("…"): each shows one thing that a C function can do.
 * Compiled a second time, they are the plug-in that cases name with plug("…"). */
#include "functions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zonda/plugin.h>

static int64_t number_of(const msgpack_object *value) {
    return value->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                   value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER
               ? value->via.i64
               : 0;
}

static zonda_err call_double(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_int64(out, 2 * number_of(&args[0]));
    return ZONDA_OK;
}

static zonda_err call_even(zonda_task *task, const msgpack_object *args, size_t arg_count,
                           msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    if (number_of(&args[0]) % 2 == 0) {
        msgpack_pack_true(out);
    } else {
        msgpack_pack_nil(out);
    }
    return ZONDA_OK;
}

/* n, n times. */
static zonda_err call_repeat(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    for (int64_t i = 0; i < number_of(&args[0]); i++) {
        msgpack_pack_int64(out, number_of(&args[0]));
    }
    return ZONDA_OK;
}

static zonda_err call_sum(zonda_task *task, const msgpack_object *args, size_t arg_count,
                          msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_int64(out, number_of(&args[0]) + number_of(&args[1]));
    return ZONDA_OK;
}

static zonda_err open_position(zonda_task *task, void **state) {
    *state = calloc(1, sizeof(int64_t));
    return *state != NULL ? ZONDA_OK : zonda_task_fail(task, "no memory");
}

static void close_position(zonda_task *task, void *state) {
    (void)task;
    free(state);
}

/* [shard, shards, position in the shard, record] */
static zonda_err call_position(zonda_task *task, const msgpack_object *args, size_t arg_count,
                               msgpack_packer *out) {
    (void)arg_count;
    int64_t *position = zonda_task_state(task);
    msgpack_pack_array(out, 4);
    msgpack_pack_uint64(out, zonda_task_shard(task));
    msgpack_pack_uint64(out, zonda_task_shard_count(task));
    msgpack_pack_int64(out, (*position)++);
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

/* [shard, shards, records], at its end */
static zonda_err call_count(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    (void)out;
    int64_t *count = zonda_task_state(task);
    *count += 1;
    return ZONDA_OK;
}

static zonda_err finish_count(zonda_task *task, msgpack_packer *out) {
    const int64_t *count = zonda_task_state(task);
    msgpack_pack_array(out, 3);
    msgpack_pack_uint64(out, zonda_task_shard(task));
    msgpack_pack_uint64(out, zonda_task_shard_count(task));
    msgpack_pack_int64(out, *count);
    return ZONDA_OK;
}

static zonda_err call_add_offset(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                 msgpack_packer *out) {
    (void)arg_count;
    const msgpack_object *offset;
    zonda_err err = zonda_task_shared(task, "offset", &offset);
    if (err != ZONDA_OK) {
        return err;
    }
    msgpack_pack_int64(out, number_of(&args[0]) + number_of(offset));
    return ZONDA_OK;
}

static zonda_err call_tally(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)arg_count;
    msgpack_pack_object(out, args[0]);
    return zonda_task_counter(task, "tally", number_of(&args[0]));
}

static zonda_err call_refuse(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out) {
    (void)arg_count;
    (void)out;
    return zonda_task_fail(task, "the record %" PRId64 " is not welcome", number_of(&args[0]));
}

static zonda_err call_refuse_permanently(zonda_task *task, const msgpack_object *args,
                                         size_t arg_count, msgpack_packer *out) {
    (void)arg_count;
    (void)out;
    return zonda_task_fail_permanent(task, "the record %" PRId64 " is never welcome",
                                     number_of(&args[0]));
}

static zonda_err call_two_values(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                 msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    msgpack_pack_int64(out, 1);
    msgpack_pack_int64(out, 2);
    return ZONDA_OK;
}

static zonda_err call_no_value(zonda_task *task, const msgpack_object *args, size_t arg_count,
                               msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    (void)out;
    return ZONDA_OK;
}

static zonda_err call_same(zonda_task *task, const msgpack_object *args, size_t arg_count,
                           msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_object(out, args[0]);
    return ZONDA_OK;
}

/* [key, records of the group] */
static zonda_err group_count(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                             msgpack_packer *out) {
    (void)task;
    uint64_t count = 0;
    while (zonda_rows_next(rows) != NULL) {
        count++;
    }
    msgpack_pack_array(out, 2);
    msgpack_pack_object(out, *key);
    msgpack_pack_uint64(out, count);
    return ZONDA_OK;
}

/* Their sum, a record like them. */
static zonda_err group_sum(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                           msgpack_packer *out) {
    (void)task;
    (void)key;
    int64_t sum = 0;
    for (const msgpack_object *row = NULL; (row = zonda_rows_next(rows)) != NULL;) {
        sum += number_of(row);
    }
    msgpack_pack_int64(out, sum);
    return ZONDA_OK;
}

/* The first one, twice; the others are not looked at. */
static zonda_err group_first(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                             msgpack_packer *out) {
    (void)task;
    (void)key;
    const msgpack_object *row = zonda_rows_next(rows);
    if (row != NULL) {
        msgpack_pack_object(out, *row);
        msgpack_pack_object(out, *row);
    }
    return ZONDA_OK;
}

static zonda_err group_refuse(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                              msgpack_packer *out) {
    (void)rows;
    (void)out;
    return zonda_task_fail_permanent(task, "the group %" PRId64 " is not welcome", number_of(key));
}

static const zonda_plugin_function functions[] = {
    { "double", { .call = call_double } },
    { "even", { .call = call_even } },
    { "repeat", { .call = call_repeat } },
    { "sum", { .call = call_sum } },
    { "position", { .call = call_position, .open = open_position, .close = close_position } },
    { "count",
      { .call = call_count,
        .open = open_position,
        .close = close_position,
        .finish = finish_count } },
    { "add_offset", { .call = call_add_offset } },
    { "tally", { .call = call_tally } },
    { "refuse", { .call = call_refuse } },
    { "refuse_permanently", { .call = call_refuse_permanently } },
    { "two_values", { .call = call_two_values } },
    { "no_value", { .call = call_no_value } },
    { "same", { .call = call_same } },
    { "group_count", { .group = group_count } },
    { "group_sum", { .group = group_sum } },
    { "group_first", { .group = group_first } },
    { "group_refuse", { .group = group_refuse } },
};

#ifdef FUNCTIONS_AS_PLUGIN
ZONDA_PLUGIN("conformance", functions);
#else
zonda_err functions_register(zonda_error *error) {
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        zonda_err err = zonda_register(functions[i].name, &functions[i].function, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    return ZONDA_OK;
}
#endif
