/* SPDX-License-Identifier: MPL-2.0 */
/* The small tables of the coordinator: things by id, counters by name, failures by task, replies by
 * client. */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "coordinator/clients.h"
#include "coordinator/counter_totals.h"
#include "coordinator/key_map.h"
#include "coordinator/retry.h"
#include "coordinator/stage_delay.h"

/* Ids that collide are found after any of them was removed. */
static void test_key_map_collisions_survive_removal(void **state) {
    (void)state;
    static int things[2000];
    zn_key_map map = { 0 };
    assert_null(zn_key_map_get(&map, 1));
    for (uint64_t i = 0; i < 2000; i++) {
        zn_key_map_put(&map, i << 40, &things[i]);
    }
    for (uint64_t i = 0; i < 2000; i += 3) {
        zn_key_map_remove(&map, i << 40);
    }
    zn_key_map_remove(&map, 12345);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_ptr_equal(zn_key_map_get(&map, i << 40), i % 3 == 0 ? NULL : &things[i]);
    }
    assert_int_equal(map.count, 2000 - 667);
    zn_key_map_free(&map);
}

static zn_counter counter(const char *name, int64_t sum, int64_t min, int64_t max) {
    return (zn_counter){
        .name = zn_bytes_of_text(name), .sum = sum, .min = min, .max = max, .count = 2
    };
}

/* Sums, extremes and counts add up by name, in the order of names. */
static void test_counter_totals_add_by_name(void **state) {
    (void)state;
    zn_counter_totals totals = { 0 };
    zn_counter first[] = { counter("b", 10, 2, 8), counter("a", 1, 0, 1) };
    zn_counter second[] = { counter("b", -5, -6, 1), counter("ab", 3, 1, 2) };
    zn_counter_totals_add(&totals, first, 2, 3);
    zn_counter_totals_add(&totals, second, 2, 1);
    assert_int_equal(totals.count, 3);
    assert_memory_equal(totals.items[1].name.data, "ab", 2);
    assert_int_equal(totals.items[2].sum, 25);
    assert_int_equal(totals.items[2].min, -6);
    assert_int_equal(totals.items[2].max, 8);
    assert_int_equal(totals.items[2].count, 8);
    zn_counter_totals_subtract(&totals, first, 2, 1);
    assert_int_equal(totals.items[2].sum, 15);
    assert_int_equal(totals.items[2].count, 6);
    zn_counter_totals_free(&totals);
}

/* Sums beyond 64 bits stop at the end, and names beyond the limit are dropped and counted. */
static void test_counter_totals_extremes_are_bounded(void **state) {
    (void)state;
    zn_counter_totals totals = { 0 };
    zn_counter huge[] = { counter("up", INT64_MAX / 2, 0, 1), counter("down", INT64_MIN, 0, 1) };
    zn_counter_totals_add(&totals, huge, 2, 3);
    zn_counter_totals_add(&totals, huge, 2, UINT64_MAX);
    assert_true(totals.items[1].sum == INT64_MAX);
    assert_true(totals.items[0].sum == INT64_MIN);
    for (int i = 0; i < ZN_COUNTER_NAMES_MAX + 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d", i);
        zn_counter one = counter(name, 1, 1, 1);
        zn_counter_totals_add(&totals, &one, 1, 1);
    }
    assert_int_equal(totals.count, ZN_COUNTER_NAMES_MAX);
    assert_int_equal(totals.dropped, 12);
    zn_counter_totals_free(&totals);
}

static zn_retry_class class_of(zonda_err code) {
    zonda_error error = { .code = code };
    return zn_retry_class_of(&error);
}

/* Classes are counted apart, per task, over runs that overlap. */
static void test_retry_counts_by_task_and_class(void **state) {
    (void)state;
    zn_task_set failures = { 0 };
    uint32_t task = 0;
    assert_int_equal(zn_retry_count(&failures, 0, 10, ZN_RETRY_USER, &task), 1);
    assert_int_equal(zn_retry_count(&failures, 5, 10, ZN_RETRY_USER, &task), 2);
    assert_int_equal(task, 5);
    assert_int_equal(zn_retry_count(&failures, 0, 20, ZN_RETRY_CRASH, &task), 1);
    assert_int_equal(zn_retry_count(&failures, 12, 1, ZN_RETRY_INFRA, &task), 1);
    assert_int_equal(failures.task_count, 20);
    zn_retry_forget(&failures, 5, 100);
    assert_int_equal(failures.task_count, 5);
    assert_int_equal(zn_retry_count(&failures, 5, 1, ZN_RETRY_USER, &task), 1);
    zn_retry_forget(&failures, 0, 100);
    assert_int_equal(failures.task_count, 0);
    zn_task_set_free(&failures);
}

