/* SPDX-License-Identifier: MPL-2.0 */
/* The writing side of shuffles: which rows end up where, in which order, with which counts; the
 * same whatever memory there is. */
#include "store/rows.h"

#include <math.h>

#include "base/limits.h"
#include "fake_host.h"
#include "ops/collect.h"
#include "ops/shuffle.h"
#include "ops/task_state.h"
#include "record/json.h"
#include "store/block.h"
#include "store/segment_index.h"

static const zn_op_def def = { .name = "group_by_shard",
                               .op_class = ZN_OP_INNER,
                               ZN_SHUFFLE_ARGS,
                               .runtime = &zn_shuffle_runtime };

/* The shuffle and the collector behind it, opened. */
typedef struct chain {
    fake_host host;
    zn_memory memory;
    zn_stage_exec *stage;
    zn_buf args;
    zn_op collector;
    zn_op op;
    zonda_task task;
} chain;

static zonda_err open_chain(chain *self, const char *args, uint64_t limit, zonda_error *error) {
    *self = (chain){ .memory = { .limit = limit } };
    fake_host_open(&self->host);
    self->host.host.memory = limit > 0 ? &self->memory : NULL;
    fake_body body = fake_body_of(&self->host, 1);
    fake_body_op(&body, "from_range", "{\"n\":1}");
    self->stage = fake_body_open(&body, error);
    assert_non_null(self->stage);
    fake_json(args, &self->args);
    self->task.host = &self->host.host;
    self->collector = (zn_op){ .def = &zn_op_collect, .stage = self->stage };
    self->op = (zn_op){ .def = &def,
                        .next = &self->collector,
                        .stage = self->stage,
                        .args = zn_buf_bytes(&self->args),
                        .shard_count = 1 };
    assert_ok(zn_op_check_args(&def, self->op.args, error), *error);
    assert_ok(zn_op_collect.runtime->open(&self->collector, error), *error);
    return zn_shuffle_runtime.open(&self->op, error);
}

static void close_chain(chain *self) {
    zn_shuffle_runtime.close(&self->op);
    zn_op_collect.runtime->close(&self->collector);
    assert_int_equal(self->memory.used, 0);
    zn_task_free(&self->task);
    zn_stage_exec_destroy(&self->stage);
    fake_host_close(&self->host);
    zn_buf_free(&self->args);
}

static void begin_task(chain *self) {
    zonda_error error = { 0 };
    zn_task_begin(&self->task, (zn_attempt_id){ .attempt = 1 });
    assert_ok(zn_op_collect.runtime->begin(&self->collector, &self->task, &error), error);
    assert_ok(zn_shuffle_runtime.begin(&self->op, &self->task, &error), error);
}

static zonda_err end_task(chain *self, zonda_error *error) {
    zonda_err err = zn_shuffle_runtime.end(&self->op, &self->task, error);
    return err == ZONDA_OK ? zn_op_collect.runtime->end(&self->collector, &self->task, error) : err;
}

static zonda_err push(chain *self, const char *json, zonda_error *error) {
    zn_buf record = { 0 };
    fake_json(json, &record);
    zonda_err err = zn_shuffle_runtime.push(&self->op, &self->task, zn_buf_bytes(&record), error);
    zn_buf_free(&record);
    return err;
}

/* Values of the blocks at a place of the segment. */
static zn_buf read_values(const chain *self, zn_bytes segment, uint64_t offset, uint64_t length) {
    zonda_error error = { 0 };
    uint8_t *bytes = malloc(length + 1);
    size_t got = 0;
    assert_ok(zn_segment_read_at(self->host.folder, segment, offset, bytes, length, &got, &error),
              error);
    assert_int_equal(got, length);
    zn_block_codec *codec = zn_block_codec_new();
    zn_buf values = { 0 };
    for (zn_bytes rest = { bytes, got }; rest.len > 0;) {
        zn_bytes part;
        uint32_t count = 0;
        size_t used = 0;
        size_t need = 0;
        assert_ok(zn_block_unpack(codec, rest, &part, &count, &used, &need, &error), error);
        zn_buf_append(&values, part.data, part.len);
        rest = (zn_bytes){ rest.data + used, rest.len - used };
    }
    zn_block_codec_destroy(&codec);
    free(bytes);
    return values;
}

