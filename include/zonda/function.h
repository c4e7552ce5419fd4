/* SPDX-License-Identifier: MPL-2.0 */
/* User functions: C functions that run on records, and how a dataset names a function. */
#ifndef ZONDA_FUNCTION_H
#define ZONDA_FUNCTION_H

#include <msgpack.h>
#include <zonda/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The task that a user function runs in. Valid during the call that got it, in its thread. */
typedef struct zonda_task zonda_task;

/* A user function. `args` are `arg_count` decoded values that are valid during the call: map,
 * filter, flat_map and map_shard get one record; reduce gets the accumulated value and a record;
 * combine of a join gets the left and the right record, nil where there is none. What it packs into
 * `out` is its answer: map, reduce and combine exactly one value, filter one value (false and nil
 * drop the record), flat_map and map_shard any number of values, one after the other. Returns
 * ZONDA_OK, or a code from zonda_task_fail. Runs on many threads at once, each with its own task
 * and state. */
typedef zonda_err zonda_call(zonda_task *task, const msgpack_object *args, size_t arg_count,
                             msgpack_packer *out);

/* The records of one group. Valid during the call that got it, in its thread. */
typedef struct zonda_rows zonda_rows;

/* The next record of the group, valid until the next call; NULL at the end. NULL also if it cannot
 * be read or the task has to end: then the task fails whatever the function does next. A function
 * need not take all records. */
ZONDA_API const msgpack_object *zonda_rows_next(zonda_rows *rows);

/* A function for group_by: gets the key and the records of one group after another, in the order of
 * the keys, and packs any number of values into `out`. They go on while it runs, so neither the
 * group nor what it gives has to fit into memory. */
typedef zonda_err zonda_group_call(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                                   msgpack_packer *out);

/* A function with optional state per shard: `open` (may be NULL) makes it before the shard's first
 * record, `close` (may be NULL) frees it after the last, also when the task failed, but not when
 * `open` did. `finish` (may be NULL) is for map_shard only: it is called once at the end of each
 * shard, also an empty one, before `close`, and packs any number of values; not when the task
 * failed, nor when nobody wants more records of the shard. `group` is for group_by, which needs
 * nothing else; a function for both has both. Fields are only added at the end: name
 * them, as in { .call = mine }. */
typedef struct zonda_function {
    zonda_call *call;
    zonda_err (*open)(zonda_task *task, void **state);
    void (*close)(zonda_task *task, void *state);
    zonda_err (*finish)(zonda_task *task, msgpack_packer *out);
    zonda_group_call *group;
} zonda_function;

/* Makes `function` known as `name` in this process. Call it before a cluster is opened; the
 * struct is copied. Errors: INVALID (empty or too long name, neither call nor group), REFUSED (name
 * taken). */
ZONDA_API zonda_err zonda_register(const char *name, const zonda_function *function,
                                   zonda_error *error);

/* What `open` made. */
ZONDA_API void *zonda_task_state(const zonda_task *task);

/* The shard (from 0) and how many there are. */
ZONDA_API uint64_t zonda_task_shard(const zonda_task *task);
ZONDA_API uint64_t zonda_task_shard_count(const zonda_task *task);

/* Adds a value to a user counter: its sum, min, max and count come with the result. Values of
 * attempts that fail or lose are not added. Errors: LIMIT (too many counters; a name that is too
 * long, or that of a built-in counter). */
ZONDA_API zonda_err zonda_task_counter(zonda_task *task, const char *name, int64_t value);

/* Sets `*value` to what the driver put under `name`, borrowed for the task.
 * Errors: NOT_FOUND; its text lists the names that exist. */
ZONDA_API zonda_err zonda_task_shared(zonda_task *task, const char *name,
                                      const msgpack_object **value);

/* True once the job was cancelled; long functions ask now and then and return. */
ZONDA_API bool zonda_task_cancelled(const zonda_task *task);

/* Fails the task with words for people and returns the code to return. The plain form is tried
 * again up to the attempt limit, the permanent one is not. */
ZONDA_API zonda_err zonda_task_fail(zonda_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
ZONDA_API zonda_err zonda_task_fail_permanent(zonda_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How a dataset names a function. The text is borrowed until the dataset call returns. */
typedef enum zonda_func_kind {
    ZONDA_FUNC_NONE = 0,
    ZONDA_FUNC_C = 1,
    ZONDA_FUNC_LUA_EXPRESSION = 2,
    ZONDA_FUNC_LUA_BLOCK = 3,
    ZONDA_FUNC_PLUGIN = 4,
} zonda_func_kind;

/* A plug-in that was read from its file; see zonda/plugin.h for how to write one. */
typedef struct zonda_plugin zonda_plugin;

typedef struct zonda_func {
    zonda_func_kind kind;
    const char *text;
    const zonda_plugin *plugin;
} zonda_func;

/* Reads a plug-in (a shared library), so that its functions can be used in datasets. Nothing of it
 * runs here: it is sent to the workers of an execution, which load it. So the one who may run
 * datasets on a cluster may run any code there. NULL and `error` on failure: IO, PLAN (not a shared
 * library), LIMIT. Any thread. */
ZONDA_API zonda_plugin *zonda_plugin_open(const char *path, zonda_error *error);

/* Lets go of it; datasets that use it keep it. NULL-safe, clears the pointer. */
ZONDA_API void zonda_plugin_close(zonda_plugin **plugin);

/* A function registered by name. */
static inline zonda_func zonda_fn(const char *name) {
    zonda_func func = { ZONDA_FUNC_C, name, NULL };
    return func;
}

/* The function `name` of a plug-in, which is borrowed until the dataset call returns. */
static inline zonda_func zonda_plugin_fn(const zonda_plugin *plugin, const char *name) {
    zonda_func func = { ZONDA_FUNC_PLUGIN, name, plugin };
    return func;
}

/* A Lua expression in which a bare name is a field of the record and `r` the record; in reduce `a`
 * is the accumulated value; in combine of a join `left` and `right` are the records. */
static inline zonda_func zonda_lua(const char *expression) {
    zonda_func func = { ZONDA_FUNC_LUA_EXPRESSION, expression, NULL };
    return func;
}

/* A Lua block with `emit`, for flat_map; with `items`, `shard` and `emit` for map_shard; with
 * `key`, `rows` and `emit` for group_by. */
static inline zonda_func zonda_lua_block(const char *block) {
    zonda_func func = { ZONDA_FUNC_LUA_BLOCK, block, NULL };
    return func;
}

#ifdef __cplusplus
}
#endif
#endif
