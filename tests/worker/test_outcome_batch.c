/* SPDX-License-Identifier: MPL-2.0 */
/* Batches of outcomes, queues of runs and the pace: the small parts of a worker. */
#include "test.h"

#include "base/clock.h"
#include "base/limits.h"
#include "worker/outcome_batch.h"
#include "worker/pace.h"
#include "worker/run_queue.h"

static zn_outcome plain(uint64_t task) {
    return (zn_outcome){ .first = task, .count = 1, .attempt = 1, .records_in = 3 };
}

/* Neighbours that differ in nothing are one; anything to tell keeps them apart. */
static void test_outcome_batch_equal_neighbours_become_one(void **state) {
    (void)state;
    zn_outcome_batch batch = { 0 };
    zn_counter counter = { .name = zn_bytes_of_text("n") };
    for (uint64_t task = 10; task < 1010; task++) {
        zn_outcome outcome = plain(task);
        zn_outcome_batch_add(&batch, &outcome);
    }
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.items[0].count, 1000);
    zn_outcome others[] = { plain(1011), plain(1012), plain(1013), plain(1014), plain(1015) };
    others[1].attempt = 2;
    others[2].records_out = 1;
    others[3].counters = &counter;
    others[3].counters_count = 1;
    for (size_t i = 0; i < 5; i++) {
        zn_outcome_batch_add(&batch, &others[i]);
    }
    assert_int_equal(batch.count, 6);
    zn_outcome_batch_free(&batch);
}

/* Texts and lists are copies: the slot's may change. */
static void test_outcome_batch_keeps_copies(void **state) {
    (void)state;
    zn_outcome_batch batch = { 0 };
    char text[] = "why";
    char name[] = "hits";
    zn_failure failure = { .code = ZONDA_ERR_USER, .text = zn_bytes_of_text(text) };
    zn_counter counters[] = { { .name = zn_bytes_of_text(name), .sum = 4 } };
    zn_outcome outcome = plain(1);
    outcome.failure = &failure;
    outcome.failure_count = 1;
    outcome.counters = counters;
    outcome.counters_count = 1;
    zn_part parts[] = { { .partition = 5, .bytes = 600 }, { .partition = 2, .bytes = 50 } };
    outcome.parts = parts;
    outcome.parts_count = 2;
    zn_outcome_batch_add(&batch, &outcome);
    memset(text, 'x', 3);
    memset(name, 'x', 4);
    memset(parts, 0, sizeof parts);
    failure.code = 0;
    counters[0].sum = 0;
    const zn_outcome *kept = &batch.items[0];
    assert_int_equal(kept->failure[0].code, ZONDA_ERR_USER);
    assert_memory_equal(kept->failure[0].text.data, "why", 3);
    assert_int_equal(kept->counters[0].sum, 4);
    assert_memory_equal(kept->counters[0].name.data, "hits", 4);
    assert_int_equal(kept->parts_count, 2);
    assert_int_equal(kept->parts[1].partition, 2);
    assert_int_equal(kept->parts[1].bytes, 50);
    zn_outcome_batch_free(&batch);
}

/* A batch of inline results is closed before it is too large for a frame. */
static void test_outcome_batch_is_full_at_its_bytes(void **state) {
    (void)state;
    zn_outcome_batch batch = { 0 };
    static uint8_t records[ZN_INLINE_BYTES_MAX];
    size_t count = 0;
    while (!zn_outcome_batch_is_full(&batch)) {
        zn_outcome outcome = plain(count++);
        outcome.records = (zn_bytes){ records, sizeof records };
        zn_outcome_batch_add(&batch, &outcome);
    }
    assert_in_range(count, 60, 64);
    zn_outcome_batch_reset(&batch);
    assert_false(zn_outcome_batch_is_full(&batch));
    assert_int_equal(batch.count, 0);
    zn_outcome_batch_free(&batch);
}

/* What is taken and what comes back at the front keeps the order; neighbours join. */
static void test_run_queue_order_is_kept(void **state) {
    (void)state;
    zn_run_queue queue = { 0 };
    zn_run_queue_append(&queue, (zn_run){ .first = 0, .count = 10, .attempt = 1 });
    zn_run_queue_append(&queue, (zn_run){ .first = 10, .count = 10, .attempt = 1 });
    zn_run_queue_append(&queue, (zn_run){ .first = 20, .count = 10, .attempt = 2 });
    assert_int_equal(queue.count, 2);
    zn_run run = zn_run_queue_take(&queue, 5);
    assert_int_equal(run.first, 0);
    assert_int_equal(run.count, 5);
    zn_run_queue_prepend(&queue, (zn_run){ .first = 4, .count = 1, .attempt = 1 });
    zn_run_queue_prepend(&queue, (zn_run){ .first = 1, .count = 1, .attempt = 1 });
    assert_int_equal(queue.tasks, 27);
    assert_int_equal(zn_run_queue_take(&queue, 100).first, 1);
    run = zn_run_queue_take(&queue, 100);
    assert_int_equal(run.first, 4);
    assert_int_equal(run.count, 16);
    assert_int_equal(zn_run_queue_take(&queue, 100).attempt, 2);
    assert_int_equal(queue.tasks, 0);
    /* Taken as fast as added, it stays small. */
    zn_run_queue_append(&queue, (zn_run){ .first = 1000, .count = 1, .attempt = 1 });
    for (uint64_t i = 0; i < 100; i++) {
        zn_run_queue_append(&queue, (zn_run){ .first = 2 * i, .count = 1, .attempt = 1 });
        assert_int_equal(zn_run_queue_take(&queue, 9).first, i == 0 ? 1000 : 2 * i - 2);
    }
    assert_int_equal(queue.tasks, 1);
    assert_int_equal(queue.capacity, 8);
    zn_run_queue_free(&queue);
}

/* One lucky measurement does not make chunks huge, one unlucky one makes them small at once. */
static void test_pace_grows_slowly_and_shrinks_at_once(void **state) {
    (void)state;
    zn_pace pace = { 0 };
    assert_int_equal(zn_pace_chunk(&pace), 1);
    assert_int_equal(zn_pace_credit(&pace, 3), 3);
    zn_pace_measure(&pace, 1, 1000);
    assert_int_equal(zn_pace_chunk(&pace), 4);
    for (int i = 0; i < 10; i++) {
        zn_pace_measure(&pace, 1000, 1000000);
    }
    assert_int_equal(zn_pace_chunk(&pace), ZN_CHUNK_TASKS_MAX);
    assert_int_equal(zn_pace_depth(&pace), 2);
    assert_int_equal(zn_pace_credit(&pace, 4096), ZN_CREDIT_TASKS_MAX);
    zn_pace_measure(&pace, 1, 10 * ZN_NS_PER_S);
    assert_int_equal(zn_pace_chunk(&pace), 1);
    assert_int_equal(zn_pace_depth(&pace), 1);
    assert_int_equal(zn_pace_credit(&pace, 4), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome_batch_equal_neighbours_become_one),
        cmocka_unit_test(test_outcome_batch_keeps_copies),
        cmocka_unit_test(test_outcome_batch_is_full_at_its_bytes),
        cmocka_unit_test(test_run_queue_order_is_kept),
        cmocka_unit_test(test_pace_grows_slowly_and_shrinks_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
