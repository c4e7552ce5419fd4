/* SPDX-License-Identifier: MPL-2.0 */
/* Manifests: what is kept, what is refused and how the refusal is explained. */
#include "folder.h"

#include "base/digest.h"
#include "record/value.h"
#include "store/manifest.h"
#include "store/pattern.h"

typedef struct words {
    const char *operators;
    const char *plan; /* any text: its digest */
    const char *path; /* of the one input; NULL: none */
    int64_t bytes;
    int64_t modified_ns;
} words;

static const words usual = { "read→write_jsonl", "plan", "in/a.jsonl", 10, 7 };

static zn_buf document_of(const words *from) {
    zn_buf out = { 0 };
    zn_digest plan = zn_digest_of(zn_bytes_of_text(from->plan));
    zn_put_map(&out, 3);
    zn_put_text(&out, "operators");
    zn_put_text(&out, from->operators);
    zn_put_text(&out, "plan");
    zn_put_binary(&out, zn_digest_bytes(&plan));
    zn_put_text(&out, "inputs");
    zn_put_array(&out, from->path == NULL ? 0 : 1);
    if (from->path != NULL) {
        zn_put_array(&out, 3);
        zn_put_text(&out, from->path);
        zn_put_int(&out, from->bytes);
        zn_put_int(&out, from->modified_ns);
    }
    return out;
}

/* A manifest with its document. */
typedef struct held {
    zn_buf document;
    char *pattern;
    zn_manifest *manifest;
} held;

static held hold(const char *folder, const words *from, uint64_t shards) {
    zonda_error error = { 0 };
    held out = { .document = document_of(from) };
    out.pattern = zn_format("%s/out/o-{shard}.jsonl", folder);
    out.manifest = zn_manifest_new(out.pattern, shards, zn_buf_bytes(&out.document), &error);
    assert_non_null(out.manifest);
    return out;
}

static void drop(held *given) {
    zn_manifest_destroy(&given->manifest);
    free(given->pattern);
    zn_buf_free(&given->document);
}

static void put_output(const held *given, uint64_t shard, const char *text) {
    char *path = zn_pattern_path(given->pattern, shard, 3);
    file_put(path, zn_bytes_of_text(text));
    free(path);
}

static zonda_error claim(const char *folder, const words *from, uint64_t shards, bool keep) {
    zonda_error error = { 0 };
    held given = hold(folder, from, shards);
    zonda_err err = zn_manifest_claim(given.manifest, keep, &error);
    assert_int_equal(err, error.code);
    drop(&given);
    return error;
}

/* The first run leaves a manifest, and then its outputs are kept, shard by shard. */
static void test_manifest_outputs_of_the_plan_are_kept(void **state) {
    zonda_error error = { 0 };
    held first = hold(*state, &usual, 3);
    assert_ok(zn_manifest_claim(first.manifest, false, &error), error);
    assert_ok(zn_manifest_enter(first.manifest, &error), error);
    put_output(&first, 1, "x");
    zn_manifest_leave(first.manifest);
    held second = hold(*state, &usual, 3);
    assert_ok(zn_manifest_claim(second.manifest, true, &error), error);
    assert_false(zn_manifest_covers(second.manifest, 0));
    assert_true(zn_manifest_covers(second.manifest, 1));
    assert_false(zn_manifest_covers(second.manifest, 2));
    drop(&first);
    drop(&second);
}

/* The file is hidden, one per pattern, readable JSON, and nothing else is left. */
static void test_manifest_file_is_hidden_json(void **state) {
    assert_int_equal(claim(*state, &usual, 3, false).code, ZONDA_OK);
    char *folder = zn_format("%s/out", (char *)*state);
    assert_int_equal(folder_count(folder), 1);
    char *path = zn_format("%s/.o-{shard}.jsonl.zonda-manifest.json", folder);
    zn_buf text = file_get(path);
    zn_buf_append_byte(&text, 0);
    assert_memory_equal(text.data, "{\"zonda_manifest\":1,\"content\":\"", 31);
    assert_non_null(strstr((char *)text.data, "\"operators\":\"read→write_jsonl\""));
    assert_non_null(strstr((char *)text.data, "\"inputs\":[[\"in/a.jsonl\",10,7]]"));
    assert_non_null(strstr((char *)text.data, "\"old_outputs\":[]}\n"));
    zn_buf_free(&text);
    free(path);
    free(folder);
}

typedef struct refusal {
    words words;
    uint64_t shards;
    const char *text; /* NULL: not refused */
} refusal;

