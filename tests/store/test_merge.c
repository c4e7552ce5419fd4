/* SPDX-License-Identifier: MPL-2.0 */
/* Merging against sorting in memory: any number of streams, any fan-in, any budget. */
#include "rows.h"

#include "base/limits.h"

typedef struct fan {
    model *parts;
    zn_row_stream *streams;
    size_t count;
    unsigned open;
} fan;

/* Deals the rows of a model to streams, each sorted; `expected` becomes the merged order. */
static fan deal(model *expected, size_t streams, uint64_t seed) {
    fan self = { .parts = zn_calloc(streams, sizeof(model)),
                 .streams = zn_calloc(streams, sizeof(zn_row_stream)),
                 .count = streams };
    for (size_t i = 0; i < streams; i++) {
        self.parts[i].rows = zn_calloc(expected->count, sizeof(model_row));
    }
    for (size_t i = 0; i < expected->count; i++) {
        model_row *row = &expected->rows[i];
        size_t stream = rows_random(&seed) % streams;
        row->order = stream * expected->count + i;
        self.parts[stream].rows[self.parts[stream].count++] = *row;
    }
    sort_model(expected);
    for (size_t i = 0; i < streams; i++) {
        sort_model(&self.parts[i]);
    }
    return self;
}

static void open_streams(fan *self, size_t failing, size_t fail_at) {
    for (size_t i = 0; i < self->count; i++) {
        self->streams[i] = open_model_stream(&self->parts[i], 0, 1,
                                             i == failing ? fail_at : SIZE_MAX, &self->open);
    }
}

static void free_fan(fan *self) {
    assert_int_equal(self->open, 0);
    for (size_t i = 0; i < self->count; i++) {
        free(self->parts[i].rows);
    }
    free(self->parts);
    free(self->streams);
}

static void assert_merged(zn_merge *merge, const model *expected) {
    zonda_error error = { 0 };
    bool found = true;
    zn_row row;
    size_t stream = 0;
    for (size_t i = 0; i < expected->count; i++) {
        assert_ok(zn_merge_next(merge, &row, &stream, &found, &error), error);
        assert_true(found);
        assert_row(&expected->rows[i], row.key, row.record);
        assert_int_equal(stream, expected->rows[i].order / expected->count);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_ok(zn_merge_next(merge, &row, NULL, &found, &error), error);
        assert_false(found);
    }
}

/* Any count of streams with any fan-in gives the rows and the streams of the model. */
static void test_merge_equals_model(void **state) {
    static const struct {
        size_t streams;
        size_t fan_in_max;
        size_t rows;
        bool spills;
    } table[] = {
        { 1, 0, 50, false },  { 2, 0, 100, false },  { 3, 2, 200, true },   { 5, 2, 300, true },
        { 7, 3, 1000, true }, { 50, 7, 3000, true }, { 300, 2, 900, true }, { 64, 64, 500, false },
        { 9, 8, 100, true },  { 40, 1, 10, true },   { 33, 0, 0, false },   { 100, 99, 50, true },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t seed = 1000 + i;
        print_message("seed %llu\n", (unsigned long long)seed);
        model expected = make_model(seed, table[i].rows, 1, 50);
        fan from = deal(&expected, table[i].streams, seed);
        open_streams(&from, SIZE_MAX, 0);
        uint64_t spilled = 0;
        zn_merge_options options = { .scratch = *state,
                                     .fan_in_max = table[i].fan_in_max,
                                     .sorted = true,
                                     .spilled_bytes = &spilled };
        zonda_error error = { 0 };
        zn_merge *merge = zn_merge_new(&options, from.streams, from.count, &error);
        assert_non_null(merge);
        assert_merged(merge, &expected);
        assert_int_equal(spilled > 0, table[i].spills);
        zn_merge_destroy(&merge);
        free_fan(&from);
        free_model(&expected);
        assert_int_equal(folder_count(*state), 0);
    }
}

/* What streams would take decides how many are open at once; everything is given back. */
static void test_merge_memory_bounds_fan_in(void **state) {
    enum {
        STREAMS = 60
    };
    for (uint64_t limit = 60000; limit <= 20000000; limit += 19940000) {
        model expected = make_model(limit, 5000, 1, 50);
        fan from = deal(&expected, STREAMS, limit);
        open_streams(&from, SIZE_MAX, 0);
        for (size_t i = 0; i < STREAMS; i++) {
            from.streams[i].bytes = 300000;
        }
        uint64_t spilled = 0;
        zn_memory memory = { .limit = limit };
        zn_merge_options options = {
            .scratch = *state, .memory = &memory, .sorted = true, .spilled_bytes = &spilled
        };
        zonda_error error = { 0 };
        zn_merge *merge = zn_merge_new(&options, from.streams, STREAMS, &error);
        assert_merged(merge, &expected);
        assert_int_equal(spilled > 0, limit == 60000);
        zn_merge_destroy(&merge);
        assert_int_equal(memory.used, 0);
        free_fan(&from);
        free_model(&expected);
    }
}

