/* SPDX-License-Identifier: MPL-2.0 */
/* The reading side of a shuffle: every row comes exactly once, in the shard and in the order that
 * the way of reading says, whatever the memory is and wherever the segments are. */
#include "exchange_rig.h"

#include <pthread.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/key.h"
#include "store/data_server.h"
#include "store/segment_index.h"

/* What the ways have in common: tasks with rows from seeds. */
typedef struct exchange_case {
    const char *by;
    zn_index_kind kind;
    uint32_t partitions; /* of the writing side */
    bool sorted;
    size_t stages;
    size_t tasks;
    size_t rows; /* of a task, at most */
    uint32_t keys;
    uint32_t size; /* of a record, at most */
    uint64_t shards;
} exchange_case;

static void fill(exchange_rig *rig, const exchange_case *scene) {
    uint64_t seed = 42;
    exchange_rig_open(rig);
    for (size_t stage = 0; stage < scene->stages; stage++) {
        for (size_t task = 0; task < scene->tasks; task++) {
            size_t count = task == 1 ? 0 : scene->rows - task;
            rig_rows rows = exchange_rig_rows(&seed, count, scene->keys, scene->size,
                                              scene->partitions, scene->sorted);
            exchange_rig_add(rig, stage, scene->kind, scene->partitions, &rows);
            rig_rows_free(&rows);
        }
    }
}

static void sort_rows(rig_rows *rows) {
    if (rows->count > 0) {
        qsort(rows->items, rows->count, sizeof rows->items[0], rig_rows_by_key);
    }
}

/* All shards, one behind the other. */
static rig_rows read_all(exchange_slot *slot, uint64_t *largest) {
    rig_rows all = { 0 };
    for (uint64_t shard = 0; shard < slot->op.shard_count; shard++) {
        uint64_t bytes = exchange_slot_take(slot, shard, &all);
        *largest = bytes > *largest ? bytes : *largest;
    }
    return all;
}

static uint64_t bytes_of(const rig_rows *rows) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < rows->count; i++) {
        bytes += rows->items[i].size + 12;
    }
    return bytes;
}

/* Reads everything with an account and compares. Returns the bytes of the largest shard. */
static uint64_t check(exchange_rig *rig, const exchange_case *scene, zn_memory *memory,
                      const rig_rows *expected) {
    uint64_t largest = 0;
    exchange_slot slot;
    rig->fake.host.memory = memory;
    exchange_slot_open(&slot, rig, scene->by, scene->shards);
    rig_rows found = read_all(&slot, &largest);
    rig_rows_assert_equal(&found, expected);
    rig_rows_free(&found);
    /* More streams than are merged by force without memory. */
    bool spills = memory != NULL && memory->limit == 0 && scene->stages * scene->tasks > 10 &&
                  strcmp(scene->by, "partition") == 0;
    assert_true(spills ? slot.spilled_bytes > 0 : memory != NULL || slot.spilled_bytes == 0);
    exchange_slot_close(&slot);
    if (memory != NULL) {
        assert_int_equal(memory->used, 0);
    }
    char *table = exchange_rig_table(rig);
    unlink(table);
    free(table);
    return largest;
}

/* With any memory, and none to speak of. */
static uint64_t check_with_memories(exchange_rig *rig, const exchange_case *scene,
                                    const rig_rows *expected) {
    zn_memory small = { .limit = ZN_MIB };
    zn_memory none = { .limit = 0 };
    check(rig, scene, &small, expected);
    check(rig, scene, &none, expected);
    return check(rig, scene, NULL, expected);
}

/* ---- the ways ---- */

/* Partition i goes to shard i, in the order of keys, stages, tasks and positions. */
static void test_exchange_by_partition_merges_its_rows(void **state) {
    (void)state;
    const exchange_case scenes[] = {
        { "partition", ZN_INDEX_PARTITIONS, 7, true, 2, 9, 300, 50, 100, 7 },
        { "partition", ZN_INDEX_PARTITIONS, 40, true, 1, 3, 4, 1000, 10, 40 },
        { "partition", ZN_INDEX_PARTITIONS, 1, true, 2, 2, 400, 3, 3000, 1 },
    };
    for (size_t s = 0; s < sizeof scenes / sizeof scenes[0]; s++) {
        exchange_rig rig;
        fill(&rig, &scenes[s]);
        sort_rows(&rig.rows);
        rig_rows expected = { 0 };
        for (uint32_t shard = 0; shard < scenes[s].shards; shard++) {
            for (size_t i = 0; i < rig.rows.count; i++) {
                uint32_t key = rig.rows.items[i].key;
                uint8_t bytes[] = { (uint8_t)(key >> 24), (uint8_t)(key >> 16), (uint8_t)(key >> 8),
                                    (uint8_t)key };
                if (zn_key_partition((zn_bytes){ bytes, 4 }, scenes[s].partitions) == shard) {
                    rig_rows_add(&expected, rig.rows.items[i]);
                }
            }
        }
        check_with_memories(&rig, &scenes[s], &expected);
        rig_rows_free(&expected);
        exchange_rig_close(&rig);
    }
}

