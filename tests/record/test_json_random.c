/* SPDX-License-Identifier: MPL-2.0 */
/* Random values to JSON and back, and random damage to JSON. The seed is printed; give it in
 * ZN_TEST_SEED to see a run again. */
#include "test.h"

#include <math.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "record/json.h"
#include "record/json_locate.h"
#include "record/value.h"

enum {
    ROUNDS = 4000,
    VALUES_MAX = 60,
    DEPTH_MAX = 12,
    DAMAGES = 3,
    NAMES_MAX = 4
};

/* A hash of a counter is random enough. */
static uint64_t next_random(uint64_t *seed) {
    *seed += 1;
    return zn_checksum((zn_bytes){ .data = (const uint8_t *)seed, .len = sizeof *seed });
}

static uint32_t below(uint64_t *seed, uint32_t limit) {
    return (uint32_t)(next_random(seed) % limit);
}

static uint64_t first_seed(void) {
    const char *given = getenv("ZN_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : zn_random_id();
    print_message("ZN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void put_random_string(zn_buf *out, uint64_t *seed) {
    static const char *const pieces[] = {
        "a",
        "key",
        "\"",
        "\\",
        "\n",
        "\x01",
        "\x7f",
        "/",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xf4\x8f\xbf\xbf",
        "plain text of some length ",
    };
    zn_buf text = { 0 };
    uint32_t count = below(seed, 8) == 0 ? below(seed, 100) : below(seed, 4);
    for (uint32_t i = 0; i < count; i++) {
        zn_buf_append_text(&text, pieces[below(seed, sizeof pieces / sizeof pieces[0])]);
    }
    if (below(seed, 10) == 0) {
        zn_buf_append_byte(&text, 0);
    }
    zn_put_string(out, zn_buf_bytes(&text));
    zn_buf_free(&text);
}

static double random_double(uint64_t *seed) {
    for (;;) {
        uint64_t bits = next_random(seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        switch (below(seed, 3)) {
        case 0:
            value = (double)(int32_t)bits / 100;
            break;
        case 1:
            value = (double)(bits >> below(seed, 64));
            break;
        default:
            break;
        }
        if (isfinite(value)) {
            return value;
        }
    }
}

static void put_random(zn_buf *out, uint64_t *seed, unsigned depth, unsigned *budget) {
    *budget -= *budget > 0;
    uint32_t count = *budget == 0 || depth == DEPTH_MAX ? 0 : below(seed, 20);
    switch (below(seed, depth == 0 ? 2 : 9)) {
    case 0:
        zn_put_map(out, count);
        for (uint32_t i = 0; i < count; i++) {
            put_random_string(out, seed);
            put_random(out, seed, depth + 1, budget);
        }
        break;
    case 1:
        zn_put_array(out, count);
        for (uint32_t i = 0; i < count; i++) {
            put_random(out, seed, depth + 1, budget);
        }
        break;
    case 2:
        zn_put_nil(out);
        break;
    case 3:
        zn_put_bool(out, below(seed, 2) == 0);
        break;
    case 4:
        zn_put_uint(out, next_random(seed) >> below(seed, 64));
        break;
    case 5:
        zn_put_int(out, (int64_t)next_random(seed) >> below(seed, 64));
        break;
    case 6:
        zn_put_double(out, random_double(seed));
        break;
    default:
        put_random_string(out, seed);
        break;
    }
}

static void damage(zn_buf *text, uint64_t *seed) {
    static const char bytes[] = "{}[]:,\"\\u0123dDe+-.tfn \n\x01\x80\xc3\xed\xff";
    for (uint32_t i = below(seed, DAMAGES) + 1; i > 0 && text->len > 0; i--) {
        uint8_t byte = (uint8_t)bytes[below(seed, sizeof bytes - 1)];
        size_t at = below(seed, (uint32_t)text->len);
        switch (below(seed, 3)) {
        case 0:
            text->data[at] = byte;
            break;
        case 1:
            memmove(text->data + at, text->data + at + 1, text->len - at - 1);
            text->len--;
            break;
        default:
            text->len = below(seed, 10) == 0 ? at : text->len;
            break;
        }
    }
}

/* What is written reads back as the same bytes. */
static void test_json_random_value_survives(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_json_reader *reader = zn_json_reader_new();
    zn_buf record = { 0 };
    zn_buf text = { 0 };
    zn_buf again = { 0 };
    zonda_error error;
    for (int i = 0; i < ROUNDS; i++) {
        record.len = text.len = again.len = 0;
        unsigned budget = VALUES_MAX;
        put_random(&record, &seed, 0, &budget);
        assert_ok(zn_value_check(zn_buf_bytes(&record), &error), error);
        assert_ok(zn_json_write(zn_buf_bytes(&record), &text, &error), error);
        assert_ok(zn_json_locate(zn_buf_bytes(&text), &error), error);
        assert_ok(zn_json_read(reader, zn_buf_bytes(&text), &again, &error), error);
        assert_int_equal(again.len, record.len);
        assert_memory_equal(again.data, record.data, record.len);
    }
    zn_buf_free(&again);
    zn_buf_free(&text);
    zn_buf_free(&record);
    zn_json_reader_destroy(&reader);
}

/* Of a damaged text, parser and scanner think the same: whatever is refused has a place. */
static void test_json_random_damage_is_located(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_json_reader *reader = zn_json_reader_new();
    zn_buf record = { 0 };
    zn_buf text = { 0 };
    zonda_error error;
    int refused = 0;
    for (int i = 0; i < ROUNDS; i++) {
        record.len = text.len = 0;
        unsigned budget = VALUES_MAX;
        put_random(&record, &seed, 0, &budget);
        assert_ok(zn_json_write(zn_buf_bytes(&record), &text, &error), error);
        damage(&text, &seed);
        record.len = 0;
        zonda_err located = zn_json_locate(zn_buf_bytes(&text), NULL);
        zonda_err err = zn_json_read(reader, zn_buf_bytes(&text), &record, &error);
        if (located != err) {
            fail_msg("scanner says %s, parser %s: %.*s", zonda_err_name(located),
                     zonda_err_name(err), TEST_TEXT(text));
        }
        refused += err != ZONDA_OK;
        if (err != ZONDA_OK) {
            assert_in_range(error.column, 1, text.len + 1);
        }
    }
    assert_in_range(refused, ROUNDS / 10, ROUNDS);
    zn_buf_free(&text);
    zn_buf_free(&record);
    zn_json_reader_destroy(&reader);
}

/* A third of the keys of a record, as far as there is room. */
static size_t wanted_names(zn_bytes record, zn_bytes *names, size_t max) {
    zn_cursor cursor = zn_cursor_of(record);
    size_t count = 0;
    zn_value map = zn_cursor_read(&cursor);
    for (uint32_t left = map.type == ZN_VALUE_MAP ? map.count : 0; left > 0 && count < max;
         left--) {
        zn_bytes key = zn_cursor_read(&cursor).bytes;
        zn_cursor_skip(&cursor);
        if (key.len % 3 == 1) {
            names[count++] = key;
        }
    }
    return count;
}

static bool is_among(zn_bytes name, const zn_bytes *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (zn_bytes_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* The record with nothing but these fields. */
static void put_fields(zn_buf *out, zn_bytes record, const zn_bytes *names, size_t count) {
    zn_buf fields = { 0 };
    uint32_t found = 0;
    zn_cursor cursor = zn_cursor_of(record);
    for (uint32_t left = zn_cursor_read(&cursor).count; left > 0; left--) {
        const uint8_t *start = cursor.at;
        zn_bytes key = zn_cursor_read(&cursor).bytes;
        zn_cursor_skip(&cursor);
        if (is_among(key, names, count)) {
            zn_buf_append(&fields, start, (size_t)(cursor.at - start));
            found++;
        }
    }
    zn_put_map(out, found);
    zn_buf_append(out, fields.data, fields.len);
    zn_buf_free(&fields);
}

/* Reads the text where it lies, with bytes behind it that would make it another one. */
static zonda_err read_fields(zn_json_reader *reader, zn_buf *text, const zn_bytes *names,
                             size_t count, zn_buf *out, zonda_error *error) {
    static const uint8_t behind[ZN_JSON_PADDING] = "1e}],\"x\":";
    zn_json_names wanted = zn_json_names_of(names, names == NULL ? 0 : count);
    zn_buf_append(text, behind, sizeof behind);
    text->len -= sizeof behind;
    return zn_json_read_padded(reader, zn_buf_bytes(text), names == NULL ? NULL : &wanted, out,
                               error);
}

/* Some fields of a text, sound or damaged, are those of the whole record, or the same error. */
static void test_json_random_fields_are_those_of_the_record(void **state) {
    (void)state;
    uint64_t seed = first_seed();
    zn_json_reader *reader = zn_json_reader_new();
    zn_buf record = { 0 };
    zn_buf text = { 0 };
    zn_buf expected = { 0 };
    zn_buf got = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        record.len = text.len = expected.len = got.len = 0;
        unsigned budget = VALUES_MAX;
        zn_bytes names[NAMES_MAX];
        zonda_error error = { 0 };
        zonda_error found = { 0 };
        put_random(&record, &seed, 0, &budget);
        size_t count = wanted_names(zn_buf_bytes(&record), names, NAMES_MAX);
        assert_ok(zn_json_write(zn_buf_bytes(&record), &text, &error), error);
        if (below(&seed, 2) == 0) {
            damage(&text, &seed);
        }
        zn_buf whole = { 0 };
        zonda_err err = zn_json_read(reader, zn_buf_bytes(&text), &whole, &error);
        bool is_map = whole.len > 0 && zn_value_head(zn_buf_bytes(&whole)).type == ZN_VALUE_MAP;
        bool some = below(&seed, 4) > 0;
        if (err == ZONDA_OK && is_map && some) {
            put_fields(&expected, zn_buf_bytes(&whole), names, count);
        } else {
            zn_buf_append(&expected, whole.data, whole.len);
        }
        assert_int_equal(read_fields(reader, &text, some ? names : NULL, count, &got, &found), err);
        assert_int_equal(got.len, expected.len);
        assert_memory_equal(got.data, expected.data, got.len);
        assert_string_equal(found.text, error.text);
        assert_int_equal(found.column, error.column);
        zn_buf_free(&whole);
    }
    zn_buf_free(&got);
    zn_buf_free(&expected);
    zn_buf_free(&text);
    zn_buf_free(&record);
    zn_json_reader_destroy(&reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_random_value_survives),
        cmocka_unit_test(test_json_random_damage_is_located),
        cmocka_unit_test(test_json_random_fields_are_those_of_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