/* With nothing left, a few small streams are open at once, but only two large ones. */
static void test_merge_without_memory_opens_little(void **state) {
    static const struct {
        size_t streams;
        uint64_t bytes;
        bool spills;
    } table[] = { { 2, 100 * ZN_MIB, false },
                  { 3, 100 * ZN_MIB, true },
                  { 8, 256 * ZN_KIB, false },
                  { 9, 256 * ZN_KIB, true } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        model expected = make_model(i, 200, 1, 50);
        fan from = deal(&expected, table[i].streams, i);
        open_streams(&from, SIZE_MAX, 0);
        for (size_t k = 0; k < from.count; k++) {
            from.streams[k].bytes = table[i].bytes;
        }
        uint64_t spilled = 0;
        zn_memory memory = { .limit = 1 };
        zn_merge_options options = {
            .scratch = *state, .memory = &memory, .sorted = true, .spilled_bytes = &spilled
        };
        zonda_error error = { 0 };
        zn_merge *merge = zn_merge_new(&options, from.streams, from.count, &error);
        assert_merged(merge, &expected);
        assert_int_equal(spilled > 0, table[i].spills);
        zn_merge_destroy(&merge);
        free_fan(&from);
        free_model(&expected);
    }
}

/* Without sorting one stream comes after another, whatever the fan-in. */
static void test_merge_unsorted_concatenates(void **state) {
    model rows = make_model(4, 90, 1, 10);
    unsigned open = 0;
    zn_row_stream streams[3];
    for (size_t i = 0; i < 3; i++) {
        streams[i] = open_model_stream(&rows, i, 3, SIZE_MAX, &open);
    }
    zn_merge_options options = { .scratch = *state, .fan_in_max = 2 };
    zonda_error error = { 0 };
    zn_merge *merge = zn_merge_new(&options, streams, 3, &error);
    for (size_t i = 0; i < 90; i++) {
        zn_row row;
        bool found = false;
        size_t stream = 9;
        assert_ok(zn_merge_next(merge, &row, &stream, &found, &error), error);
        assert_true(found);
        assert_row(&rows.rows[i % 30 * 3 + i / 30], row.key, row.record);
        assert_int_equal(stream, i / 30);
    }
    zn_merge_destroy(&merge);
    assert_int_equal(open, 0);
    free_model(&rows);
}

/* Nothing to merge is no rows. */
static void test_merge_of_nothing_is_empty(void **state) {
    for (int sorted = 0; sorted < 2; sorted++) {
        zn_merge_options options = { .scratch = *state, .sorted = sorted == 1 };
        zonda_error error = { 0 };
        zn_merge *merge = zn_merge_new(&options, NULL, 0, &error);
        zn_row row;
        bool found = true;
        assert_ok(zn_merge_next(merge, &row, NULL, &found, &error), error);
        assert_false(found);
        zn_merge_destroy(&merge);
    }
}

/* A stream that fails, at its first row or later, in a pass or in the last merge: the error comes
 * through, all streams are closed and the account is as before. */
static void test_merge_failing_stream_is_passed_on(void **state) {
    model expected = make_model(12, 400, 1, 10);
    fan from = deal(&expected, 10, 12);
    for (size_t fan_in = 3; fan_in <= 30; fan_in += 27) {
        for (size_t failing = 0; failing < 10; failing += 3) {
            for (size_t at = 0; at < 20; at += 19) {
                open_streams(&from, failing, at);
                zn_memory memory = { .limit = UINT64_MAX };
                zn_merge_options options = {
                    .scratch = *state, .memory = &memory, .fan_in_max = fan_in, .sorted = true
                };
                zonda_error error = { 0 };
                zn_merge *merge = zn_merge_new(&options, from.streams, 10, &error);
                bool found = true;
                while (merge != NULL && error.code == ZONDA_OK && found) {
                    zn_row row;
                    zn_merge_next(merge, &row, NULL, &found, &error);
                }
                assert_err(error.code, IO);
                zn_merge_destroy(&merge);
                assert_int_equal(from.open, 0);
                assert_int_equal(memory.used, 0);
            }
        }
    }
    free_fan(&from);
    free_model(&expected);
}

static bool always(void *context) {
    (void)context;
    return true;
}

/* A pass can be cancelled, and a folder that is gone is IO. */
static void test_merge_pass_fails(void **state) {
    model expected = make_model(12, 40, 1, 10);
    fan from = deal(&expected, 10, 12);
    zonda_error error = { 0 };
    open_streams(&from, SIZE_MAX, 0);
    zn_merge_options options = {
        .scratch = *state, .fan_in_max = 2, .sorted = true, .cancelled = always
    };
    assert_null(zn_merge_new(&options, from.streams, 10, &error));
    assert_err(error.code, CANCELLED);
    open_streams(&from, SIZE_MAX, 0);
    options = (zn_merge_options){ .scratch = "/nonexistent", .fan_in_max = 2, .sorted = true };
    assert_null(zn_merge_new(&options, from.streams, 10, &error));
    assert_err(error.code, IO);
    free_fan(&from);
    free_model(&expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_merge_equals_model),
        folder_test(test_merge_memory_bounds_fan_in),
        folder_test(test_merge_without_memory_opens_little),
        folder_test(test_merge_unsorted_concatenates),
        folder_test(test_merge_of_nothing_is_empty),
        folder_test(test_merge_failing_stream_is_passed_on),
        folder_test(test_merge_pass_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