static const refusal refusals[] = {
    { { "read→write_jsonl", "plan", "in/a.jsonl", 10, 7 }, 3, NULL },
    { { "read→map→write_jsonl", "plan", "in/a.jsonl", 10, 7 },
      3,
      "they are of the plan read→write_jsonl, this is read→map→write_jsonl" },
    { { "read→write_jsonl", "other", "in/a.jsonl", 10, 7 }, 3, "they are of another plan" },
    { { "read→write_jsonl", "plan", "in/a.jsonl", 12, 9 },
      3,
      "the input in/a.jsonl has changed: it had 10 bytes, now it has 12" },
    { { "read→write_jsonl", "plan", "in/a.jsonl", 10, 9 },
      3,
      "the input in/a.jsonl was modified since" },
    { { "read→write_jsonl", "plan", "in/0.jsonl", 10, 7 }, 3, "the input in/0.jsonl is new" },
    { { "read→write_jsonl", "plan", "in/b.jsonl", 10, 7 },
      3,
      "the input in/a.jsonl is not read any more" },
    { { "read→write_jsonl", "plan", NULL, 0, 0 }, 3, "the input in/a.jsonl is not read any more" },
    { { "read→write_jsonl", "plan", "in/a.jsonl", 10, 7 },
      4,
      "they are of 3 shards, now there are 4" },
};

/* What differs is named; nothing is changed by a refusal. */
static void test_manifest_other_outputs_are_refused(void **state) {
    held given = hold(*state, &usual, 3);
    zonda_error error = { 0 };
    assert_ok(zn_manifest_claim(given.manifest, false, &error), error);
    put_output(&given, 1, "x");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        zonda_error got = claim(*state, &refusals[i].words, refusals[i].shards, true);
        assert_int_equal(got.code, refusals[i].text == NULL ? ZONDA_OK : ZONDA_ERR_REFUSED);
        if (refusals[i].text != NULL) {
            assert_true(got.permanent);
            assert_non_null(strstr(got.file, "/out/o-1.jsonl"));
            if (strstr(got.text, refusals[i].text) == NULL) {
                fail_msg("%s", got.text);
            }
        }
    }
    drop(&given);
}

/* Without outputs there is nothing to refuse: the manifest of another plan is replaced. */
static void test_manifest_without_outputs_is_replaced(void **state) {
    words other = usual;
    other.plan = "other";
    assert_int_equal(claim(*state, &other, 3, false).code, ZONDA_OK);
    assert_int_equal(claim(*state, &usual, 3, true).code, ZONDA_OK);
    held given = hold(*state, &usual, 3);
    put_output(&given, 0, "x");
    drop(&given);
    assert_int_equal(claim(*state, &usual, 3, true).code, ZONDA_OK);
    assert_int_equal(claim(*state, &other, 3, true).code, ZONDA_ERR_REFUSED);
}

/* Outputs without a manifest are of nobody knows what. */
static void test_manifest_missing_is_refused(void **state) {
    held given = hold(*state, &usual, 3);
    char *folder = zn_format("%s/out", (char *)*state);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_output(&given, 2, "x");
    zonda_error error = { 0 };
    assert_err(zn_manifest_claim(given.manifest, true, &error), REFUSED);
    assert_non_null(strstr(error.text, "no manifest"));
    assert_int_equal(folder_count(folder), 1);
    drop(&given);
    free(folder);
}

/* A run that replaces old outputs and dies half-way leaves a mixture; only the new ones are kept.
 */
static void test_manifest_mixture_is_told_apart(void **state) {
    words other = usual;
    other.plan = "other";
    held old = hold(*state, &other, 3);
    zonda_error error = { 0 };
    assert_ok(zn_manifest_claim(old.manifest, false, &error), error);
    put_output(&old, 0, "old");
    put_output(&old, 1, "old");
    drop(&old);
    held new = hold(*state, &usual, 3);
    assert_ok(zn_manifest_claim(new.manifest, false, &error), error);
    put_output(&new, 1, "newer");
    drop(&new);
    held again = hold(*state, &usual, 3);
    assert_ok(zn_manifest_claim(again.manifest, true, &error), error);
    assert_false(zn_manifest_covers(again.manifest, 0));
    assert_true(zn_manifest_covers(again.manifest, 1));
    assert_false(zn_manifest_covers(again.manifest, 2));
    drop(&again);
}

/* A slot of a run that was overtaken by a run of another plan can no longer publish. */
static void test_manifest_overtaken_cannot_enter(void **state) {
    words other = usual;
    other.plan = "other";
    held slow = hold(*state, &usual, 3);
    zonda_error error = { 0 };
    assert_ok(zn_manifest_claim(slow.manifest, false, &error), error);
    assert_int_equal(claim(*state, &other, 3, false).code, ZONDA_OK);
    assert_err(zn_manifest_enter(slow.manifest, &error), REFUSED);
    assert_true(error.permanent);
    assert_non_null(strstr(error.text, "another run"));
    drop(&slow);
}

