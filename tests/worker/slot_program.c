/* SPDX-License-Identifier: MPL-2.0 */
/* The program of slots in test_slot_process: what `zonda slot` is, with C functions that crash or
 * hang. As `slot_program worker ENDPOINT SCRATCH` it is a worker, to be killed. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zonda/function.h>

#include "worker/worker.h"

/* Leaves this process's id in the test's folder, whole or not at all. */
static void leave_pid(const zonda_task *task) {
    char path[512];
    char temporary[520];
    snprintf(path, sizeof path, "%s/pid-%llu", getenv("ZONDA_TEST_FOLDER"),
             (unsigned long long)zonda_task_shard(task));
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (file != NULL) {
        fprintf(file, "%ld\n", (long)getpid());
        fclose(file);
        rename(temporary, path);
    }
}

/* Crashes at record 7 and passes the others on. */
static zonda_err crash_at_7(zonda_task *task, const msgpack_object *args, size_t count,
                            msgpack_packer *out) {
    (void)task;
    (void)count;
    if (args[0].via.u64 == 7) {
        signal(SIGSEGV, SIG_DFL);
        printf("seven is bad luck\n");
        raise(SIGSEGV);
    }
    return msgpack_pack_object(out, args[0]) == 0 ? ZONDA_OK : ZONDA_ERR_INTERNAL;
}

/* Waits until it is cancelled. */
static zonda_err hang(zonda_task *task, const msgpack_object *args, size_t count,
                      msgpack_packer *out) {
    (void)args;
    (void)count;
    (void)out;
    leave_pid(task);
    while (!zonda_task_cancelled(task)) {
        poll(NULL, 0, 1);
    }
    return zonda_task_fail(task, "cancelled");
}

/* Never comes back from the second record of a shard. */
static zonda_err hang_deaf(zonda_task *task, const msgpack_object *args, size_t count,
                           msgpack_packer *out) {
    (void)count;
    if (args[0].via.u64 % 2 == 1) {
        leave_pid(task);
        for (;;) {
            pause();
        }
    }
    return msgpack_pack_object(out, args[0]) == 0 ? ZONDA_OK : ZONDA_ERR_INTERNAL;
}

static int run_worker(const char *self, const char *endpoint, const char *scratch) {
    zonda_error error = { 0 };
    zn_worker_options options = { .connect = endpoint,
                                  .slots = 2,
                                  .kind = ZN_SLOT_PROCESS,
                                  .program = self,
                                  .scratch = scratch };
    zn_worker *worker = zn_worker_start(&options, &error);
    if (worker == NULL) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    zn_worker_wait(worker, -1, &error);
    zn_worker_stop(&worker);
    return 0;
}

int main(int argc, char **argv) {
    zonda_register("crash_at_7", &(zonda_function){ .call = crash_at_7 }, NULL);
    zonda_register("hang", &(zonda_function){ .call = hang }, NULL);
    zonda_register("hang_deaf", &(zonda_function){ .call = hang_deaf }, NULL);
    if (argc == 4 && strcmp(argv[1], "worker") == 0) {
        return run_worker(argv[0], argv[2], argv[3]);
    }
    if (argc != 12 || strcmp(argv[1], "slot") != 0) {
        return 2;
    }
    return zn_slot_process_main(argv[3], (uint32_t)strtoul(argv[5], NULL, 10), argv[7],
                                strtoull(argv[9], NULL, 10), NULL, strtol(argv[11], NULL, 10));
}
