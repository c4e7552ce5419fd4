/* SPDX-License-Identifier: MPL-2.0 */
/* The body of a slot process. It must not outlive its worker: the kernel kills it when the thread
 * that spawned it ends, and a worker that was gone before that was asked for shows as another
 * parent. SIGTERM ends it in order: the running attempt is cancelled. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "worker/slot.h"
#include "worker/slot_loop.h"
#include "worker/worker.h"

static volatile sig_atomic_t terminated;

static void note_termination(int signal_number) {
    (void)signal_number;
    terminated = 1;
}

static bool is_terminated(void *context) {
    (void)context;
    return terminated != 0;
}

static bool stay_with_parent(long parent_pid) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == (pid_t)parent_pid;
}

static void catch_termination(void) {
    struct sigaction action = { .sa_handler = note_termination };
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
}

static int fail(uint32_t index, const zonda_error *error) {
    zn_log(ZONDA_LOG_ERROR, "slot-failed", "slot=%u text=%s", index, error->text);
    return EXIT_FAILURE;
}

int zn_slot_process_main(const char *endpoint, uint32_t index, const char *scratch,
                         uint64_t memory_bytes, const char *keys, long parent_pid) {
    zonda_error error = { 0 };
    if (!stay_with_parent(parent_pid)) {
        return EXIT_FAILURE;
    }
    catch_termination();
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line that was printed is seen, also if it is the last */
    char *path = zn_slot_board_path(scratch);
    zn_slot_board *boards = zn_slot_board_open(path, (size_t)index + 1, &error);
    free(path);
    if (boards == NULL) {
        return fail(index, &error);
    }
    zn_slot_loop_options options = { .endpoint = endpoint,
                                     .index = index,
                                     .scratch = scratch,
                                     .board = &boards[index],
                                     .keys = keys,
                                     .memory_bytes = memory_bytes,
                                     .stop_fd = -1,
                                     .own_process = true,
                                     .stopping = is_terminated };
    zn_slot_loop *loop = zn_slot_loop_new(&options, &error);
    if (loop == NULL) {
        zn_slot_board_unmap(&boards, (size_t)index + 1);
        return fail(index, &error);
    }
    zn_slot_loop_run(loop);
    zn_slot_loop_destroy(&loop);
    zn_slot_board_unmap(&boards, (size_t)index + 1);
    return EXIT_SUCCESS;
}
