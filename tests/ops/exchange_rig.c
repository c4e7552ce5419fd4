/* SPDX-License-Identifier: MPL-2.0 */
/* The rig keeps its own list of all rows that it has written, so what an exchange gives is compared
 * with a plain sort of that list. */
#include "exchange_rig.h"

#include <unistd.h>

#include "base/alloc.h"
#include "ops/task_state.h"
#include "record/key.h"
#include "record/value.h"

enum {
    JOB = 7 /* of fake_body_open, whose stage is 3 */
};

static zonda_err give_results(void *context, zn_job_id job, zn_stage_id stage, uint64_t first,
                              const zn_msg_results **page, zonda_error *error) {
    (void)error;
    exchange_rig *rig = context;
    assert_int_equal(job.value, JOB);
    assert_true(stage.value < RIG_STAGES);
    size_t left = rig->task_counts[stage.value] - first;
    __atomic_add_fetch(&rig->calls, 1, __ATOMIC_SEQ_CST);
    rig->page = (zn_msg_results){ .job = job.value,
                                  .stage = stage.value,
                                  .total = rig->task_counts[stage.value],
                                  .results = &rig->results[stage.value][first],
                                  .results_count = left < rig->page_max ? left : rig->page_max };
    *page = &rig->page;
    return ZONDA_OK;
}

void exchange_rig_open(exchange_rig *rig) {
    *rig = (exchange_rig){ .page_max = 3, .endpoint = "ipc:///nowhere/zonda" };
    fake_host_open(&rig->fake);
    rig->fake.host.machine = "here";
    rig->fake.host.results = give_results;
    fake_body body = fake_body_of(&rig->fake, 1);
    fake_body_source(&body, "from_list", "{}", "[[1]]");
    zonda_error error = { 0 };
    rig->exec = fake_body_open(&body, &error);
    assert_int_equal(error.code, ZONDA_OK);
}

void exchange_rig_close(exchange_rig *rig) {
    zn_stage_exec_destroy(&rig->exec);
    fake_host_close(&rig->fake);
    rig_rows_free(&rig->rows);
}

void rig_rows_add(rig_rows *rows, rig_row row) {
    ZN_GROW(rows->items, rows->count, rows->capacity);
    rows->items[rows->count++] = row;
}

void rig_rows_free(rig_rows *rows) {
    free(rows->items);
    *rows = (rig_rows){ 0 };
}

/* ---- writing ---- */

static void put_key(uint32_t key, uint8_t out[RIG_KEY_BYTES]) {
    for (size_t i = 0; i < RIG_KEY_BYTES; i++) {
        out[i] = (uint8_t)(key >> (8 * (RIG_KEY_BYTES - 1 - i)));
    }
}

static uint32_t partition_of(uint32_t key, uint32_t partitions) {
    uint8_t bytes[RIG_KEY_BYTES];
    put_key(key, bytes);
    return zn_key_partition((zn_bytes){ bytes, sizeof bytes }, partitions);
}

static void put_record(zn_buf *out, const rig_row *row) {
    zn_buf_reset(out, 1 << 20);
    zn_put_array(out, 4);
    zn_put_uint(out, row->stage);
    zn_put_uint(out, row->task);
    zn_put_uint(out, row->position);
    zn_buf padding = { 0 };
    for (uint32_t i = 0; i < row->size; i++) {
        /* Nothing that compresses to nothing. */
        zn_buf_append_byte(&padding, (uint8_t)((row->key + i * i * 31 + row->position * 7) >> 3));
    }
    zn_put_binary(out, zn_buf_bytes(&padding));
    zn_buf_free(&padding);
}

static void write_rows(const exchange_rig *rig, zn_segment *segment, uint32_t partitions,
                       const rig_rows *rows) {
    zonda_error error = { 0 };
    zn_buf record = { 0 };
    zn_bytes key = { .len = rig->key_padding + RIG_KEY_BYTES };
    uint8_t *bytes = zn_calloc(1, key.len);
    key.data = bytes;
    for (size_t i = 0; i < rows->count; i++) {
        put_key(rows->items[i].key, bytes + rig->key_padding);
        put_record(&record, &rows->items[i]);
        uint32_t partition = partitions > 1 ? partition_of(rows->items[i].key, partitions) : 0;
        assert_ok(zn_segment_add_row(segment, partition, key, zn_buf_bytes(&record), &error),
                  error);
    }
    zn_buf_free(&record);
    free(bytes);
}

