/* SPDX-License-Identifier: MPL-2.0 */
/* A worker whose slots are processes: what dies, what survives, and that nothing is left behind.
 * The first argument is the program of the slots. */
#include "fake_cluster.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

extern char **environ;

static char *program;

typedef struct process_rig {
    fake_cluster *fake;
    zn_worker *worker;
    char folder[64]; /* control socket, scratch, notes of functions, output */
    char *scratch;
} process_rig;

static void prepare(process_rig *rig) {
    *rig = (process_rig){ .folder = "/tmp/zonda-test-XXXXXX" };
    assert_non_null(mkdtemp(rig->folder));
    setenv("ZONDA_TEST_FOLDER", rig->folder, 1);
    char *control = zn_format("ipc://%s/control", rig->folder);
    rig->fake = fake_cluster_open(control);
    free(control);
    rig->scratch = zn_strdup(rig->folder);
}

static void start(process_rig *rig, uint32_t slots) {
    zonda_error error = { 0 };
    prepare(rig);
    zn_worker_options options = { .connect = fake_cluster_endpoint(rig->fake),
                                  .slots = slots,
                                  .kind = ZN_SLOT_PROCESS,
                                  .program = program,
                                  .scratch = rig->scratch };
    rig->worker = zn_worker_start(&options, &error);
    if (rig->worker == NULL) {
        fail_msg("%s", error.text);
    }
    fake_cluster_until(rig->fake, "registration", fake_is_registered, 1);
}

/* Names in the rig's folder that start with `start`. */
static unsigned count_entries(const process_rig *rig, const char *start) {
    unsigned count = 0;
    DIR *folder = opendir(rig->folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        bool real = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        count += real && strncmp(entry->d_name, start, strlen(start)) == 0;
    }
    closedir(folder);
    return count;
}

static void remove_notes(const process_rig *rig) {
    for (int i = 0; i < 16; i++) {
        char *path = zn_format("%s/pid-%d", rig->folder, i);
        unlink(path);
        free(path);
    }
}

/* Whatever the worker has made must be gone by itself: only then is the folder empty. */
static void stop(process_rig *rig) {
    zn_worker_stop(&rig->worker);
    fake_cluster_close(&rig->fake);
    remove_notes(rig);
    assert_int_equal(count_entries(rig, ""), 0);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig->scratch);
}

/* The process that a function noted for a shard, 0: not yet. */
static long noted_pid(const process_rig *rig, int shard) {
    char *path = zn_format("%s/pid-%d", rig->folder, shard);
    FILE *file = fopen(path, "r");
    free(path);
    long pid = 0;
    if (file != NULL) {
        assert_int_equal(fscanf(file, "%ld", &pid), 1);
        fclose(file);
    }
    return pid;
}

static const process_rig *watched;
static long not_pid;

static bool has_noted(const fake_cluster *fake, uint64_t shard) {
    (void)fake;
    long pid = noted_pid(watched, (int)shard);
    return pid != 0 && pid != not_pid;
}

static long wait_for_note(const process_rig *rig, int shard, long other_than) {
    watched = rig;
    not_pid = other_than;
    fake_cluster_until(rig->fake, "a function that hangs", has_noted, (uint64_t)shard);
    return noted_pid(rig, shard);
}

static int watch_process(long pid) {
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    assert_true(fd >= 0);
    return fd;
}

static void expect_end(int pidfd) {
    struct pollfd item = { .fd = pidfd, .events = POLLIN };
    assert_int_equal(poll(&item, 1, 20000), 1);
    close(pidfd);
}

/* A signal in a function costs that one task; the others run on, in a new slot. */
static void test_slot_process_crash_fails_only_that_task(void **state) {
    (void)state;
    process_rig rig;
    start(&rig, 1);
    zn_digest body = fake_cluster_body(rig.fake, 20, 20, "crash_at_7");
    fake_cluster_give(rig.fake, 1, body, 0, 20, 1);
    fake_cluster_until(rig.fake, "all outcomes", fake_has_reports, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(rig.fake->tasks[i].reports, 1);
        assert_int_equal(rig.fake->tasks[i].code, i == 7 ? ZONDA_ERR_CRASH : ZONDA_OK);
    }
    assert_non_null(strstr(rig.fake->tasks[7].text, "signal 11"));
    assert_non_null(strstr(rig.fake->tasks[7].text, "it wrote last: seven is bad luck"));
    fake_cluster_done(rig.fake, 1);
    fake_cluster_until(rig.fake, "the answer to DONE", fake_has_done, 1);
    stop(&rig);
}