/* Shards of a range are the sorted whole, cut into pieces of about the same size. */
static void test_exchange_by_range_is_the_sorted_whole(void **state) {
    (void)state;
    const exchange_case scenes[] = {
        { "range", ZN_INDEX_SAMPLES, 1, true, 1, 6, 700, 1000000, 2000, 5 },
        { "range", ZN_INDEX_SAMPLES, 1, true, 2, 5, 600, 40, 2000, 4 },
        { "range", ZN_INDEX_SAMPLES, 1, true, 1, 4, 8, 100, 5, 40 },
        { "range", ZN_INDEX_SAMPLES, 1, true, 1, 1, 1, 1, 5, 3 },
        { "range", ZN_INDEX_SAMPLES, 1, true, 1, 12, 300, 1, 2000, 4 },
    };
    for (size_t s = 0; s < sizeof scenes / sizeof scenes[0]; s++) {
        exchange_rig rig;
        fill(&rig, &scenes[s]);
        sort_rows(&rig.rows);
        uint64_t largest = check_with_memories(&rig, &scenes[s], &rig.rows);
        uint64_t share = bytes_of(&rig.rows) / scenes[s].shards;
        if (scenes[s].rows > 100) {
            assert_true(largest < share + share / 2);
        }
        exchange_rig_close(&rig);
    }
}

static uint32_t roll(uint64_t *seed, uint32_t sides) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % sides);
}

/* Whatever the numbers of tasks, shards and keys, and also where samples hold only the beginning of
 * keys that differ behind it. ZONDA_SEED chooses the run. */
static void test_exchange_by_range_of_random_rows_is_the_sorted_whole(void **state) {
    (void)state;
    const char *text = getenv("ZONDA_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    print_message("ZONDA_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 40; round++) {
        exchange_case scene = { .by = "range",
                                .kind = ZN_INDEX_SAMPLES,
                                .partitions = 1,
                                .sorted = true,
                                .shards = 1 + roll(&seed, 20) };
        exchange_rig rig;
        exchange_rig_open(&rig);
        /* Samples have 1024 bytes of a key: up to all of the number is cut off. */
        rig.key_padding = roll(&seed, 2) * (ZN_SAMPLE_KEY_BYTES_MAX - roll(&seed, 5));
        uint32_t keys = roll(&seed, 2) == 0 ? 1 + roll(&seed, 20) : 1u << 31;
        for (uint32_t task = 0, tasks = 1 + roll(&seed, 12); task < tasks; task++) {
            rig_rows rows =
                exchange_rig_rows(&seed, roll(&seed, 400), keys, roll(&seed, 2000), 1, true);
            exchange_rig_add(&rig, task % 3 == 2 ? 1 : 0, ZN_INDEX_SAMPLES, 1, &rows);
            rig_rows_free(&rows);
        }
        sort_rows(&rig.rows);
        check(&rig, &scene, NULL, &rig.rows);
        exchange_rig_close(&rig);
    }
}

/* Ranges of bytes keep the order of rows and differ by less than two rows. */
static void test_exchange_by_bytes_keeps_the_order(void **state) {
    (void)state;
    const exchange_case scenes[] = {
        { "bytes", ZN_INDEX_BLOCKS, 1, false, 2, 5, 500, 1000, 2000, 6 },
        { "bytes", ZN_INDEX_BLOCKS, 1, false, 1, 1, 900, 1000, 2000, 7 },
        { "bytes", ZN_INDEX_BLOCKS, 1, false, 1, 4, 5, 10, 3, 400 },
        { "bytes", ZN_INDEX_BLOCKS, 1, false, 1, 40, 41, 10, 30, 1 },
    };
    for (size_t s = 0; s < sizeof scenes / sizeof scenes[0]; s++) {
        exchange_rig rig;
        fill(&rig, &scenes[s]);
        uint64_t largest = check_with_memories(&rig, &scenes[s], &rig.rows);
        uint64_t share = bytes_of(&rig.rows) / scenes[s].shards;
        assert_true(largest <= share + 2 * (scenes[s].size + 16));
        exchange_rig_close(&rig);
    }
}