void exchange_rig_add(exchange_rig *rig, size_t stage, zn_index_kind kind, uint32_t partitions,
                      rig_rows *rows) {
    size_t task = rig->task_counts[stage]++;
    assert_true(task < RIG_TASKS_MAX);
    for (size_t i = 0; i < rows->count; i++) {
        rows->items[i].stage = (uint32_t)stage;
        rows->items[i].task = (uint32_t)task;
        rows->items[i].position = (uint32_t)i;
        rig_rows_add(&rig->rows, rows->items[i]);
    }
    zn_result *result = &rig->results[stage][task];
    zn_reference *reference = &rig->references[stage][task];
    *result = (zn_result){ .first = task, .count = 1, .records_out = rows->count, .worker = 5 };
    if (rows->count == 0) {
        return;
    }
    char owner[16];
    snprintf(owner, sizeof owner, "slot%zu", task % 3);
    zn_segment *segment = zn_segment_new(rig->fake.folder, (zn_job_id){ JOB },
                                         (zn_stage_id){ (uint32_t)stage }, owner);
    zonda_error error = { 0 };
    zn_segment_totals totals;
    assert_ok(zn_segment_start_indexed(segment, kind, &error), error);
    write_rows(rig, segment, partitions, rows);
    assert_ok(
        zn_segment_finish_indexed(segment, &reference->offset, &reference->length, &totals, &error),
        error);
    snprintf(rig->names[stage][task], sizeof rig->names[0][0], "%s", zn_segment_name(segment));
    zn_segment_destroy(&segment);
    reference->segment = zn_bytes_of_text(rig->names[stage][task]);
    result->reference = reference;
    result->reference_count = 1;
    result->endpoint = zn_bytes_of_text(rig->endpoint);
    result->folder = zn_bytes_of_text(rig->fake.folder);
    result->machine = zn_bytes_of_text("here");
}

static uint32_t random_below(uint64_t *seed, uint32_t below) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % below);
}

int rig_rows_by_key(const void *a, const void *b) {
    const rig_row *left = a;
    const rig_row *right = b;
    const uint32_t pairs[][2] = { { left->key, right->key },
                                  { left->stage, right->stage },
                                  { left->task, right->task },
                                  { left->position, right->position } };
    for (size_t i = 0; i < 4; i++) {
        if (pairs[i][0] != pairs[i][1]) {
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
        }
    }
    return 0;
}

rig_rows exchange_rig_rows(uint64_t *seed, size_t count, uint32_t keys, uint32_t size,
                           uint32_t partitions, bool sorted) {
    rig_rows rows = { 0 };
    for (size_t i = 0; i < count; i++) {
        rig_rows_add(&rows, (rig_row){ .key = random_below(seed, keys),
                                       .position = (uint32_t)i,
                                       .size = random_below(seed, size + 1) });
    }
    if (sorted && count > 0) {
        qsort(rows.items, rows.count, sizeof rows.items[0], rig_rows_by_key);
    }
    rig_rows ordered = { 0 };
    for (uint32_t p = 0; p < partitions; p++) {
        for (size_t i = 0; i < rows.count; i++) {
            if (partitions == 1 || partition_of(rows.items[i].key, partitions) == p) {
                rig_rows_add(&ordered, rows.items[i]);
            }
        }
    }
    rig_rows_free(&rows);
    return ordered;
}

/* ---- reading ---- */

