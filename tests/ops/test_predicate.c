/* SPDX-License-Identifier: MPL-2.0 */
/* Filters that are answered without Lua say what Lua says: on chosen cases, and on random
 * expressions and records. The seed is printed; give it in ZN_TEST_SEED to see a run again. */
#include "random_filter.h"
#include "test.h"

#include "base/clock.h"
#include "ops/lua_chunk.h"
#include "ops/lua_state.h"
#include "ops/predicate.h"
#include "record/value.h"

enum {
#ifdef __SANITIZE_THREAD__
    EXPRESSIONS = 600, /* its shadow stack grows with every error of Lua, which jumps */
#else
    EXPRESSIONS = 4000,
#endif
    RECORDS = 12
};

/* A filter in both forms. */
typedef struct filter {
    zn_lua_state *state;
    zn_lua_chunk *chunk; /* NULL: Lua does not take the text */
    zn_predicate *predicate;
    char *text;
} filter;

static void filter_open(filter *self, const char *text) {
    zn_lua_limits limits = zn_lua_limits_of(0, 0);
    zonda_error error = { 0 };
    *self = (filter){ .text = strdup(text) };
    zn_bytes bytes = zn_bytes_of_text(self->text);
    self->state = zn_lua_state_new(&limits, &error);
    assert_non_null(self->state);
    self->chunk = zn_lua_chunk_new(self->state, "filter", false, ZN_CALL_FILTER, bytes, &error);
    self->predicate = zn_predicate_new(bytes);
    size_t count = 0;
    const zn_bytes *names =
        self->predicate == NULL ? NULL : zn_predicate_names(self->predicate, &count);
    for (size_t i = 0; self->chunk != NULL && i < count; i++) {
        if (zn_lua_chunk_has_global(self->chunk, names[i])) {
            zn_predicate_set_global(self->predicate, i);
        }
    }
}

static void filter_close(filter *self) {
    zn_predicate_destroy(&self->predicate);
    zn_lua_chunk_destroy(&self->chunk);
    zn_lua_state_destroy(&self->state);
    free(self->text);
}

static void fail_about(const filter *self, zn_bytes record, const char *what) {
    zn_buf hex = { 0 };
    for (size_t i = 0; i < record.len; i++) {
        zn_buf_printf(&hex, "%02x", record.data[i]);
    }
    fail_msg("%s: %s of %.*s", what, self->text, TEST_TEXT(hex));
}

/* Asks both; true if the predicate knew. It may know only what Lua says without an error. */
static bool agrees(filter *self, zn_bytes record) {
    zn_predicate_answer answer = zn_predicate_ask(self->predicate, record);
    bool truth = false;
    zonda_err err = zn_lua_chunk_call(self->chunk, &record, NULL, &truth, &(zonda_error){ 0 });
    if (answer != ZN_PREDICATE_UNSURE && err != ZONDA_OK) {
        fail_about(self, record, "Lua raises an error");
    }
    if (answer != ZN_PREDICATE_UNSURE && truth != (answer == ZN_PREDICATE_TRUE)) {
        fail_about(self, record, truth ? "Lua says yes" : "Lua says no");
    }
    return answer != ZN_PREDICATE_UNSURE;
}

