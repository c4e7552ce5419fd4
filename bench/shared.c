/* SPDX-License-Identifier: MPL-2.0 */
/* The task of blobs.c, as a plug-in for the slots. */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zonda/plugin.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static zonda_err take(zonda_task *task, const char *name) {
    const msgpack_object *value = NULL;
    zonda_err err = zonda_task_shared(task, name, &value);
    if (err == ZONDA_OK && (value->type != MSGPACK_OBJECT_BIN || value->via.bin.size < 8)) {
        err = zonda_task_fail_permanent(task, "%s is not what was put", name);
    }
    return err;
}

/* [process, when it asked for the shared values, when it had them]. The sleep keeps a slot from
 * running all tasks before the others have theirs. */
static zonda_err touch(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    (void)args;
    (void)arg_count;
    double asked = now();
    zonda_err err = take(task, "first");
    err = err == ZONDA_OK ? take(task, "second") : err;
    if (err != ZONDA_OK) {
        return err;
    }
    double answered = now();
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    msgpack_pack_array(out, 3);
    msgpack_pack_uint64(out, (uint64_t)getpid());
    msgpack_pack_double(out, asked);
    msgpack_pack_double(out, answered);
    return ZONDA_OK;
}

static const zonda_plugin_function functions[] = { { "touch", { .call = touch } } };
ZONDA_PLUGIN("bench-shared", functions);
