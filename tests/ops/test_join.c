/* SPDX-License-Identifier: MPL-2.0 */
/* Pairs of equal keys from two sorted sides: each kind of join against nested loops over random
 * sides, groups that do not fit into memory, and callbacks that fail. */
#include "test.h"

#include <dirent.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/join.h"
#include "record/key.h"
#include "record/value.h"

enum {
    SIDE_MAX = 60,
    KEYS = 9,
    NIL_KEY = 0, /* numbers of keys stand for nil, [1, nil], and plain numbers */
    NIL_INSIDE = 8,
    ROUNDS = 400,
    BIG_RECORD = 100 * ZN_KIB /* some twenty of a key do not fit into no memory */
};

typedef struct side_row {
    unsigned key;
    unsigned number; /* in its side */
} side_row;

typedef struct side {
    side_row rows[SIDE_MAX];
    size_t count;
} side;

/* What a join reads from and writes to. */
typedef struct stream {
    const side *sides[2]; /* right, left */
    size_t next[2];
    size_t record_bytes; /* of each record */
    zn_buf key;
    zn_buf record;
    zn_buf out;
    size_t fail_next_in; /* SIZE_MAX: never */
    size_t fail_put_in;
} stream;

static char scratch[] = "/tmp/zonda-join-XXXXXX";

static int set_up(void **state) {
    (void)state;
    return mkdtemp(scratch) == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    return rmdir(scratch); /* fails if there is a file in it */
}

static bool is_nil(unsigned key) {
    return key == NIL_KEY || key == NIL_INSIDE;
}

static void put_key(zn_buf *out, unsigned key) {
    zn_buf value = { 0 };
    zonda_error error = { 0 };
    if (key == NIL_KEY) {
        zn_put_nil(&value);
    } else if (key == NIL_INSIDE) {
        zn_put_array(&value, 2);
        zn_put_uint(&value, 1);
        zn_put_nil(&value);
    } else {
        zn_put_uint(&value, key);
    }
    out->len = 0;
    assert_ok(zn_key_put(out, zn_buf_bytes(&value), &error), error);
    zn_buf_free(&value);
}

/* A record is a binary of the wanted length that begins with the row's number. */
static void put_record(zn_buf *out, unsigned number, size_t bytes) {
    uint8_t head[4];
    zn_put_u32(head, number);
    zn_buf body = { 0 };
    zn_buf_reserve(&body, bytes);
    memset(body.data, (int)(number % 251), bytes);
    body.len = bytes;
    memcpy(body.data, head, sizeof head);
    out->len = 0;
    zn_put_binary(out, zn_buf_bytes(&body));
    zn_buf_free(&body);
}

static unsigned number_of(zn_bytes record, size_t bytes) {
    zn_value value = zn_value_head(record);
    assert_int_equal(value.type, ZN_VALUE_BINARY);
    unsigned number = zn_get_u32(value.bytes.data);
    zn_buf wanted = { 0 };
    put_record(&wanted, number, bytes);
    assert_true(zn_bytes_equal(zn_buf_bytes(&wanted), record));
    zn_buf_free(&wanted);
    return number;
}

/* Both sides are sorted already; the right one has the smaller key or the same. */
static zonda_err next_row(void *context, zn_row *row, bool *is_right, bool *found,
                          zonda_error *error) {
    stream *self = context;
    if (self->fail_next_in-- == 0) {
        return zn_error_set(error, ZONDA_ERR_IO, "no more");
    }
    const side_row *heads[2];
    for (unsigned i = 0; i < 2; i++) {
        bool has = self->next[i] < self->sides[i]->count;
        heads[i] = has ? &self->sides[i]->rows[self->next[i]] : NULL;
    }
    *found = heads[0] != NULL || heads[1] != NULL;
    if (!*found) {
        return ZONDA_OK;
    }
    unsigned which = heads[0] == NULL || (heads[1] != NULL && heads[1]->key < heads[0]->key);
    put_key(&self->key, heads[which]->key);
    put_record(&self->record, heads[which]->number, self->record_bytes);
    self->next[which]++;
    *row = (zn_row){ zn_buf_bytes(&self->key), zn_buf_bytes(&self->record) };
    *is_right = which == 0;
    return ZONDA_OK;
}

static void put_number(zn_buf *out, const char *name, zn_bytes record, size_t bytes) {
    if (record.len > 0) {
        zn_buf_printf(out, "%s%u", name, number_of(record, bytes));
    }
}

static zonda_err take_pair(void *context, zn_bytes left, zn_bytes right, zonda_error *error) {
    stream *self = context;
    if (self->fail_put_in-- == 0) {
        return zn_error_set(error, ZONDA_ERR_CANCELLED, "enough");
    }
    put_number(&self->out, "l", left, self->record_bytes);
    put_number(&self->out, "r", right, self->record_bytes);
    zn_buf_append_text(&self->out, " ");
    return ZONDA_OK;
}