static uint64_t first_seed(void) {
    const char *given = getenv("ZN_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : zn_random_id();
    print_message("ZN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* ---- tests ---- */

/* Runs random records through the filter; returns how often the predicate knew. */
static unsigned check_records(filter *self, uint64_t *seed) {
    unsigned known = 0;
    zn_buf record = { 0 };
    for (int i = 0; i < RECORDS; i++) {
        zonda_error error = { 0 };
        record.len = 0;
        put_random_record(&record, seed);
        assert_ok(zn_value_check(zn_buf_bytes(&record), &error), error);
        known += agrees(self, zn_buf_bytes(&record));
    }
    zn_buf_free(&record);
    return known;
}

static void check_random(void (*put)(zn_buf *out, uint64_t *seed), unsigned *seen,
                         unsigned *known) {
    uint64_t seed = first_seed();
    zn_buf text = { 0 };
    *seen = *known = 0;
    for (int i = 0; i < EXPRESSIONS; i++) {
        filter both;
        text.len = 0;
        put(&text, &seed);
        zn_buf_append_byte(&text, '\0');
        filter_open(&both, (char *)text.data);
        if (both.predicate != NULL && both.chunk == NULL) {
            fail_msg("Lua does not take %s", both.text);
        }
        if (both.predicate != NULL) {
            *seen += RECORDS;
            *known += check_records(&both, &seed);
        }
        filter_close(&both);
    }
    zn_buf_free(&text);
}

/* Expressions of the form agree with Lua, and many are known. */
static void test_predicate_random_expressions_agree_with_lua(void **state) {
    (void)state;
    unsigned seen;
    unsigned known;
    check_random(put_random_expression, &seen, &known);
    assert_in_range(seen, EXPRESSIONS * RECORDS / 3, EXPRESSIONS * RECORDS);
    assert_in_range(known, seen / 4, seen);
}

/* What only looks like the form is left to Lua. */
static void test_predicate_random_tokens_agree_with_lua(void **state) {
    (void)state;
    unsigned seen;
    unsigned known;
    check_random(put_random_tokens, &seen, &known);
    assert_in_range(seen, RECORDS, EXPRESSIONS * RECORDS);
}

/* Texts that are of the form, and texts that are not. */
static const char *const taken_texts[] = {
    "size > 100000",
    "100000<size",
    "r.a == 'x' and not (b or r[\"c d\"] ~= nil)",
    "a",
    "  a  ",
    "not not a",
    "nil",
    "a > -1.5",
    "a ==\n1",
    "r:find('x')",
    "r : find ( \"a.b\" , 1 , true )",
    "not a:find('x') and r.b:find('', 1)",
};

static const char *const other_texts[] = {
    "a:find('x.')",
    "a:find('x-', 1)",
    "a:find('x', 2)",
    "a:find('x', 1.0)",
    "a:find('x', 10)",
    "a:find('x', 1, 1)",
    "a:find('x', 1, true, 1)",
    "a:find(b)",
    "a:find('x') == 1",
    "1 == a:find('x')",
    "a:find('x'):y()",
    "a:match('x')",
    "a:find 'x'",
    "a.find('x')",
    "nil:find('x')",
    "",
    "a > b",
    "1 < 2",
    "a == 1 == true",
    "not a == 1",
    "(a) == 1",
    "a + 1 > 2",
    "#a > 1",
    "a.b == 1",
    "r.a.b == 1",
    "f(a)",
    "a 'x'",
    "r",
    "r == nil",
    "_ENV",
    "a > 1e3",
    "a > 0x1F",
    "a > .5",
    "a > 5.",
    "a > --1\n2",
    "a > 1 -- more",
    "a == 'x\\n'",
    "a == [[x]]",
    "a > 1234567890123456789",
    "a > 0.1234567890123456",
    "a == 'x",
    "(a",
    "a)",
    "a and",
    "end == 1",
    "r.end == 1",
    "a, b",
    "é == 1",
};

static void check_form(const char *const *form_texts, size_t count, bool taken) {
    for (size_t i = 0; i < count; i++) {
        zn_predicate *predicate = zn_predicate_new(zn_bytes_of_text(form_texts[i]));
        if ((predicate != NULL) != taken) {
            fail_msg("%s is%s taken", form_texts[i], taken ? " not" : "");
        }
        zn_predicate_destroy(&predicate);
    }
}

static void test_predicate_form_is_recognised(void **state) {
    (void)state;
    check_form(taken_texts, sizeof taken_texts / sizeof taken_texts[0], true);
    check_form(other_texts, sizeof other_texts / sizeof other_texts[0], false);
}

/* Terms, names and depth are bounded; beyond that it is Lua's. */
static void test_predicate_large_texts_are_left_to_lua(void **state) {
    (void)state;
    zn_buf text = { 0 };
    zn_buf_append_text(&text, "a == 1");
    for (int i = 0; i < 1000; i++) {
        zn_buf_append_text(&text, " or a == 1");
    }
    assert_null(zn_predicate_new(zn_buf_bytes(&text)));
    text.len = 0;
    for (int i = 0; i < 1000; i++) {
        zn_buf_append_byte(&text, '(');
    }
    assert_null(zn_predicate_new(zn_buf_bytes(&text)));
    text.len = 0;
    for (int i = 0; i < 17; i++) {
        zn_buf_printf(&text, "%sf%d", i == 0 ? "" : " or ", i);
    }
    assert_null(zn_predicate_new(zn_buf_bytes(&text)));
    zn_buf_free(&text);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicate_form_is_recognised),
        cmocka_unit_test(test_predicate_large_texts_are_left_to_lua),
        cmocka_unit_test(test_predicate_random_expressions_agree_with_lua),
        cmocka_unit_test(test_predicate_random_tokens_agree_with_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
