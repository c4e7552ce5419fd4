/* SPDX-License-Identifier: MPL-2.0 */
/* Globs, in a tree with hidden files, links, loops and odd names. Results are compared as one text
 * "<path> <path> …", so order and duplicates show. */
#include "test.h"

#include "folder.h"
#include "store/glob.h"
#include "store/glob_match.h"

static char start[4096];

static int tree_setup(void **state) {
    static const char *const files[] = {
        "a.txt",       "b.txt",      "b.jsonl",     ".hidden.txt",  "d/a.txt",   "d/e/a.txt",
        "d/e/f/c.txt", "d/.h/x.txt", "w x/'q'.txt", "\xC3\xA9.txt", "star*.txt", "[1].txt",
        "c1.txt",      "c2.txt",     "c10.txt",     "{x,y}.txt",    "d/e/Z.txt", "back\\slash.txt",
    };
    static const char *const folders[] = { "d", "d/e", "d/e/f", "d/.h", "w x", "empty", "f.txt" };
    if (folder_setup(state) != 0 || getcwd(start, sizeof start) == NULL || chdir(*state) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(mkdir(folders[i], 0700), 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        file_put(files[i], zn_bytes_of_text("x"));
    }
    assert_int_equal(symlink("..", "d/loop"), 0);
    assert_int_equal(symlink("nowhere", "broken.txt"), 0);
    assert_int_equal(symlink("a.txt", "link.md"), 0);
    assert_int_equal(mkfifo("pipe.txt", 0600), 0);
    return 0;
}

static int tree_teardown(void **state) {
    return chdir(start) != 0 ? -1 : folder_teardown(state);
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

static char *joined(const zn_paths *paths) {
    zn_buf out = { 0 };
    for (size_t i = 0; i < paths->count; i++) {
        zn_buf_printf(&out, "%s%s", i == 0 ? "" : " ", paths->items[i]);
    }
    zn_buf_append_byte(&out, 0);
    return (char *)out.data;
}

/* Every kind of wildcard finds just its files, sorted, once. */
static void test_glob_table(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "a.txt", "a.txt" },
        { "./a.txt", "./a.txt" },
        { "?.txt", "a.txt b.txt \xC3\xA9.txt" },
        { "[ab].txt", "a.txt b.txt" },
        { "[!a].txt", "b.txt \xC3\xA9.txt" },
        { "[^a-z].txt", "\xC3\xA9.txt" },
        { "c[0-9].txt", "c1.txt c2.txt" },
        { "c[[:digit:]]*.txt", "c1.txt c10.txt c2.txt" },
        { "{b,a,b}.txt", "a.txt b.txt" },
        { "{a,b.{txt,jsonl},nope}*", "a.txt b.jsonl b.txt" },
        { "c{1,2,10}.txt", "c1.txt c10.txt c2.txt" },
        { "star\\*.txt", "star*.txt" },
        { "star[*].txt", "star*.txt" },
        { "\\[1\\].txt", "[1].txt" },
        { "[[]1].txt", "[1].txt" },
        { "\\{x,y\\}.txt", "{x,y}.txt" },
        { "back\\\\slash.txt", "back\\slash.txt" },
        { "w x/'q'.txt", "w x/'q'.txt" },
        { "w?x/*", "w x/'q'.txt" },
        { "*/a.txt", "d/a.txt" },
        { "d//e/*", "d/e/Z.txt d/e/a.txt" },
        { ".h*", ".hidden.txt" },
        { "d/.*/x.txt", "d/.h/x.txt" },
        { "*.md", "link.md" },
        { "d/loop/a.txt", "d/loop/a.txt" },
        { "d/l*/b.jsonl", "d/loop/b.jsonl" },
        { "d/**", "d/a.txt d/e/Z.txt d/e/a.txt d/e/f/c.txt" },
        { "d/**/a.txt", "d/a.txt d/e/a.txt" },
        { "**/**/a.txt", "a.txt d/a.txt d/e/a.txt" },
        { "**/e/**/*.txt", "d/e/Z.txt d/e/a.txt d/e/f/c.txt" },
        { "**/[aZ].txt", "a.txt d/a.txt d/e/Z.txt d/e/a.txt" },
        { "**/f/c.txt", "d/e/f/c.txt" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_paths paths = { 0 };
        zonda_error error = { 0 };
        zonda_err code = zn_glob(rows[i][0], &paths, &error);
        if (code != ZONDA_OK) {
            fail_msg("'%s': %s", rows[i][0], error.text);
        }
        char *text = joined(&paths);
        if (strcmp(text, rows[i][1]) != 0) {
            fail_msg("'%s': %s", rows[i][0], text);
        }
        free(text);
        zn_paths_free(&paths);
    }
}

/* An absolute pattern gives absolute paths. */
static void test_glob_absolute_stays_absolute(void **state) {
    char *pattern = zn_format("/%s//d/e/*.txt", (char *)*state);
    char *expected = zn_format("%s/d/e/Z.txt %s/d/e/a.txt", (char *)*state, (char *)*state);
    zn_paths paths = { 0 };
    zonda_error error = { 0 };
    assert_ok(zn_glob(pattern, &paths, &error), error);
    char *text = joined(&paths);
    assert_string_equal(text, expected);
    free(text);
    zn_paths_free(&paths);
    free(expected);
    free(pattern);
}

/* Nothing found is NO_MATCH with the reason; what is there but no file is IO. */
static void test_glob_failures_table(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        zonda_err code;
        const char *reason;
    } rows[] = {
        { "", ZONDA_ERR_NO_MATCH, "no file matches ''" },
        { "missing.txt", ZONDA_ERR_NO_MATCH, "No such file" },
        { "a.txt/x", ZONDA_ERR_NO_MATCH, "Not a directory" },
        { "broken.txt", ZONDA_ERR_NO_MATCH, "No such file" },
        { "*.zip", ZONDA_ERR_NO_MATCH, "no file matches '*.zip'" },
        { "{x,y}.txt", ZONDA_ERR_NO_MATCH, "no file matches" },
        { "empty/**", ZONDA_ERR_NO_MATCH, "no file matches" },
        { "pipe*", ZONDA_ERR_NO_MATCH, "no file matches" },
        { "*/", ZONDA_ERR_NO_MATCH, "no file matches" },
        { "nowhere/*/x", ZONDA_ERR_NO_MATCH, "no file matches" },
        { "d", ZONDA_ERR_IO, "folder" },
        { "f.txt", ZONDA_ERR_IO, "folder" },
        { "pipe.txt", ZONDA_ERR_IO, "not a regular file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        zn_paths paths = { 0 };
        zonda_error error = { 0 };
        zonda_err code = zn_glob(rows[i].pattern, &paths, &error);
        if (code != rows[i].code || strstr(error.text, rows[i].reason) == NULL) {
            fail_msg("'%s': %s: %s", rows[i].pattern, zonda_err_name(code), error.text);
        }
        assert_int_equal(error.code, code);
        assert_int_equal(paths.count, 0);
        assert_null(paths.items);
    }
}

/* Braces that stand for too many patterns are a LIMIT, not a full memory. */
static void test_glob_brace_bomb_is_limit(void **state) {
    (void)state;
    zn_buf pattern = { 0 };
    for (int i = 0; i < 40; i++) {
        zn_buf_append_text(&pattern, "{a,b}");
    }
    zn_buf_append_byte(&pattern, 0);
    zn_paths paths = { 0 };
    zonda_error error = { 0 };
    assert_err(zn_glob((char *)pattern.data, &paths, &error), LIMIT);
    zn_buf_reset(&pattern, 0);
    for (int i = 0; i < 5000; i++) {
        zn_buf_append_text(&pattern, "{");
    }
    zn_buf_append_byte(&pattern, 0);
    assert_err(zn_glob((char *)pattern.data, &paths, &error), LIMIT);
    zn_buf_free(&pattern);
}

/* A folder without permission is an error, not silence. Root may read all, so it steps down. */
static void test_glob_closed_folder_is_io(void **state) {
    (void)state;
    const uid_t nobody = 65534;
    const uid_t user = geteuid();
    assert_int_equal(chmod(".", 0755) | chmod("d", 0755) | chmod("d/e", 0), 0);
    assert_int_equal(user == 0 ? seteuid(nobody) : 0, 0);
    zn_paths paths = { 0 };
    zonda_error error = { 0 };
    zonda_err code = zn_glob("d/**/*.txt", &paths, &error);
    assert_int_equal(user == 0 ? seteuid(user) : 0, 0);
    assert_int_equal(chmod("d/e", 0700), 0);
    assert_err(code, IO);
    assert_non_null(strstr(error.file, "d/e"));
    assert_non_null(strstr(error.text, "Permission denied"));
}

/* The matcher alone: stars that must go back, sets with odd members, names that are not UTF-8. */
static void test_glob_match_table(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        const char *name;
        bool match;
    } rows[] = {
        { "*", "", true },
        { "*", ".a", false },
        { ".*", ".a", true },
        { "", "", true },
        { "", "a", false },
        { "a", "", false },
        { "*a*b*c", "xaxbxbxc", true },
        { "*a*b*c", "xaxcxb", false },
        { "a*", "a", true },
        { "*.txt", "a.txt.gz", false },
        { "?", "\xE2\x82\xAC", true },
        { "??", "\xC3\xA9", false },
        { "?", "\xFF", true },
        { "\xFF", "\xFF", true },
        { "??", "\xC3", false },
        { "[]]", "]", true },
        { "[]a]", "a", true },
        { "[!]]", "a", true },
        { "[a-]", "-", true },
        { "[\\]]", "]", true },
        { "[a", "[a", true },
        { "[\xC3\xA0-\xC3\xBF]", "\xC3\xA9", true },
        { "[[:alpha:]_]", "_", true },
        { "[[:upper:]]", "a", false },
        { "[z-a]", "m", false },
        { "\\", "\\", true },
        { "?a", ".a", false },
        { "[.]a", ".a", false },
        { "\\.a", ".a", true },
        { "**", "abc", true },
        { "a**c", "abc", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (zn_glob_match(rows[i].pattern, rows[i].name) != rows[i].match) {
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].name);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        tree_test(test_glob_table),
        tree_test(test_glob_absolute_stays_absolute),
        tree_test(test_glob_failures_table),
        cmocka_unit_test(test_glob_brace_bomb_is_limit),
        tree_test(test_glob_closed_folder_is_io),
        cmocka_unit_test(test_glob_match_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
