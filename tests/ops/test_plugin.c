/* SPDX-License-Identifier: MPL-2.0 */
/* Plug-ins as a slot gets them: what is checked before any of their code can run, how they are kept
 * and loaded, and what is said about those that are wrong. */
#include "test.h"

#include <dirent.h>
#include <elf.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "fake_host.h"
#include "ops/plugin.h"

static fake_host host;
static size_t asked;
static zonda_err (*give_blob)(void *context, zn_digest digest, zn_bytes *out, zonda_error *error);

static zonda_err count_blob(void *context, zn_digest digest, zn_bytes *out, zonda_error *error) {
    asked++;
    return give_blob(context, digest, out, error);
}

static int open_host(void **state) {
    (void)state;
    fake_host_open(&host);
    give_blob = host.host.blob;
    host.host.blob = count_blob;
    asked = 0;
    return 0;
}

static int close_host(void **state) {
    (void)state;
    fake_host_close(&host);
    return 0;
}

static zn_buf read_plugin(const char *name) {
    zn_buf bytes = { 0 };
    char *path = zn_format("%s/plugin_%s.so", getenv("PLUGIN_FOLDER"), name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        zn_buf_append(&bytes, chunk, got);
    }
    fclose(file);
    free(path);
    return bytes;
}

static zn_digest put_plugin(const char *name) {
    zn_buf bytes = read_plugin(name);
    zn_digest digest = fake_host_put(&host, zn_buf_bytes(&bytes));
    zn_buf_free(&bytes);
    return digest;
}

/* Entries of the scratch folder; `mode`: of the last one. */
static size_t count_files(mode_t *mode) {
    size_t count = 0;
    DIR *folder = opendir(host.folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            struct stat status;
            char *path = fake_host_path(&host, entry->d_name);
            assert_int_equal(stat(path, &status), 0);
            *mode = status.st_mode & 0777;
            free(path);
            count++;
        }
    }
    closedir(folder);
    return count;
}

/* The head of an ELF file, as much as is looked at. */
static zn_bytes elf(uint8_t class, uint8_t order, uint8_t type, uint8_t machine) {
    static uint8_t head[sizeof(Elf64_Ehdr)];
    memset(head, 0, sizeof head);
    memcpy(head, ELFMAG, SELFMAG);
    head[EI_CLASS] = class;
    head[EI_DATA] = order;
    size_t low = order == ELFDATA2MSB ? 1 : 0;
    head[offsetof(Elf64_Ehdr, e_type) + low] = type;
    head[offsetof(Elf64_Ehdr, e_machine) + low] = machine;
    return (zn_bytes){ .data = head, .len = sizeof head };
}

static void expect_refused(zn_bytes bytes, bool native, const char *code, const char *words) {
    zonda_error error = { 0 };
    assert_string_equal(zonda_err_name(zn_plugin_check(bytes, "mine.so", native, &error)), code);
    assert_non_null(strstr(error.text, words));
    assert_non_null(strstr(error.text, "mine.so"));
    assert_true(error.permanent);
}

/* What is not a shared library is named before anything is loaded. */
static void test_plugin_check_of_other_files_says_what_they_are(void **state) {
    (void)state;
    expect_refused((zn_bytes){ 0 }, false, "PLAN", "no ELF file");
    expect_refused(zn_bytes_of_text("#!/bin/sh\n"), false, "PLAN", "no ELF file");
    zn_bytes cut = elf(ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_X86_64);
    cut.len = 20;
    expect_refused(cut, false, "PLAN", "no ELF file");
    expect_refused(elf(ELFCLASS64, ELFDATA2LSB, ET_REL, EM_X86_64), false, "PLAN", "-shared");
    expect_refused(elf(ELFCLASS64, ELFDATA2LSB, ET_EXEC, EM_X86_64), true, "PLAN", "-shared");
}

/* More than the limit is not even looked at. */
static void test_plugin_check_of_a_large_file_names_the_limit(void **state) {
    (void)state;
    zn_bytes large = elf(ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_X86_64);
    large.len = (size_t)ZN_PLUGIN_BYTES_MAX + 1;
    expect_refused(large, false, "LIMIT", "more than the limit of 268435456");
}

/* A library for another processor is named with both; the driver lets it pass, because its workers
 * may be such machines. */
static void test_plugin_check_of_another_processor_names_it(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_bytes big = elf(ELFCLASS64, ELFDATA2MSB, ET_DYN, EM_S390);
    assert_ok(zn_plugin_check(big, "mine.so", false, &error), error);
    expect_refused(big, true, "UNSUPPORTED", "s390x");
#ifdef __aarch64__
    expect_refused(elf(ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_X86_64), true, "UNSUPPORTED", "x86-64");
#else
    expect_refused(elf(ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_AARCH64), true, "UNSUPPORTED",
                   "AArch64");
#endif
    expect_refused(elf(ELFCLASS32, ELFDATA2LSB, ET_DYN, EM_386), true, "UNSUPPORTED", "32 bits");
    expect_refused(elf(ELFCLASS64, ELFDATA2LSB, ET_DYN, 200), true, "UNSUPPORTED", "another");
}

