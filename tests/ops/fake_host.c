/* SPDX-License-Identifier: MPL-2.0 */
/* The fake host answers at once and from memory. Commits and cancellation follow what the test has
 * put into its fields, so every outcome of a task can be had without a cluster. */
#include "fake_host.h"

#include <dirent.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/json.h"
#include "record/value.h"
#include "store/block.h"
#include "store/segment.h"

static zonda_err give_blob(void *context, zn_digest digest, zn_bytes *out, zonda_error *error) {
    fake_host *host = context;
    for (size_t i = 0; i < host->blob_count; i++) {
        if (zn_digest_equal(host->blobs[i].digest, digest)) {
            *out = zn_buf_bytes(&host->blobs[i].bytes);
            return ZONDA_OK;
        }
    }
    return zn_error_set(error, ZONDA_ERR_UNKNOWN_BLOB, "no such blob");
}

static zonda_err give_results(void *context, zn_job_id job, zn_stage_id stage, uint64_t first,
                              const zn_msg_results **page, zonda_error *error) {
    (void)job;
    (void)stage;
    (void)first;
    fake_host *host = context;
    if (host->page_next == host->page_count) {
        return zn_error_set(error, ZONDA_ERR_UNKNOWN_STAGE, "no more pages");
    }
    *page = &host->pages[host->page_next++];
    return ZONDA_OK;
}

static zonda_err answer_commit(void *context, zn_attempt_id attempt, bool *granted,
                               zonda_error *error) {
    (void)attempt;
    (void)error;
    fake_host *host = context;
    host->commits++;
    *granted = !host->refuse;
    return ZONDA_OK;
}

static bool answer_cancelled(void *context) {
    fake_host *host = context;
    if (host->cancel_after == 0) {
        return true;
    }
    if (host->cancel_after != UINT64_MAX) { /* else nothing is written: slots may share a host */
        host->cancel_after--;
    }
    return false;
}

void fake_host_open(fake_host *host) {
    *host = (fake_host){ .cancel_after = UINT64_MAX };
    strcpy(host->folder, "/tmp/zonda-ops-XXXXXX");
    assert_non_null(mkdtemp(host->folder));
    host->host = (zn_task_host){ .context = host,
                                 .scratch = host->folder,
                                 .owner = "slot0-1",
                                 .blob = give_blob,
                                 .results = give_results,
                                 .commit = answer_commit,
                                 .cancelled = answer_cancelled };
}

void fake_host_close(fake_host *host) {
    DIR *folder = opendir(host->folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char *path = fake_host_path(host, entry->d_name);
        unlink(path);
        free(path);
    }
    closedir(folder);
    rmdir(host->folder);
    for (size_t i = 0; i < host->blob_count; i++) {
        zn_buf_free(&host->blobs[i].bytes);
    }
}

zn_digest fake_host_put(fake_host *host, zn_bytes bytes) {
    assert_true(host->blob_count < sizeof host->blobs / sizeof host->blobs[0]);
    fake_blob *blob = &host->blobs[host->blob_count++];
    zn_buf_append(&blob->bytes, bytes.data, bytes.len);
    blob->digest = zn_digest_of(bytes);
    return blob->digest;
}

void fake_json(const char *text, zn_buf *out) {
    zn_json_reader *reader = zn_json_reader_new();
    zonda_error error = { 0 };
    assert_ok(zn_json_read(reader, zn_bytes_of_text(text), out, &error), error);
    zn_json_reader_destroy(&reader);
}

fake_body fake_body_of(fake_host *host, uint64_t tasks) {
    return (fake_body){ .host = host, .tasks = tasks };
}

static void begin_op(fake_body *body, const char *name) {
    body->op_count++;
    zn_put_array(&body->ops, 2);
    zn_put_text(&body->ops, name);
}

void fake_body_op(fake_body *body, const char *name, const char *args) {
    begin_op(body, name);
    fake_json(args, &body->ops);
}

void fake_body_source(fake_body *body, const char *name, const char *args, const char *inputs) {
    zn_buf blob = { 0 };
    fake_json(inputs, &blob);
    zn_digest digest = fake_host_put(body->host, zn_buf_bytes(&blob));
    zn_buf_free(&blob);
    zn_buf map = { 0 };
    fake_json(args, &map);
    zn_cursor cursor = zn_cursor_of(zn_buf_bytes(&map));
    uint32_t pairs = zn_cursor_read(&cursor).count;
    begin_op(body, name);
    zn_put_map(&body->ops, pairs + 1);
    zn_buf_append(&body->ops, cursor.at, (size_t)(cursor.end - cursor.at));
    zn_put_text(&body->ops, "inputs");
    zn_put_binary(&body->ops, zn_digest_bytes(&digest));
    zn_buf_free(&map);
}

void fake_body_shared(fake_body *body, const char *name, const char *value) {
    zn_buf blob = { 0 };
    fake_json(value, &blob);
    zn_digest digest = fake_host_put(body->host, zn_buf_bytes(&blob));
    zn_buf_free(&blob);
    body->shared_count++;
    zn_put_text(&body->shared, name);
    zn_put_binary(&body->shared, zn_digest_bytes(&digest));
}