static int by_task_then_key(const void *a, const void *b) {
    const rig_row *left = a;
    const rig_row *right = b;
    return left->task != right->task ? (left->task < right->task ? -1 : 1) : rig_rows_by_key(a, b);
}

/* Shard i is task i of all inputs, merged by key; a shard without a task is empty. */
static void test_exchange_by_task_merges_tasks_of_inputs(void **state) {
    (void)state;
    const exchange_case scene = { "task", ZN_INDEX_BLOCKS, 1, true, 2, 4, 300, 30, 1000, 5 };
    exchange_rig rig;
    fill(&rig, &scene);
    qsort(rig.rows.items, rig.rows.count, sizeof rig.rows.items[0], by_task_then_key);
    check_with_memories(&rig, &scene, &rig.rows);
    exchange_rig_close(&rig);
}

/* No inputs, no rows. */
static void test_exchange_without_inputs_is_empty(void **state) {
    (void)state;
    exchange_rig rig;
    exchange_rig_open(&rig);
    exchange_slot slot;
    exchange_slot_open(&slot, &rig, "partition", 3);
    rig_rows found = { 0 };
    assert_int_equal(exchange_slot_take(&slot, 2, &found), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(rig.calls, 0);
    exchange_slot_close(&slot);
    exchange_rig_close(&rig);
}

/* ---- the table ---- */

/* Segments of another machine are fetched from its worker. */
static void test_exchange_reads_from_a_worker(void **state) {
    (void)state;
    const exchange_case scene = { "range", ZN_INDEX_SAMPLES, 1, true, 2, 5, 400, 100, 2000, 3 };
    exchange_rig rig;
    fill(&rig, &scene);
    zonda_error error = { 0 };
    zn_data_server *server = zn_data_server_start("inproc://exchange", rig.fake.folder, &error);
    if (server == NULL) {
        fail_msg("%s", error.text);
    }
    for (size_t stage = 0; stage < scene.stages; stage++) {
        for (size_t task = 0; task < scene.tasks; task++) {
            rig.results[stage][task].machine = zn_bytes_of_text("elsewhere");
            rig.results[stage][task].endpoint = zn_bytes_of_text(zn_data_server_endpoint(server));
        }
    }
    sort_rows(&rig.rows);
    check_with_memories(&rig, &scene, &rig.rows);
    zn_data_server_stop(&server);
    exchange_rig_close(&rig);
}

typedef struct thread_slot {
    exchange_rig *rig;
    uint64_t shard;
    rig_rows found;
} thread_slot;

static void *read_in_thread(void *context) {
    thread_slot *self = context;
    exchange_slot slot;
    exchange_slot_open(&slot, self->rig, "partition", 4);
    exchange_slot_take(&slot, self->shard, &self->found);
    exchange_slot_close(&slot);
    return NULL;
}

/* Slots that begin at the same time read the indexes once, and the table goes with the job. */
static void test_exchange_table_is_made_once(void **state) {
    (void)state;
    const exchange_case scene = {
        "partition", ZN_INDEX_PARTITIONS, 4, true, 1, 6, 200, 50, 100, 4
    };
    exchange_rig rig;
    fill(&rig, &scene);
    pthread_t threads[4];
    thread_slot slots[4] = { { 0 } };
    for (uint64_t i = 0; i < 4; i++) {
        slots[i] = (thread_slot){ .rig = &rig, .shard = i };
        assert_int_equal(pthread_create(&threads[i], NULL, read_in_thread, &slots[i]), 0);
    }
    size_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        count += slots[i].found.count;
        rig_rows_free(&slots[i].found);
    }
    assert_int_equal(count, rig.rows.count);
    assert_int_equal(rig.calls, 2); /* pages of three results of six */
    char *table = exchange_rig_table(&rig);
    assert_int_equal(access(table, F_OK), 0);
    zn_segment_remove_job(rig.fake.folder, (zn_job_id){ 7 });
    assert_int_not_equal(access(table, F_OK), 0);
    free(table);
    exchange_rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange_by_partition_merges_its_rows),
        cmocka_unit_test(test_exchange_by_range_is_the_sorted_whole),
        cmocka_unit_test(test_exchange_by_range_of_random_rows_is_the_sorted_whole),
        cmocka_unit_test(test_exchange_by_bytes_keeps_the_order),
        cmocka_unit_test(test_exchange_by_task_merges_tasks_of_inputs),
        cmocka_unit_test(test_exchange_without_inputs_is_empty),
        cmocka_unit_test(test_exchange_reads_from_a_worker),
        cmocka_unit_test(test_exchange_table_is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
