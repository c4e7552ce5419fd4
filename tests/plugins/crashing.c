/* SPDX-License-Identifier: MPL-2.0 */
/* A plug-in that ends its process. */
#include <signal.h>
#include <zonda/plugin.h>

static zonda_err crash(zonda_task *task, const msgpack_object *args, size_t arg_count,
                       msgpack_packer *out) {
    (void)task;
    (void)args;
    (void)arg_count;
    (void)out;
    raise(SIGKILL); /* no handler, of a sanitizer for one, can turn this into an exit */
    return ZONDA_OK;
}

static zonda_err crash_at_open(zonda_task *task, void **state) {
    (void)state;
    return crash(task, NULL, 0, NULL);
}

static const zonda_plugin_function functions[] = {
    { "crash", { .call = crash } },
    { "crash_at_open", { .call = crash, .open = crash_at_open } },
};

ZONDA_PLUGIN("crashing", functions);