zn_stage_exec *fake_body_open(fake_body *body, zonda_error *error) {
    zn_buf bytes = { 0 };
    zn_put_map(&bytes, 5);
    zn_put_text(&bytes, "lua");
    zn_put_map(&bytes, 1);
    zn_put_text(&bytes, "instructions");
    zn_put_uint(&bytes, body->instructions);
    zn_put_text(&bytes, "stage");
    zn_put_uint(&bytes, 3);
    zn_put_text(&bytes, "tasks");
    zn_put_uint(&bytes, body->tasks);
    zn_put_text(&bytes, "ops");
    zn_put_array(&bytes, body->op_count);
    zn_buf_append(&bytes, body->ops.data, body->ops.len);
    zn_put_text(&bytes, "shared");
    zn_put_map(&bytes, body->shared_count);
    zn_buf_append(&bytes, body->shared.data, body->shared.len);
    zn_stage_exec *stage =
        zn_stage_exec_new((zn_job_id){ 7 }, zn_buf_bytes(&bytes), &body->host->host, error);
    zn_buf_free(&bytes);
    zn_buf_free(&body->ops);
    zn_buf_free(&body->shared);
    return stage;
}

static void append_lines(zn_bytes records, zn_buf *out) {
    zonda_error error = { 0 };
    zn_cursor cursor = zn_cursor_of(records);
    while (cursor.at < cursor.end) {
        assert_ok(zn_json_write(zn_cursor_skip(&cursor), out, &error), error);
        zn_buf_append_byte(out, '\n');
    }
}

static void append_segment(const fake_host *host, const zn_reference *reference, zn_buf *out) {
    zonda_error error = { 0 };
    zn_block_codec *codec = zn_block_codec_new();
    uint8_t *bytes = zn_alloc(reference->length);
    size_t got = 0;
    for (size_t at = 0; at < reference->length; at += got) {
        assert_ok(zn_segment_read_at(host->folder, reference->segment, reference->offset + at,
                                     bytes + at, reference->length - at, &got, &error),
                  error);
        assert_true(got > 0);
    }
    zn_bytes left = { .data = bytes, .len = reference->length };
    while (left.len > 0) {
        zn_bytes records = { 0 };
        uint32_t count = 0;
        size_t used = 0;
        size_t need = 0;
        assert_ok(zn_block_unpack(codec, left, &records, &count, &used, &need, &error), error);
        append_lines(records, out);
        left.data += used;
        left.len -= used;
    }
    free(bytes);
    zn_block_codec_destroy(&codec);
}

char *fake_run(fake_host *host, zn_stage_exec *stage, uint64_t task) {
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, task, 1, &outcome));
    if (outcome.failure_count > 0) {
        fail_msg("task failed: %.*s", TEST_TEXT(outcome.failure->text));
    }
    assert_int_equal(outcome.first, task);
    assert_int_equal(outcome.count, 1);
    zn_buf text = { 0 };
    if (outcome.reference_count > 0) {
        assert_int_equal(outcome.records.len, 0);
        append_segment(host, outcome.reference, &text);
    } else {
        append_lines(outcome.records, &text);
    }
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

zonda_error fake_run_failing(zn_stage_exec *stage, uint64_t task, uint32_t attempt) {
    zn_outcome outcome = { 0 };
    assert_true(zn_stage_exec_run(stage, task, attempt, &outcome));
    assert_int_equal(outcome.failure_count, 1);
    assert_int_equal(outcome.records.len, 0);
    assert_int_equal(outcome.reference_count, 0);
    assert_int_equal(outcome.counters_count, 0);
    zonda_error error = { 0 };
    zn_failure_to_error(outcome.failure, &error);
    return error;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

char *fake_host_files(const fake_host *host) {
    struct dirent **entries = NULL;
    int count = scandir(host->folder, &entries, NULL, by_name);
    zn_buf names = { 0 };
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        size_t len = strlen(name);
        bool segment = len > 4 && strcmp(name + len - 4, ".seg") == 0;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !segment) {
            zn_buf_printf(&names, "%s%s", names.len == 0 ? "" : " ", name);
        }
        free(entries[i]);
    }
    free(entries);
    zn_buf_append_byte(&names, '\0');
    return (char *)names.data;
}

char *fake_host_path(const fake_host *host, const char *name) {
    return zn_format("%s/%s", host->folder, name);
}

void fake_host_write(const fake_host *host, const char *name, const char *text) {
    char *path = fake_host_path(host, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

char *fake_host_read(const fake_host *host, const char *name) {
    char *path = fake_host_path(host, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = zn_calloc(1, 64 * ZN_KIB);
    size_t got = fread(text, 1, 64 * ZN_KIB - 1, file);
    text[got] = '\0';
    fclose(file);
    free(path);
    return text;
}