void exchange_slot_open(exchange_slot *slot, exchange_rig *rig, const char *by, uint64_t shards) {
    zn_buf text = { 0 };
    zn_buf_printf(&text, "{\"inputs\":[");
    for (size_t i = 0; i < RIG_STAGES && rig->task_counts[i] > 0; i++) {
        zn_buf_printf(&text, "%s{\"stage\":%zu,\"tasks\":%zu,\"by\":\"%s\"}", i == 0 ? "" : ",", i,
                      rig->task_counts[i], by);
    }
    zn_buf_printf(&text, "]}");
    zn_buf_append_byte(&text, '\0');
    *slot = (exchange_slot){ .rig = rig };
    fake_json((const char *)text.data, &slot->planned);
    zn_buf_free(&text);
    slot->op = (zn_op){ .stage = rig->exec,
                        .planned = zn_buf_bytes(&slot->planned),
                        .shard_first = 10,
                        .shard_count = shards };
    slot->task.host = &rig->fake.host;
    zonda_error error = { 0 };
    slot->exchange = zn_exchange_new(&slot->op, &error);
    assert_int_equal(error.code, ZONDA_OK);
    assert_non_null(slot->exchange);
}

void exchange_slot_close(exchange_slot *slot) {
    zn_exchange_destroy(&slot->exchange);
    zn_task_free(&slot->task);
    zn_buf_free(&slot->planned);
}

static uint32_t take_number(zn_cursor *cursor) {
    return (uint32_t)zn_cursor_read(cursor).integer;
}

static rig_row read_row(const exchange_rig *rig, const zn_row *row) {
    zn_cursor cursor = zn_cursor_of(row->record);
    rig_row out = { 0 };
    assert_int_equal(row->key.len, rig->key_padding + RIG_KEY_BYTES);
    for (size_t i = 0; i < RIG_KEY_BYTES; i++) {
        out.key = out.key << 8 | row->key.data[rig->key_padding + i];
    }
    assert_int_equal(zn_cursor_read(&cursor).count, 4);
    out.stage = take_number(&cursor);
    out.task = take_number(&cursor);
    out.position = take_number(&cursor);
    out.size = (uint32_t)zn_cursor_read(&cursor).bytes.len;
    return out;
}

zonda_err exchange_slot_read(exchange_slot *slot, uint64_t shard, rig_rows *out,
                             zonda_error *error) {
    zn_task_begin(&slot->task, (zn_attempt_id){ .job = { JOB },
                                                .stage = { 3 },
                                                .task = slot->op.shard_first + shard,
                                                .attempt = 1 });
    zonda_err code = zn_exchange_begin(slot->exchange, &slot->task, error);
    bool found = code == ZONDA_OK;
    size_t before = out->count;
    while (found) {
        zn_row row;
        size_t input = 99;
        code = zn_exchange_next(slot->exchange, &slot->task, &row, &input, &found, error);
        if (code != ZONDA_OK) {
            break;
        }
        if (found) {
            rig_rows_add(out, read_row(slot->rig, &row));
            assert_int_equal(input, out->items[out->count - 1].stage);
        }
    }
    zn_exchange_end(slot->exchange, &slot->task);
    for (size_t i = 0; i < slot->task.counter_count; i++) {
        assert_string_equal(slot->task.counters[i].name, "spilled_bytes");
        slot->spilled_bytes += (uint64_t)slot->task.counters[i].sum;
    }
    if (code == ZONDA_OK) {
        assert_int_equal(slot->task.records_in, out->count - before);
    }
    return code;
}

uint64_t exchange_slot_take(exchange_slot *slot, uint64_t shard, rig_rows *out) {
    zonda_error error = { 0 };
    assert_ok(exchange_slot_read(slot, shard, out, &error), error);
    return slot->task.bytes_in;
}

void rig_rows_assert_equal(const rig_rows *found, const rig_rows *expected) {
    assert_int_equal(found->count, expected->count);
    for (size_t i = 0; i < found->count; i++) {
        if (rig_rows_by_key(&found->items[i], &expected->items[i]) != 0 ||
            found->items[i].size != expected->items[i].size) {
            fail_msg("row %zu is key %u of stage %u, task %u, not key %u of stage %u, task %u", i,
                     found->items[i].key, found->items[i].stage, found->items[i].task,
                     expected->items[i].key, expected->items[i].stage, expected->items[i].task);
        }
    }
}

char *exchange_rig_table(const exchange_rig *rig) {
    return zn_format("%s/job7-stage3-exchange10.seg", rig->fake.folder);
}