/* Reads the result of the task as rows of a model, and checks the counts of the outcome. */
static model read_result(const chain *self) {
    model rows = { .rows = zn_calloc(self->task.records_out, sizeof(model_row)) };
    zn_reference place;
    zn_bytes records;
    if (!zn_collect_result(&self->collector, &records, &place)) {
        assert_int_equal(records.len, 0);
        assert_int_equal(self->task.records_out, 0);
        return rows;
    }
    zn_buf index = read_values(self, place.segment, place.offset, place.length);
    zn_bytes rest = zn_buf_bytes(&index);
    zn_index_reader *reader = zn_index_reader_new();
    uint64_t bytes = 0;
    for (bool found = true; found;) {
        zn_index_entry entry;
        zonda_error error = { 0 };
        assert_ok(zn_index_reader_take(reader, &rest, &entry, &found, &error), error);
        if (!found) {
            break;
        }
        zn_buf values =
            read_values(self, place.segment, entry.stretch.offset, entry.stretch.length);
        zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&values));
        for (zn_row row; zn_row_take(&cursor, &row);) {
            assert_true(rows.count < self->task.records_out);
            model_row *to = &rows.rows[rows.count++];
            to->partition = entry.partition;
            zn_buf_append(&to->key, row.key.data, row.key.len);
            zn_buf_append(&to->record, row.record.data, row.record.len);
        }
        bytes += values.len;
        zn_buf_free(&values);
    }
    zn_index_reader_destroy(&reader);
    zn_buf_free(&index);
    assert_int_equal(rows.count, self->task.records_out);
    assert_int_equal(bytes, zn_collect_bytes(&self->collector));
    return rows;
}

static void assert_equal_models(const model *found, const model *expected) {
    assert_int_equal(found->count, expected->count);
    for (size_t i = 0; i < found->count; i++) {
        assert_int_equal(found->rows[i].partition, expected->rows[i].partition);
        assert_row(&expected->rows[i], zn_buf_bytes(&found->rows[i].key),
                   zn_buf_bytes(&found->rows[i].record));
    }
}

static int64_t counter_of(const chain *self, const char *name) {
    for (size_t i = 0; i < self->task.counter_count; i++) {
        if (strcmp(self->task.counters[i].name, name) == 0) {
            return self->task.counters[i].sum;
        }
    }
    return 0;
}

/* ---- against a model ---- */

static void put_key(zn_buf *out, const char *json, bool inverted) {
    zonda_error error = { 0 };
    zn_buf value = { 0 };
    size_t start = out->len;
    fake_json(json, &value);
    assert_ok(zn_key_put(out, zn_buf_bytes(&value), &error), error);
    if (inverted) {
        zn_key_invert(out->data + start, out->len - start);
    }
    zn_buf_free(&value);
}

typedef struct shape {
    const char *args;
    uint32_t shards;
    bool has_key;
    bool by_inverted;
    bool sorts_inside;
    bool inside_inverted;
} shape;

/* Pushes random records and adds to `expected` what should come of each. */
static void push_random(chain *self, const shape *what, uint64_t seed, size_t count,
                        model *expected) {
    static const char *const keys[] = { "1",  "\"a\"", "1.0",     "null", "[1,\"x\"]",
                                        "-7", "\"b\"", "\"abc\"", "2.5",  "true" };
    *expected = (model){ .rows = zn_calloc(count, sizeof(model_row)), .count = count };
    for (size_t i = 0; i < count; i++) {
        const char *key = keys[rows_random(&seed) % 10];
        char sort_by[16];
        char text[128];
        snprintf(sort_by, sizeof sort_by, "%d", (int)(rows_random(&seed) % 50) - 25);
        snprintf(text, sizeof text, "{\"k\":%s,\"s\":%s,\"n\":%zu}", key, sort_by, i);
        model_row *row = &expected->rows[i];
        row->order = i;
        fake_json(text, &row->record);
        zn_buf by = { 0 };
        put_key(&by, key, false);
        row->partition = what->shards > 1 ? zn_key_partition(zn_buf_bytes(&by), what->shards) : 0;
        zn_buf_free(&by);
        if (what->has_key) {
            put_key(&row->key, key, what->by_inverted);
        }
        if (what->sorts_inside) {
            put_key(&row->key, sort_by, what->inside_inverted);
        }
        zonda_error error = { 0 };
        assert_ok(push(self, text, &error), error);
    }
}

