/* SPDX-License-Identifier: MPL-2.0 */
/* Bad records of a source. The file of kept ones is a sink of its own: begun with the first bad
 * record of the shard, sealed and published with permission when the shard is read, so a failing or
 * losing attempt leaves none. The bytes of a record may be more than memory should hold; they go to
 * the file in the pieces in which the reader gives them. */
#include "ops/bad_records.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/sink_file.h"

typedef enum policy {
    POLICY_FAIL,
    POLICY_SKIP,
    POLICY_KEEP
} policy;

struct zn_bad_records {
    policy policy;
    char *folder;
    zn_sink_file *file; /* NULL: no bad record yet */
};

static zonda_err read_policy(zn_bad_records *bad, zn_op *op, zonda_error *error) {
    zn_bytes text = { 0 };
    zn_bytes folder = { 0 };
    if (!zn_value_field_text(op->args, "on_bad_record", &text) ||
        zn_bytes_equal(text, zn_bytes_of_text("fail"))) {
        return ZONDA_OK;
    }
    if (zn_bytes_equal(text, zn_bytes_of_text("skip"))) {
        bad->policy = POLICY_SKIP;
        return ZONDA_OK;
    }
    if (!zn_value_field_text(op->args, "bad_records", &folder) || folder.len > ZN_PATH_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no valid folder for bad records",
                            op->def->name);
    }
    bad->policy = POLICY_KEEP;
    bad->folder = zn_strndup((const char *)folder.data, folder.len);
    return ZONDA_OK;
}

zn_bad_records *zn_bad_records_new(zn_op *op, zonda_error *error) {
    zn_bad_records *bad = ZN_NEW(zn_bad_records);
    if (read_policy(bad, op, error) != ZONDA_OK) {
        zn_bad_records_destroy(&bad);
    }
    return bad;
}

void zn_bad_records_abort(zn_bad_records *bad) {
    zn_sink_file_destroy(&bad->file);
}

void zn_bad_records_destroy(zn_bad_records **bad) {
    if (*bad == NULL) {
        return;
    }
    zn_bad_records_abort(*bad);
    free((*bad)->folder);
    free(*bad);
    *bad = NULL;
}

static char *path_of(const zn_bad_records *bad, zn_attempt_id id, const char *suffix) {
    return zn_format("%s/%" PRIu64 "-%" PRIu32 "-%" PRIu64 "%s", bad->folder, id.job.value,
                     id.stage.value, id.task, suffix);
}

static zonda_err keep(zn_bad_records *bad, zn_attempt_id attempt, const char *suffix,
                      zn_reader *reader, zn_bytes raw, zonda_error *error) {
    if (bad->file == NULL) {
        char *path = path_of(bad, attempt, suffix);
        bad->file = zn_sink_file_open(path, attempt, 0, error);
        free(path);
        if (bad->file == NULL) {
            return error->code;
        }
    }
    zonda_err err = ZONDA_OK;
    for (bool got = true; got && err == ZONDA_OK;) {
        err = zn_sink_file_write(bad->file, raw, error);
        if (err == ZONDA_OK) {
            err = zn_reader_raw(reader, &raw, &got, error);
        }
    }
    return err;
}

zonda_err zn_bad_records_take(zn_bad_records *bad, zonda_task *task, zn_reader *reader,
                              const zn_reader_item *item, const zn_reader_format *format,
                              zonda_error *error) {
    if (bad->policy == POLICY_FAIL) {
        *error = *item->cause;
        error->permanent = true;
        return error->code;
    }
    zonda_err err = zonda_task_counter(task, "bad_records", 1);
    if (err != ZONDA_OK) {
        return zn_error_set(error, err, "no room for the counter bad_records");
    }
    return bad->policy == POLICY_KEEP
               ? keep(bad, task->attempt, format->suffix, reader, item->raw, error)
               : ZONDA_OK;
}

zonda_err zn_bad_records_end(zn_bad_records *bad, zonda_task *task, zonda_error *error) {
    if (bad->file == NULL) {
        return ZONDA_OK;
    }
    bool granted = false;
    zonda_err err = zn_sink_file_seal(bad->file, error);
    if (err == ZONDA_OK) {
        err = task->host->commit(task->host->context, task->attempt, &granted, error);
    }
    if (err == ZONDA_OK && granted) {
        err = zn_sink_file_publish(bad->file, error);
    }
    if (err == ZONDA_OK && !granted) {
        task->withdrawn = true;
    }
    zn_bad_records_abort(bad);
    return err;
}

void zn_bad_records_sweep(zn_bad_records *bad, zn_attempt_id attempt) {
    static const char *const suffixes[] = { ".jsonl", ".txt", ".msgpack", ".csv", ".tsv", ".bin" };
    if (bad->policy != POLICY_KEEP) {
        return;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char *path = path_of(bad, attempt, suffixes[i]);
        zn_sink_file_sweep(path, attempt);
        free(path);
    }
}
