/* SPDX-License-Identifier: MPL-2.0 */
/* Scratch folders: what killed workers left is removed, and nothing else. */
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "worker/scratch.h"

static int make_parent(void **state) {
    char *path = zn_strdup("/tmp/zonda-scratch-XXXXXX");
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int remove_parent(void **state) {
    int code = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return code;
}

static void put(const char *parent, const char *name) {
    char *path = zn_format("%s/%s", parent, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    free(path);
}

static void put_folder(const char *parent, const char *name, mode_t mode) {
    char *path = zn_format("%s/%s", parent, name);
    assert_int_equal(mkdir(path, mode), 0);
    free(path);
}

static bool is_there(const char *parent, const char *name) {
    char *path = zn_format("%s/%s", parent, name);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

static zn_scratch make(const char *parent) {
    zn_scratch scratch = { 0 };
    zonda_error error = { 0 };
    assert_ok(zn_scratch_make(parent, &scratch, &error), error);
    return scratch;
}

/* A folder of a worker that lives stays, also within one process; removing takes everything. */
static void test_scratch_of_the_living_stays(void **state) {
    zn_scratch first = make(*state);
    put(first.folder, "x.seg");
    zn_scratch second = make(*state);
    assert_true(is_there(first.folder, "x.seg"));
    char *folder = zn_strdup(first.folder);
    zn_scratch_remove(&first);
    assert_int_equal(access(folder, F_OK), -1);
    assert_true(is_there(second.folder, "lock"));
    zn_scratch_remove(&second);
    zn_scratch_remove(&second);
    free(folder);
}

/* A folder of a worker that was killed goes when the next one starts. */
static void test_scratch_of_the_killed_is_removed(void **state) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        zn_scratch scratch = { 0 };
        if (zn_scratch_make(*state, &scratch, NULL) == ZONDA_OK) {
            put(scratch.folder, "x.seg");
            dprintf(ends[1], "%s\n", scratch.folder);
        }
        close(ends[1]);
        pause();
    }
    close(ends[1]);
    char folder[256] = "";
    FILE *stream = fdopen(ends[0], "r");
    assert_non_null(fgets(folder, sizeof folder, stream));
    fclose(stream);
    folder[strcspn(folder, "\n")] = '\0';
    assert_true(is_there(folder, "x.seg"));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    zn_scratch next = make(*state);
    assert_int_equal(access(folder, F_OK), -1);
    zn_scratch_remove(&next);
}

/* Other names, folders without a lock, wrong modes, links and files stay. */
static void test_scratch_of_others_stays(void **state) {
    static const char *const folders[] = { "zonda-abcdef", "zonda-test-abcdef", "zonda-abcde",
                                           "zonda-abc.ef", "other-abcdef" };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        put_folder(*state, folders[i], 0700);
    }
    char *locked[] = { zn_format("%s/zonda-test-abcdef", (char *)*state),
                       zn_format("%s/zonda-opened", (char *)*state) };
    put(locked[0], "lock");
    put_folder(*state, "zonda-opened", 0755);
    put(locked[1], "lock");
    put(*state, "zonda-afile0");
    char *link_path = zn_format("%s/zonda-linked", (char *)*state);
    assert_int_equal(symlink(locked[0], link_path), 0);
    zn_scratch next = make(*state);
    zn_scratch_remove(&next);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_true(is_there(*state, folders[i]));
    }
    assert_true(is_there(locked[0], "lock"));
    assert_true(is_there(locked[1], "lock"));
    assert_true(is_there(*state, "zonda-afile0"));
    assert_true(is_there(*state, "zonda-linked"));
    free(link_path);
    free(locked[0]);
    free(locked[1]);
}

/* Sockets go to /tmp where the path would be too long for them. */
static void test_scratch_long_path_has_sockets_apart(void **state) {
    char deep[100];
    memset(deep, 'd', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    char *parent = zn_format("%s/%s", (char *)*state, deep);
    put_folder(*state, deep, 0700);
    zn_scratch scratch = make(parent);
    assert_string_not_equal(scratch.folder, scratch.sockets);
    assert_memory_equal(scratch.sockets, "/tmp/zonda-", 11);
    char *sockets = zn_strdup(scratch.sockets);
    zn_scratch_remove(&scratch);
    assert_int_equal(access(sockets, F_OK), -1);
    free(sockets);
    free(parent);
}

/* A parent that is not there is named. */
static void test_scratch_without_parent_is_io(void **state) {
    (void)state;
    zn_scratch scratch = { 0 };
    zonda_error error = { 0 };
    assert_err(zn_scratch_make("/nonexistent/folder", &scratch, &error), IO);
    assert_non_null(strstr(error.text, "/nonexistent/folder"));
}

#define WITH_PARENT(test) cmocka_unit_test_setup_teardown(test, make_parent, remove_parent)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PARENT(test_scratch_of_the_living_stays),
        WITH_PARENT(test_scratch_of_the_killed_is_removed),
        WITH_PARENT(test_scratch_of_others_stays),
        WITH_PARENT(test_scratch_long_path_has_sockets_apart),
        cmocka_unit_test(test_scratch_without_parent_is_io),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