/* Every mode, with memory and without, twice on the same chain: the rows of the model. */
static void test_shuffle_equals_model(void **state) {
    (void)state;
    static const shape shapes[] = {
        { "{\"by\":\"k\",\"mode\":\"hash\",\"shards\":7}", 7, true, false, false, false },
        { "{\"by\":\"k\",\"mode\":\"hash\",\"shards\":1,\"keep\":\"all\"}", 1, true, false, false,
          false },
        { "{\"by\":\"k\",\"sort_by\":\"s\",\"mode\":\"hash\",\"shards\":300}", 300, true, false,
          true, false },
        { "{\"by\":\"k\",\"sort_by\":\"s\",\"descending\":true,\"mode\":\"hash\",\"shards\":3}", 3,
          true, false, true, true },
        { "{\"by\":\"k\",\"mode\":\"range\"}", 1, true, false, false, false },
        { "{\"by\":\"k\",\"mode\":\"range\",\"descending\":true}", 1, true, true, false, false },
        { "{\"mode\":\"bytes\"}", 1, false, false, false, false },
    };
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof shapes[0]; i++) {
        const shape *what = &shapes[i / 2];
        chain self;
        zonda_error error = { 0 };
        assert_ok(open_chain(&self, what->args, i % 2 == 0 ? 0 : 1, &error), error);
        for (uint64_t seed = 2 * i; seed < 2 * i + 2; seed++) {
            print_message("seed %llu\n", (unsigned long long)seed);
            model expected;
            begin_task(&self);
            push_random(&self, what, seed, 9000, &expected);
            assert_ok(end_task(&self, &error), error);
            if (what->has_key) {
                sort_model(&expected);
            }
            model found = read_result(&self);
            assert_equal_models(&found, &expected);
            assert_int_equal(counter_of(&self, "spilled_bytes") > 0, i % 2 == 1 && what->has_key);
            free_model(&found);
            free_model(&expected);
        }
        close_chain(&self);
    }
}

/* ---- single traits; rows are written as "record record" ---- */

/* Pushes records and gives the records of the result in order, in JSON. */
static char *run_lines(chain *self, const char *const *records, size_t count) {
    zonda_error error = { 0 };
    begin_task(self);
    for (size_t i = 0; i < count; i++) {
        assert_ok(push(self, records[i], &error), error);
    }
    assert_ok(end_task(self, &error), error);
    model found = read_result(self);
    zn_buf out = { 0 };
    for (size_t i = 0; i < found.count; i++) {
        zn_buf_append_text(&out, i == 0 ? "" : " ");
        assert_ok(zn_json_write(zn_buf_bytes(&found.rows[i].record), &out, &error), error);
    }
    zn_buf_append_byte(&out, 0);
    free_model(&found);
    return (char *)out.data;
}

static void expect_lines(const char *args, const char *const *records, size_t count,
                         const char *expected) {
    for (uint64_t limit = 0; limit < 2; limit++) {
        chain self;
        zonda_error error = { 0 };
        assert_ok(open_chain(&self, args, limit, &error), error);
        char *found = run_lines(&self, records, count);
        assert_string_equal(found, expected);
        free(found);
        close_chain(&self);
    }
}

static const char *const pairs[] = {
    "{\"k\":2,\"v\":1}",      "{\"k\":1,\"v\":2}",    "{\"v\":3}",
    "{\"k\":2.0,\"v\":4}",    "{\"k\":null,\"v\":5}", "{\"k\":1,\"v\":6}",
    "{\"k\":[null],\"v\":7}",
};

static void test_shuffle_keeps_the_first_of_a_key(void **state) {
    (void)state;
    expect_lines("{\"by\":\"k\",\"mode\":\"hash\",\"shards\":1,\"keep\":\"first\"}", pairs, 7,
                 "{\"v\":3} {\"k\":1,\"v\":2} {\"k\":2,\"v\":1} {\"k\":[null],\"v\":7}");
}

static void test_shuffle_drops_records_without_key(void **state) {
    (void)state;
    expect_lines("{\"by\":\"k\",\"mode\":\"hash\",\"shards\":1,\"drop_nil\":true}", pairs, 7,
                 "{\"k\":1,\"v\":2} {\"k\":1,\"v\":6} {\"k\":2,\"v\":1} {\"k\":2.0,\"v\":4}");
}