/* The limits are those that are documented, unless the job asks for others. */
static void test_retry_limits_are_3_20_3(void **state) {
    (void)state;
    zn_msg_open_job open = { 0 };
    zn_retry_limits limits = zn_retry_limits_of(&open);
    assert_int_equal(limits.attempts[class_of(ZONDA_ERR_BAD_RECORD)], 3);
    assert_int_equal(limits.attempts[class_of(ZONDA_ERR_WORKER_LOST)], 20);
    assert_int_equal(limits.attempts[class_of(ZONDA_ERR_CRASH)], 3);
    assert_int_equal(class_of(ZONDA_ERR_CRASH), ZN_RETRY_CRASH);
    zonda_error unreadable = { .code = ZONDA_ERR_CORRUPT, .has_lost = true };
    assert_int_equal(class_of(ZONDA_ERR_CORRUPT), ZN_RETRY_USER);
    assert_int_equal(zn_retry_class_of(&unreadable), ZN_RETRY_INFRA);
    assert_int_equal(class_of(ZONDA_ERR_HUNG), ZN_RETRY_CRASH);
    assert_int_equal(limits.attempts[class_of(ZONDA_ERR_DISK_FULL)], 20);
    open = (zn_msg_open_job){ .user_attempts = 1, .infra_attempts = 7, .crash_attempts = 9 };
    limits = zn_retry_limits_of(&open);
    assert_int_equal(limits.attempts[ZN_RETRY_USER], 1);
    assert_int_equal(limits.attempts[ZN_RETRY_INFRA], 7);
    assert_int_equal(limits.attempts[ZN_RETRY_DISK], 7);
    assert_int_equal(limits.attempts[ZN_RETRY_CRASH], 9);
}

/* Waiting grows with every failure, up to a bound; a first loss costs nothing. */
static void test_retry_waits_grow_and_are_bounded(void **state) {
    (void)state;
    assert_int_equal(zn_retry_wait_ms(ZN_RETRY_INFRA, 1), 0);
    assert_int_equal(zn_retry_wait_ms(ZN_RETRY_DISK, 1), 0);
    assert_int_equal(zn_retry_wait_ms(ZN_RETRY_INFRA, 2), ZN_RETRY_WAIT_MS);
    uint64_t before = 0;
    for (uint32_t failures = 1; failures < 40; failures++) {
        uint64_t wait = zn_retry_wait_ms(ZN_RETRY_USER, failures);
        assert_true(wait > before || wait == ZN_RETRY_WAIT_MS_MAX);
        before = wait;
    }
    assert_int_equal(before, ZN_RETRY_WAIT_MS_MAX);
}

/* Only what is pending waits; what waits is passed over until it is due. */
static void test_delay_passes_over_what_waits(void **state) {
    (void)state;
    zn_task_set pending = { 0 };
    zn_stage_delay delay = { 0 };
    zn_task_choice nothing = { NULL, 0 };
    zn_task_run run;
    zn_task_set_insert(&pending, (zn_task_run){ 0, 4, 1 });
    zn_task_set_insert(&pending, (zn_task_run){ 6, 2, 2 });
    zn_stage_delay_put(&delay, &pending, 0, 2, 100 * ZN_NS_PER_MS);
    zn_stage_delay_put(&delay, &pending, 1, 6, 205 * ZN_NS_PER_MS);
    assert_int_equal(delay.tasks.task_count, 5); /* 0 to 3 and 6 */
    assert_true(zn_stage_delay_next(&delay, &pending, &nothing, 9, &run));
    assert_int_equal(run.first, 7);
    assert_int_equal(run.count, 1);
    assert_false(zn_stage_delay_expire(&delay, 99 * ZN_NS_PER_MS));
    assert_true(zn_stage_delay_expire(&delay, 100 * ZN_NS_PER_MS));
    assert_true(zn_stage_delay_next(&delay, &pending, &nothing, 9, &run));
    assert_int_equal(run.first, 0);
    assert_int_equal(run.count, 2); /* 2 still waits */
    zn_stage_delay_forget(&delay, 3, 10);
    assert_int_equal(delay.tasks.task_count, 1);
    assert_false(zn_stage_delay_expire(&delay, 209 * ZN_NS_PER_MS));
    assert_true(zn_stage_delay_expire(&delay, 210 * ZN_NS_PER_MS));
    assert_int_equal(delay.tasks.task_count, 0);
    zn_stage_delay_free(&delay);
    zn_task_set_free(&pending);
}

/* The client that called least recently is forgotten first. */
static void test_clients_are_bounded(void **state) {
    (void)state;
    zn_clients *clients = zn_clients_new(3);
    for (uint64_t id = 1; id <= 3; id++) {
        zn_client_note(zn_clients_get(clients, id), id * 10);
    }
    zn_clients_get(clients, 1);
    zn_clients_get(clients, 4);
    assert_int_equal(zn_clients_count(clients), 3);
    assert_int_equal(zn_clients_get(clients, 1)->request, 10);
    assert_int_equal(zn_clients_get(clients, 3)->request, 30);
    assert_int_equal(zn_clients_get(clients, 2)->request, 0);
    zn_clients_destroy(&clients);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_map_collisions_survive_removal),
        cmocka_unit_test(test_counter_totals_add_by_name),
        cmocka_unit_test(test_counter_totals_extremes_are_bounded),
        cmocka_unit_test(test_retry_counts_by_task_and_class),
        cmocka_unit_test(test_retry_limits_are_3_20_3),
        cmocka_unit_test(test_retry_waits_grow_and_are_bounded),
        cmocka_unit_test(test_delay_passes_over_what_waits),
        cmocka_unit_test(test_clients_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