static stream stream_of(const side *left, const side *right, size_t record_bytes) {
    return (stream){ .sides = { right, left },
                     .record_bytes = record_bytes,
                     .fail_next_in = SIZE_MAX,
                     .fail_put_in = SIZE_MAX };
}

static void free_stream(stream *self) {
    zn_buf_free(&self->key);
    zn_buf_free(&self->record);
    zn_buf_free(&self->out);
}

static zonda_err run(stream *self, zn_join_how how, zn_memory *memory, uint64_t *spilled,
                     zonda_error *error) {
    zn_join_buffer *rights = zn_join_buffer_new(scratch, memory);
    zn_join_sides sides = { .context = self, .next = next_row, .put = take_pair };
    zonda_err err = zn_join_run(how, rights, &sides, error);
    *spilled += zn_join_buffer_spilled_bytes(rights);
    zn_join_buffer_destroy(&rights);
    return err;
}

static bool has_partner(const side *others, side_row row) {
    bool found = false;
    for (size_t i = 0; i < others->count && !is_nil(row.key); i++) {
        found = found || others->rows[i].key == row.key;
    }
    return found;
}

/* What a left row gives, by definition. */
static void model_left(zn_buf *out, zn_join_how how, side_row row, const side *right) {
    bool paired = has_partner(right, row);
    bool alone = paired ? how == ZN_JOIN_SEMI
                        : how == ZN_JOIN_LEFT || how == ZN_JOIN_FULL || how == ZN_JOIN_ANTI;
    if (alone) {
        zn_buf_printf(out, "l%u ", row.number);
    }
    for (size_t i = 0; paired && how <= ZN_JOIN_FULL && i < right->count; i++) {
        if (right->rows[i].key == row.key) {
            zn_buf_printf(out, "l%ur%u ", row.number, right->rows[i].number);
        }
    }
}

/* Nested loops, key by key. Of a key that is nil no pair is made, so right rows, which come first,
 * are given first. */
static void model(zn_buf *out, zn_join_how how, const side *left, const side *right) {
    for (unsigned key = 0; key < KEYS; key++) {
        for (size_t i = 0; i < right->count; i++) {
            if (right->rows[i].key == key && !has_partner(left, right->rows[i]) &&
                (how == ZN_JOIN_RIGHT || how == ZN_JOIN_FULL)) {
                zn_buf_printf(out, "r%u ", right->rows[i].number);
            }
        }
        for (size_t i = 0; i < left->count; i++) {
            if (left->rows[i].key == key) {
                model_left(out, how, left->rows[i], right);
            }
        }
    }
}

static uint64_t mix(uint64_t *state) {
    uint64_t number = *state += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

/* Rows of random keys, in the order of keys; numbers count up inside a key. */
static side random_side(uint64_t *random, size_t count_max) {
    side out = { .count = mix(random) % (count_max + 1) };
    unsigned keys = 1 + (unsigned)(mix(random) % KEYS);
    unsigned first = (unsigned)(mix(random) % KEYS);
    unsigned counts[KEYS] = { 0 };
    for (size_t i = 0; i < out.count; i++) {
        counts[(first + mix(random) % keys) % KEYS]++;
    }
    size_t at = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        for (unsigned i = 0; i < counts[key]; i++) {
            out.rows[at] = (side_row){ .key = key, .number = (unsigned)at };
            at++;
        }
    }
    return out;
}

static side one_key(unsigned key, size_t count) {
    side out = { .count = count };
    for (size_t i = 0; i < count; i++) {
        out.rows[i] = (side_row){ .key = key, .number = (unsigned)i };
    }
    return out;
}

static void compare(zn_join_how how, const side *left, const side *right, size_t record_bytes,
                    uint64_t limit, uint64_t *spilled) {
    zn_memory memory = { .limit = limit };
    zonda_error error = { 0 };
    zn_buf expected = { 0 };
    stream both = stream_of(left, right, record_bytes);
    assert_ok(run(&both, how, &memory, spilled, &error), error);
    model(&expected, how, left, right);
    zn_buf_append_byte(&expected, '\0');
    zn_buf_append_byte(&both.out, '\0');
    assert_string_equal((const char *)both.out.data, (const char *)expected.data);
    assert_int_equal(memory.used, 0);
    zn_buf_free(&expected);
    free_stream(&both);
}

