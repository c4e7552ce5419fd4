/* SPDX-License-Identifier: MPL-2.0 */
/* Stages with branches: which operators a task runs through, and which shards they see. */
#include "test.h"

#include <zonda/function.h>

#include "base/limits.h"
#include "fake_host.h"

static fake_host host;

static zonda_err call_where(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)arg_count;
    msgpack_pack_array(out, 3);
    msgpack_pack_object(out, args[0]);
    msgpack_pack_uint64(out, zonda_task_shard(task));
    msgpack_pack_uint64(out, zonda_task_shard_count(task));
    return ZONDA_OK;
}

static int set_up(void **state) {
    (void)state;
    fake_host_open(&host);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fake_host_close(&host);
    return 0;
}

static zn_stage_exec *open_body(const char *json, zonda_error *error) {
    zn_buf body = { 0 };
    fake_json(json, &body);
    zn_stage_exec *stage =
        zn_stage_exec_new((zn_job_id){ 1 }, zn_buf_bytes(&body), &host.host, error);
    zn_buf_free(&body);
    return stage;
}

#define WHERE "[\"map\",{\"function\":{\"kind\":\"c\",\"name\":\"where\"}}]"

/* Shards are counted through all branches, but each operator sees those of its own. */
static void test_branches_operators_see_their_shards(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_stage_exec *stage =
        open_body("{\"stage\":0,\"tasks\":4,\"shared\":{},\"ops\":[" WHERE "],\"branches\":["
                  "{\"ops\":[[\"from_range\",{\"n\":1}]," WHERE "],\"tasks\":1},"
                  "{\"ops\":[" WHERE "],\"branches\":["
                  "{\"ops\":[[\"from_range\",{\"n\":2}]," WHERE "],\"tasks\":2},"
                  "{\"ops\":[[\"from_range\",{\"n\":1}]],\"tasks\":1}]}]}",
                  &error);
    assert_ok(error.code, error);
    static const char *const expected[] = {
        "[[0,0,1],0,4]\n",
        "[[[0,0,2],0,3],1,4]\n",
        "[[[1,1,2],1,3],2,4]\n",
        "[[0,2,3],3,4]\n",
    };
    for (uint64_t i = 4; i > 0; i--) {
        char *records = fake_run(&host, stage, i - 1);
        assert_string_equal(records, expected[i - 1]);
        free(records);
    }
    zn_stage_exec_destroy(&stage);
}

/* Branches may join without anything behind them, and an operator in one can have had enough. */
static void test_branches_without_tail(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_stage_exec *stage =
        open_body("{\"stage\":0,\"tasks\":2,\"shared\":{},\"ops\":[],\"branches\":["
                  "{\"ops\":[[\"from_range\",{\"n\":9}],[\"take_per_shard\",{\"n\":1}],[\"window\","
                  "{\"n\":2}]],"
                  "\"tasks\":1},"
                  "{\"ops\":[[\"from_range\",{\"n\":3}],[\"window\",{\"n\":2}]],\"tasks\":1}]}",
                  &error);
    assert_ok(error.code, error);
    char *records = fake_run(&host, stage, 0);
    assert_string_equal(records, "[0]\n");
    free(records);
    records = fake_run(&host, stage, 1);
    assert_string_equal(records, "[0,1]\n[2]\n");
    free(records);
    zn_stage_exec_destroy(&stage);
}

/* Two branches that write under one pattern number their own files. */
static void test_branches_sinks_number_their_shards(void **state) {
    (void)state;
    char *path = fake_host_path(&host, "f-{shard}-of-{total}.jsonl");
    char body[1024];
    snprintf(body, sizeof body,
             "{\"stage\":0,\"tasks\":3,\"shared\":{},\"ops\":[],\"branches\":["
             "{\"ops\":[[\"from_range\",{\"n\":1}]],\"tasks\":1},"
             "{\"ops\":[[\"from_range\",{\"n\":2}],[\"write_jsonl\",{\"pattern\":\"%s\"}]],"
             "\"tasks\":2}]}",
             path);
    free(path);
    zonda_error error = { 0 };
    zn_stage_exec *stage = open_body(body, &error);
    assert_ok(error.code, error);
    for (uint64_t i = 0; i < 3; i++) {
        free(fake_run(&host, stage, i));
    }
    char *files = fake_host_files(&host);
    assert_string_equal(files, "f-0-of-2.jsonl f-1-of-2.jsonl");
    free(files);
    zn_stage_exec_destroy(&stage);
}

/* Bodies come over the wire: what does not fit together is refused. */
static void test_branches_bad_bodies_are_refused(void **state) {
    (void)state;
#define SOURCE "[\"from_range\",{\"n\":1}]"
    static const char *const bodies[] = {
        "\"ops\":[],\"branches\":[]",
        "\"ops\":[],\"branches\":1",
        "\"ops\":[],\"branches\":[1]",
        "\"ops\":[],\"branches\":[{\"ops\":[],\"tasks\":2}]",
        "\"ops\":[],\"branches\":[{\"ops\":[" SOURCE "],\"tasks\":1}]",
        "\"ops\":[],\"branches\":[{\"ops\":[" SOURCE "],\"tasks\":3}]",
        "\"ops\":[],\"branches\":[{\"ops\":[" SOURCE "],\"tasks\":2},{\"ops\":[" SOURCE
        "],\"tasks\":0}]",
        "\"ops\":[],\"branches\":[{\"ops\":[" SOURCE "]}]",
        "\"ops\":[],\"branches\":[{\"tasks\":2}]",
        "\"ops\":[" SOURCE "],\"branches\":[{\"ops\":[" SOURCE "],\"tasks\":2}]",
        "\"ops\":[],\"branches\":[{\"ops\":[" WHERE "],\"tasks\":2}]",
        "\"ops\":[]",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char body[1024];
        snprintf(body, sizeof body, "{\"stage\":0,\"tasks\":2,\"shared\":{},%s}", bodies[i]);
        zonda_error error = { 0 };
        zn_stage_exec *stage = open_body(body, &error);
        if (stage != NULL || error.code != ZONDA_ERR_PLAN) {
            fail_msg("%s: %s", bodies[i], zonda_err_name(error.code));
        }
    }
}

/* Branches of branches of branches end somewhere. */
static void test_branches_depth_is_limited(void **state) {
    (void)state;
    zn_buf body = { 0 };
    zn_buf_append_text(&body, "{\"stage\":0,\"tasks\":1,\"shared\":{},\"ops\":[]");
    for (unsigned i = 0; i <= ZN_UNION_DEPTH_MAX; i++) {
        zn_buf_append_text(&body, ",\"branches\":[{\"tasks\":1,\"ops\":[]");
    }
    for (unsigned i = 0; i <= ZN_UNION_DEPTH_MAX; i++) {
        zn_buf_append_text(&body, "}]");
    }
    zn_buf_append(&body, "}", 2);
    zonda_error error = { 0 };
    assert_null(open_body((const char *)body.data, &error));
    assert_err(error.code, PLAN);
    zn_buf_free(&body);
}

int main(void) {
    zonda_error error = { 0 };
    if (zonda_register("where", &(zonda_function){ .call = call_where }, &error) != ZONDA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_branches_operators_see_their_shards, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_branches_without_tail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_branches_sinks_number_their_shards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_branches_bad_bodies_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_branches_depth_is_limited, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