/* Gives the values of the group's records: their sum, then their number. */
static zonda_err sum_values(zonda_task *task, const msgpack_object *key, zonda_rows *rows,
                            msgpack_packer *out) {
    (void)task;
    int64_t sum = 0;
    for (const msgpack_object *row; (row = zonda_rows_next(rows)) != NULL;) {
        sum += row->via.map.ptr[row->via.map.size - 1].val.via.i64;
    }
    for (int64_t sign = 1; sign >= -1; sign -= 2) {
        msgpack_pack_map(out, 2);
        msgpack_pack_str(out, 1);
        msgpack_pack_str_body(out, "k", 1);
        msgpack_pack_object(out, *key);
        msgpack_pack_str(out, 1);
        msgpack_pack_str_body(out, "v", 1);
        msgpack_pack_int64(out, sign * sum);
    }
    return ZONDA_OK;
}

/* What a combining function gives has the key of its group, and is sorted inside it if need be. */
static void test_shuffle_combines_by_function(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zonda_function sum = { .group = sum_values };
    assert_ok(zonda_register("sum_values", &sum, &error), error);
#define COMBINE "\"keep\":\"function\",\"combine\":{\"kind\":\"c\",\"name\":\"sum_values\"}"
    const char *unsorted = "{\"k\":null,\"v\":8} {\"k\":null,\"v\":-8} {\"k\":1,\"v\":8} "
                           "{\"k\":1,\"v\":-8} {\"k\":2,\"v\":5} {\"k\":2,\"v\":-5} "
                           "{\"k\":[null],\"v\":7} {\"k\":[null],\"v\":-7}";
    const char *sorted = "{\"k\":null,\"v\":-8} {\"k\":null,\"v\":8} {\"k\":1,\"v\":-8} "
                         "{\"k\":1,\"v\":8} {\"k\":2,\"v\":-5} {\"k\":2,\"v\":5} "
                         "{\"k\":[null],\"v\":-7} {\"k\":[null],\"v\":7}";
    expect_lines("{\"by\":\"k\",\"mode\":\"hash\",\"shards\":1," COMBINE "}", pairs, 7, unsorted);
    expect_lines("{\"by\":\"k\",\"sort_by\":\"v\",\"mode\":\"hash\",\"shards\":1," COMBINE "}",
                 pairs, 7, sorted);
    expect_lines("{\"by\":\"k\",\"sort_by\":\"v\",\"descending\":true,\"mode\":\"hash\",\"shards\":"
                 "1," COMBINE "}",
                 pairs, 7, unsorted);
}

/* Rows that come as rows, several at once, are partitioned by the first encoding of their key. */
static void test_shuffle_takes_rows(void **state) {
    (void)state;
    chain self;
    zonda_error error = { 0 };
    assert_ok(open_chain(&self, "{\"mode\":\"hash\",\"shards\":5,\"keep\":\"rows\"}", 0, &error),
              error);
    begin_task(&self);
    model expected = { .rows = zn_calloc(20, sizeof(model_row)), .count = 20 };
    zn_buf rows = { 0 };
    for (size_t i = 0; i < 20; i++) {
        char text[16];
        model_row *row = &expected.rows[i];
        snprintf(text, sizeof text, "%zu", (i * 7) % 20);
        put_key(&row->key, text, false);
        row->partition = zn_key_partition(zn_buf_bytes(&row->key), 5);
        put_key(&row->key, "\"inside\"", false);
        fake_json(text, &row->record);
        zn_row_put(&rows, zn_buf_bytes(&row->key), zn_buf_bytes(&row->record));
    }
    assert_ok(zn_shuffle_runtime.push(&self.op, &self.task, zn_buf_bytes(&rows), &error), error);
    assert_ok(end_task(&self, &error), error);
    sort_model(&expected);
    model found = read_result(&self);
    assert_equal_models(&found, &expected);
    const zn_part *parts = NULL;
    assert_int_equal(zn_collect_parts(&self.collector, &parts), 5);
    for (size_t i = 1; i < 5; i++) {
        assert_true(parts[i - 1].bytes >= parts[i].bytes);
    }
    free_model(&found);
    free_model(&expected);
    zn_buf_free(&rows);
    close_chain(&self);
}