/* Whatever the sides, each kind gives what nested loops give. */
static void test_join_equals_nested_loops(void **state) {
    (void)state;
    uint64_t random = 1;
    uint64_t spilled = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t seed = random;
        side left = random_side(&random, round % SIDE_MAX);
        side right = random_side(&random, SIDE_MAX - round % SIDE_MAX);
        if (round % 100 == 0) {
            print_message("seed %llu\n", (unsigned long long)seed);
        }
        for (unsigned how = ZN_JOIN_INNER; how <= ZN_JOIN_ANTI; how++) {
            compare((zn_join_how)how, &left, &right, 4, UINT64_MAX, &spilled);
        }
    }
    assert_int_equal(spilled, 0);
}

/* Without memory large groups go to disk and come back the same, as often as they are read. */
static void test_join_without_memory_spills_and_gives_the_same(void **state) {
    (void)state;
    uint64_t random = 99;
    for (unsigned round = 0; round < 12; round++) {
        side left = random_side(&random, 5);
        side right = one_key(1 + round % 3, round * 5);
        for (unsigned how = ZN_JOIN_INNER; how <= ZN_JOIN_FULL; how++) {
            uint64_t spilled = 0;
            compare((zn_join_how)how, &left, &right, BIG_RECORD, 0, &spilled);
            assert_true(spilled > 0 || right.count < 15);
        }
    }
}

/* One key with many rows on both sides: the whole product, from memory and from disk. */
static void test_join_of_one_big_key_gives_the_product(void **state) {
    (void)state;
    side left = one_key(3, 9);
    side right = one_key(3, SIDE_MAX);
    uint64_t spilled = 0;
    compare(ZN_JOIN_FULL, &left, &right, BIG_RECORD, UINT64_MAX, &spilled);
    assert_int_equal(spilled, 0);
    compare(ZN_JOIN_FULL, &left, &right, BIG_RECORD, 3 * ZN_MIB / 2, &spilled);
    assert_true(spilled > 0);
    side none = { 0 };
    compare(ZN_JOIN_RIGHT, &none, &right, BIG_RECORD, 0, &spilled);
    compare(ZN_JOIN_LEFT, &left, &none, BIG_RECORD, 0, &spilled);
}

/* Where only the existence of partners matters nothing is kept, however many there are. */
static void test_join_semi_and_anti_keep_nothing(void **state) {
    (void)state;
    side left = one_key(3, 5);
    side right = one_key(3, SIDE_MAX);
    uint64_t spilled = 0;
    compare(ZN_JOIN_SEMI, &left, &right, BIG_RECORD, 0, &spilled);
    compare(ZN_JOIN_ANTI, &left, &right, BIG_RECORD, 0, &spilled);
    assert_int_equal(spilled, 0);
}

/* A failure anywhere ends the join and leaves no memory charged and no file behind. */
static void test_join_ends_at_the_first_failure(void **state) {
    (void)state;
    side left = one_key(3, 6);
    side right = one_key(3, 6);
    for (unsigned fails = 0; fails < 12; fails++) {
        zn_memory memory = { .limit = 0 };
        zonda_error error = { 0 };
        uint64_t spilled = 0;
        stream both = stream_of(&left, &right, 8 * BIG_RECORD);
        *(fails % 2 == 0 ? &both.fail_next_in : &both.fail_put_in) = fails;
        zonda_err err = run(&both, ZN_JOIN_FULL, &memory, &spilled, &error);
        assert_string_equal(zonda_err_name(err), fails % 2 == 0 ? "IO" : "CANCELLED");
        assert_int_equal(memory.used, 0);
        free_stream(&both);
    }
}

/* A scratch folder that is gone is an error of the disk, not of the join. */
static void test_join_without_scratch_fails_when_it_spills(void **state) {
    (void)state;
    zn_memory memory = { .limit = 0 };
    zonda_error error = { 0 };
    zn_join_buffer *buffer = zn_join_buffer_new("/nonexistent/zonda", &memory);
    zn_buf record = { 0 };
    put_record(&record, 1, 8 * BIG_RECORD);
    zonda_err err = ZONDA_OK;
    for (unsigned i = 0; i < 10 && err == ZONDA_OK; i++) {
        err = zn_join_buffer_add(buffer, zn_buf_bytes(&record), &error);
    }
    assert_err(err, IO);
    zn_buf_free(&record);
    zn_join_buffer_destroy(&buffer);
    assert_int_equal(memory.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_equals_nested_loops),
        cmocka_unit_test(test_join_without_memory_spills_and_gives_the_same),
        cmocka_unit_test(test_join_of_one_big_key_gives_the_product),
        cmocka_unit_test(test_join_semi_and_anti_keep_nothing),
        cmocka_unit_test(test_join_ends_at_the_first_failure),
        cmocka_unit_test(test_join_without_scratch_fails_when_it_spills),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
