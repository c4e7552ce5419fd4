/* SPDX-License-Identifier: MPL-2.0 */
/* The memory of the machine and of control groups, from files of a made-up system. */
#include "test.h"

#include <ftw.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/machine_memory.h"

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int make_root(void **state) {
    char *root = zn_strdup("/tmp/zonda-test-XXXXXX");
    *state = root;
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int remove_root(void **state) {
    int code = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return code;
}

static void put_file(const char *root, const char *name, const char *text) {
    char *path = zn_format("%s/%s", root, name);
    for (char *at = strchr(path + strlen(root) + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static void test_machine_memory_without_groups_is_the_machine(void **state) {
    assert_int_equal(zn_machine_memory(*state), 0);
    put_file(*state, "proc/meminfo", "MemTotal:       4096 kB\nMemFree: 7 kB\n");
    assert_int_equal(zn_machine_memory(*state), 4096 * 1024);
    put_file(*state, "proc/self/cgroup", "0::/user/session\n");
    assert_int_equal(zn_machine_memory(*state), 4096 * 1024);
    put_file(*state, "sys/fs/cgroup/user/memory.max", "max\n");
    assert_int_equal(zn_machine_memory(*state), 4096 * 1024);
}

/* The least of the group, of those above it, and of the machine. */
static void test_machine_memory_with_groups_is_the_least(void **state) {
    put_file(*state, "proc/meminfo", "MemTotal:       4096 kB\n");
    put_file(*state, "proc/self/cgroup", "0::/user/session\n");
    put_file(*state, "sys/fs/cgroup/user/session/memory.max", "3000000\n");
    assert_int_equal(zn_machine_memory(*state), 3000000);
    put_file(*state, "sys/fs/cgroup/user/memory.max", "2000000\n");
    assert_int_equal(zn_machine_memory(*state), 2000000);
    put_file(*state, "sys/fs/cgroup/memory.max", "1000000\n");
    assert_int_equal(zn_machine_memory(*state), 1000000);
    put_file(*state, "sys/fs/cgroup/memory.max", "100000000\n");
    assert_int_equal(zn_machine_memory(*state), 2000000);
}

static void test_machine_memory_of_version_1(void **state) {
    put_file(*state, "proc/meminfo", "MemTotal:       4096 kB\n");
    put_file(*state, "proc/self/cgroup",
             "5:cpu,cpuacct:/elsewhere\n4:memory:/not/visible\nnonsense\n0::/\n");
    put_file(*state, "sys/fs/cgroup/memory/memory.limit_in_bytes", "1234567\n");
    assert_int_equal(zn_machine_memory(*state), 1234567);
}

/* What processes need is left out; slots get equal parts, and never too little to work. */
static void test_machine_memory_share_table(void **state) {
    (void)state;
    uint64_t needed = ZN_MEMORY_WORKER_BYTES + 4 * (uint64_t)ZN_MEMORY_SLOT_BYTES;
    assert_int_equal(zn_machine_memory_share(needed + 400 * (uint64_t)ZN_MIB, 4), 100 * ZN_MIB);
    assert_int_equal(zn_machine_memory_share(needed + ZN_MIB, 4), ZN_MEMORY_BYTES_MIN);
    assert_int_equal(zn_machine_memory_share(0, 1), ZN_MEMORY_BYTES_MIN);
}

#define root_test(function) cmocka_unit_test_setup_teardown(function, make_root, remove_root)

int main(void) {
    const struct CMUnitTest tests[] = {
        root_test(test_machine_memory_without_groups_is_the_machine),
        root_test(test_machine_memory_with_groups_is_the_least),
        root_test(test_machine_memory_of_version_1),
        cmocka_unit_test(test_machine_memory_share_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