/* The next record after a failure finds everything as at the begin. */
static void fail_then_work(chain *self, const char *code, const char *words, const char *bad) {
    zonda_error error = { 0 };
    begin_task(self);
    assert_ok(push(self, "{\"k\":2,\"v\":0}", &error), error);
    zonda_err err = push(self, bad, &error);
    assert_string_equal(zonda_err_name(err), code);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" does not have \"%s\"", error.text, words);
    }
    zn_shuffle_runtime.abort(&self->op, &self->task);
    static const char *const good[] = { "{\"k\":3}", "{\"k\":3}", "{\"k\":4}" };
    char *found = run_lines(self, good, 3);
    assert_string_equal(found, "{\"k\":3} {\"k\":3} {\"k\":4}");
    free(found);
}

static void test_shuffle_task_wants_ascending_keys(void **state) {
    (void)state;
    chain self;
    zonda_error error = { 0 };
    assert_ok(open_chain(&self, "{\"by\":\"k\",\"mode\":\"task\"}", 0, &error), error);
    fail_then_work(&self, "INVALID", "record 2", "{\"k\":1.5}");
    close_chain(&self);
}

static void test_shuffle_bad_key_is_bad_record(void **state) {
    (void)state;
    chain self;
    zonda_error error = { 0 };
    assert_ok(open_chain(&self, "{\"by\":\"k\",\"mode\":\"range\"}", 1, &error), error);
    begin_task(&self);
    zn_buf record = { 0 };
    zn_put_map(&record, 1);
    zn_put_text(&record, "k");
    zn_put_double(&record, NAN);
    zonda_err err = zn_shuffle_runtime.push(&self.op, &self.task, zn_buf_bytes(&record), &error);
    assert_err(err, BAD_RECORD);
    zn_shuffle_runtime.abort(&self.op, &self.task);
    zn_buf_free(&record);
    close_chain(&self);
}

/* A disk that cannot be written to is told, with memory to hold the rows and without. */
static void test_shuffle_without_scratch_is_io(void **state) {
    (void)state;
    for (uint64_t limit = 0; limit < 2; limit++) {
        chain self;
        zonda_error error = { 0 };
        assert_ok(open_chain(&self, "{\"by\":\"k\",\"mode\":\"range\"}", limit, &error), error);
        char *away = zn_format("%s-away", self.host.folder);
        assert_int_equal(rename(self.host.folder, away), 0);
        begin_task(&self);
        zonda_err err = ZONDA_OK;
        for (size_t i = 0; i < 20000 && err == ZONDA_OK; i++) {
            err = push(&self, "{\"k\":3}", &error);
        }
        err = err == ZONDA_OK ? end_task(&self, &error) : err;
        assert_err(err, IO);
        zn_shuffle_runtime.abort(&self.op, &self.task);
        assert_int_equal(rename(away, self.host.folder), 0);
        free(away);
        close_chain(&self);
    }
}

/* Arguments that make no sense together are an error of the plan. */
static void test_shuffle_arguments_table(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "{\"by\":\"k\"}",
        "{\"mode\":\"hash\",\"shards\":3}",
        "{\"by\":\"k\",\"mode\":\"hash\"}",
        "{\"mode\":\"range\"}",
        "{\"mode\":\"bytes\",\"keep\":\"first\"}",
        "{\"by\":\"k\",\"mode\":\"task\",\"keep\":\"first\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        chain self;
        zonda_error error = { 0 };
        assert_err(open_chain(&self, wrong[i], 0, &error), PLAN);
        close_chain(&self);
    }
}

/* Without records there is no result, and nothing is written. */
static void test_shuffle_of_nothing_is_nothing(void **state) {
    (void)state;
    expect_lines("{\"by\":\"k\",\"mode\":\"hash\",\"shards\":3}", NULL, 0, "");
    expect_lines("{\"mode\":\"bytes\"}", NULL, 0, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shuffle_equals_model),
        cmocka_unit_test(test_shuffle_keeps_the_first_of_a_key),
        cmocka_unit_test(test_shuffle_drops_records_without_key),
        cmocka_unit_test(test_shuffle_combines_by_function),
        cmocka_unit_test(test_shuffle_takes_rows),
        cmocka_unit_test(test_shuffle_task_wants_ascending_keys),
        cmocka_unit_test(test_shuffle_bad_key_is_bad_record),
        cmocka_unit_test(test_shuffle_without_scratch_is_io),
        cmocka_unit_test(test_shuffle_arguments_table),
        cmocka_unit_test(test_shuffle_of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