/* kill -9 from outside is the same; the next attempt runs in another process. */
static void test_slot_process_killed_task_runs_again_elsewhere(void **state) {
    (void)state;
    process_rig rig;
    start(&rig, 1);
    zn_digest body = fake_cluster_body(rig.fake, 1, 1, "hang");
    fake_cluster_give(rig.fake, 1, body, 0, 1, 1);
    long first = wait_for_note(&rig, 0, 0);
    assert_int_equal(kill((pid_t)first, SIGKILL), 0);
    fake_cluster_until(rig.fake, "the crash", fake_has_reports, 1);
    assert_int_equal(rig.fake->tasks[0].code, ZONDA_ERR_CRASH);
    assert_non_null(strstr(rig.fake->tasks[0].text, "signal 9"));
    fake_cluster_give(rig.fake, 1, body, 0, 1, 2);
    int pidfd = watch_process(wait_for_note(&rig, 0, first));
    /* It hears of the cancellation, so the slot lives on and DONE is answered. */
    fake_cluster_cancel(rig.fake, 1);
    fake_cluster_done(rig.fake, 1);
    fake_cluster_until(rig.fake, "the answer to DONE", fake_has_done, 1);
    assert_int_equal(rig.fake->tasks[0].reports, 1);
    assert_int_equal(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 0), 0);
    zn_worker_stop(&rig.worker);
    expect_end(pidfd);
    stop(&rig);
}

/* A function that does not hear is killed, and what its sink had begun is removed before the job
 * counts as done. */
static void test_slot_process_deaf_attempt_is_killed_and_swept(void **state) {
    (void)state;
    process_rig rig;
    start(&rig, 1);
    char *pattern = zn_format("%s/out-{shard}.jsonl", rig.folder);
    zn_digest body = fake_cluster_sink_body(rig.fake, "hang_deaf", pattern);
    free(pattern);
    fake_cluster_give(rig.fake, 1, body, 0, 1, 1);
    int pidfd = watch_process(wait_for_note(&rig, 0, 0));
    assert_int_equal(count_entries(&rig, ".out-"), 1);
    fake_cluster_cancel(rig.fake, 1);
    fake_cluster_done(rig.fake, 1);
    fake_cluster_until(rig.fake, "the answer to DONE", fake_has_done, 1);
    assert_int_equal(count_entries(&rig, ".out-"), 0);
    expect_end(pidfd);
    assert_int_equal(rig.fake->tasks[0].reports, 0);
    stop(&rig);
}

/* A worker that is stopped while its tasks hang leaves no process. */
static void test_slot_process_stop_leaves_no_process(void **state) {
    (void)state;
    process_rig rig;
    start(&rig, 2);
    zn_digest body = fake_cluster_body(rig.fake, 4, 2, "hang_deaf");
    fake_cluster_give(rig.fake, 1, body, 0, 2, 1);
    int first = watch_process(wait_for_note(&rig, 0, 0));
    int second = watch_process(wait_for_note(&rig, 1, 0));
    zn_worker_stop(&rig.worker);
    expect_end(first);
    expect_end(second);
    stop(&rig);
}

/* Slots do not outlive a worker that is killed. */
static void test_slot_process_worker_killed_slots_vanish(void **state) {
    (void)state;
    process_rig rig;
    prepare(&rig);
    char *endpoint = zn_strdup(fake_cluster_endpoint(rig.fake));
    char verb[] = "worker";
    char *arguments[] = { program, verb, endpoint, rig.scratch, NULL };
    pid_t worker = 0;
    assert_int_equal(posix_spawn(&worker, program, NULL, NULL, arguments, environ), 0);
    fake_cluster_until(rig.fake, "registration", fake_is_registered, 1);
    zn_digest body = fake_cluster_body(rig.fake, 4, 2, "hang_deaf");
    fake_cluster_give(rig.fake, 1, body, 0, 2, 1);
    int first = watch_process(wait_for_note(&rig, 0, 0));
    int second = watch_process(wait_for_note(&rig, 1, 0));
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    expect_end(first);
    expect_end(second);
    /* Only a worker that lives can tidy up. */
    char *command = zn_format("rm -r '%s'/zonda-*", rig.folder);
    assert_int_equal(system(command), 0);
    free(command);
    free(endpoint);
    stop(&rig);
}

/* A program that cannot be run is an error at the start. */
static void test_slot_process_missing_program_is_refused(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_worker_options options = { .connect = "tcp://127.0.0.1:1",
                                  .slots = 1,
                                  .kind = ZN_SLOT_PROCESS,
                                  .program = "/nonexistent/zonda" };
    assert_null(zn_worker_start(&options, &error));
    assert_err(error.code, IO);
    assert_non_null(strstr(error.text, "/nonexistent/zonda"));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
        return 2;
    }
    program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_process_crash_fails_only_that_task),
        cmocka_unit_test(test_slot_process_killed_task_runs_again_elsewhere),
        cmocka_unit_test(test_slot_process_deaf_attempt_is_killed_and_swept),
        cmocka_unit_test(test_slot_process_stop_leaves_no_process),
        cmocka_unit_test(test_slot_process_worker_killed_slots_vanish),
        cmocka_unit_test(test_slot_process_missing_program_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