/* A manifest that was removed in the middle of a run is made again; what was there before is not
 * trusted. */
static void test_manifest_removed_is_made_again(void **state) {
    held given = hold(*state, &usual, 3);
    zonda_error error = { 0 };
    assert_ok(zn_manifest_claim(given.manifest, false, &error), error);
    put_output(&given, 0, "x");
    char *path = zn_format("%s/out/.o-{shard}.jsonl.zonda-manifest.json", (char *)*state);
    assert_int_equal(unlink(path), 0);
    assert_ok(zn_manifest_enter(given.manifest, &error), error);
    put_output(&given, 1, "x");
    zn_manifest_leave(given.manifest);
    assert_ok(zn_manifest_claim(given.manifest, true, &error), error);
    assert_false(zn_manifest_covers(given.manifest, 0));
    assert_true(zn_manifest_covers(given.manifest, 1));
    free(path);
    drop(&given);
}

/* Files that are no manifests, or damaged ones, keep nothing. */
static void test_manifest_garbage_is_refused(void **state) {
    static const char *const garbage[] = { "", "nonsense", "{}", "{\"zonda_manifest\":2}",
                                           "[1]\n" };
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        held given = hold(*state, &usual, 3);
        char *path = zn_format("%s/out/.o-{shard}.jsonl.zonda-manifest.json", (char *)*state);
        zonda_error error = { 0 };
        assert_ok(zn_manifest_claim(given.manifest, false, &error), error);
        put_output(&given, 0, "x");
        file_put(path, zn_bytes_of_text(garbage[i]));
        assert_err(zn_manifest_claim(given.manifest, true, &error), REFUSED);
        assert_ok(zn_manifest_claim(given.manifest, false, &error), error);
        drop(&given);
        free(path);
    }
}

/* Folders with placeholders, slashes, long names and other schemes. */
static void test_manifest_patterns_of_all_kinds(void **state) {
    char deep[400];
    memset(deep, 'n', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    char *patterns[] = { zn_format("%s/a/{shard}/b%%/x.jsonl", (char *)*state),
                         zn_format("%s//b///{{{shard}.jsonl", (char *)*state),
                         zn_format("%s/c/{shard}-%s", (char *)*state, deep) };
    const char *const names[] = { "a/.{shard}%2Fb%25%2Fx.jsonl.zonda-manifest.json",
                                  "b/.{{{shard}.jsonl.zonda-manifest.json", NULL };
    zn_buf document = document_of(&usual);
    zonda_error error = { 0 };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        zn_manifest *manifest = zn_manifest_new(patterns[i], 3, zn_buf_bytes(&document), &error);
        assert_ok(zn_manifest_claim(manifest, false, &error), error);
        assert_ok(zn_manifest_claim(manifest, true, &error), error);
        zn_manifest_destroy(&manifest);
        if (names[i] != NULL) {
            char *path = zn_format("%s/%s", (char *)*state, names[i]);
            assert_int_equal(access(path, R_OK), 0);
            free(path);
        }
        free(patterns[i]);
    }
    zn_manifest *far = zn_manifest_new("s3://b/{shard}", 3, zn_buf_bytes(&document), &error);
    assert_err(zn_manifest_claim(far, false, &error), UNSUPPORTED);
    zn_manifest_destroy(&far);
    zn_buf_free(&document);
}

/* Documents come over the wire. */
static void test_manifest_bad_document_is_plan_error(void **state) {
    (void)state;
    static const char *const bad[] = { "", "\x80", "\x01", "\x83", "\x81\xa4plan\xc0" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        zonda_error error = { 0 };
        assert_null(zn_manifest_new("o", 1, zn_bytes_of_text(bad[i]), &error));
        assert_err(error.code, PLAN);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        folder_test(test_manifest_outputs_of_the_plan_are_kept),
        folder_test(test_manifest_file_is_hidden_json),
        folder_test(test_manifest_other_outputs_are_refused),
        folder_test(test_manifest_without_outputs_is_replaced),
        folder_test(test_manifest_missing_is_refused),
        folder_test(test_manifest_mixture_is_told_apart),
        folder_test(test_manifest_overtaken_cannot_enter),
        folder_test(test_manifest_removed_is_made_again),
        folder_test(test_manifest_garbage_is_refused),
        folder_test(test_manifest_patterns_of_all_kinds),
        cmocka_unit_test(test_manifest_bad_document_is_plan_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