/* A plug-in is fetched and loaded once; what is kept is for the user only, and nothing is beside
 * it. */
static void test_plugin_load_twice_asks_for_the_bytes_once(void **state) {
    (void)state;
    zonda_error error = { 0 };
    mode_t mode = 0;
    const zonda_plugin_table *first = NULL;
    const zonda_plugin_table *second = NULL;
    zn_digest digest = put_plugin("good");
    assert_ok(zn_plugin_load(&host.host, digest, "good.so", &first, &error), error);
    assert_int_equal(asked, 1);
    assert_int_equal(count_files(&mode), 1);
    assert_int_equal(mode, 0700);
    assert_ok(zn_plugin_load(&host.host, digest, "good.so", &second, &error), error);
    assert_ptr_equal(first, second);
    assert_int_equal(asked, 1);
    assert_string_equal(first->name, "good");
}

/* Names of functions are found; one that is not there is answered with those that are. */
static void test_plugin_find_of_an_unknown_name_lists_the_known(void **state) {
    (void)state;
    zonda_error error = { 0 };
    const zonda_plugin_table *table = NULL;
    zonda_function function = { 0 };
    assert_ok(zn_plugin_load(&host.host, put_plugin("good"), "good.so", &table, &error), error);
    assert_ok(zn_plugin_find(table, "good.so", zn_bytes_of_text("sum"), &function, &error), error);
    assert_non_null(function.call);
    assert_non_null(function.open);
    assert_non_null(function.close);
    assert_err(zn_plugin_find(table, "good.so", zn_bytes_of_text("smu"), &function, &error),
               NOT_FOUND);
    assert_non_null(strstr(error.text, "good.so has no function \"smu\"; it has: twice, is_odd"));
    assert_true(error.permanent);
}

static void expect_not_loaded(const char *name, const char *code, const char *words) {
    zonda_error error = { 0 };
    const zonda_plugin_table *table = NULL;
    zn_digest digest = put_plugin(name);
    for (size_t round = 0; round < 2; round++) {
        asked = 0;
        zonda_err err = zn_plugin_load(&host.host, digest, "bad.so", &table, &error);
        assert_string_equal(zonda_err_name(err), code);
        if (strstr(error.text, words) == NULL || strstr(error.text, "bad.so") == NULL) {
            fail_msg("%s", error.text);
        }
        assert_null(strstr(error.text, host.folder));
        assert_true(error.permanent);
        /* The second time the file of the first is there, as for another slot of the worker. */
        assert_int_equal(asked, round == 0 ? 1 : 0);
    }
    assert_null(table);
}

/* A library of another version, without the table, or with a symbol that nobody has, is refused in
 * words for its author. */
static void test_plugin_load_of_a_wrong_library_says_why(void **state) {
    (void)state;
    expect_not_loaded("other_abi", "UNSUPPORTED", "version 77");
    expect_not_loaded("no_table", "PLAN", "no symbol zonda_plugin_v1");
    expect_not_loaded("missing_symbol", "PLAN", "undefined symbol: nobody_has_this");
}

/* Bytes for another machine are not even kept. */
static void test_plugin_load_for_another_processor_keeps_nothing(void **state) {
    (void)state;
    zonda_error error = { 0 };
    mode_t mode = 0;
    const zonda_plugin_table *table = NULL;
    zn_digest digest = fake_host_put(&host, elf(ELFCLASS64, ELFDATA2MSB, ET_DYN, EM_S390));
    assert_err(zn_plugin_load(&host.host, digest, "far.so", &table, &error), UNSUPPORTED);
    assert_int_equal(count_files(&mode), 0);
    assert_err(zn_plugin_load(&host.host, (zn_digest){ { 9 } }, "no.so", &table, &error),
               UNKNOWN_BLOB);
}

/* Without a folder to keep it in there is an error with its name, which another worker may not
 * have. */
static void test_plugin_load_without_scratch_is_an_error(void **state) {
    (void)state;
    zonda_error error = { 0 };
    const zonda_plugin_table *table = NULL;
    host.host.scratch = "/nowhere/at/all";
    zn_digest digest = put_plugin("no_table");
    assert_err(zn_plugin_load(&host.host, digest, "lost.so", &table, &error), IO);
    assert_non_null(strstr(error.file, "/nowhere/at/all"));
    assert_false(error.permanent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plugin_check_of_other_files_says_what_they_are),
        cmocka_unit_test(test_plugin_check_of_a_large_file_names_the_limit),
        cmocka_unit_test(test_plugin_check_of_another_processor_names_it),
        cmocka_unit_test_setup_teardown(test_plugin_load_twice_asks_for_the_bytes_once, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(test_plugin_find_of_an_unknown_name_lists_the_known,
                                        open_host, close_host),
        cmocka_unit_test_setup_teardown(test_plugin_load_of_a_wrong_library_says_why, open_host,
                                        close_host),
        cmocka_unit_test_setup_teardown(test_plugin_load_for_another_processor_keeps_nothing,
                                        open_host, close_host),
        cmocka_unit_test_setup_teardown(test_plugin_load_without_scratch_is_an_error, open_host,
                                        close_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
