/* SPDX-License-Identifier: MPL-2.0 */
/* Between the error object that users see and the record that travels. A failure is never "no
 * error": code 0 from a peer that does not know better becomes INTERNAL, so that nobody takes a
 * failure for success. Longer texts from the wire are cut to what the error object holds. */
#include "wire/message.h"

#include <string.h>

void zn_failure_from_error(const zonda_error *error, zn_failure *out) {
    *out = (zn_failure){
        .code = error->code == ZONDA_OK ? ZONDA_ERR_INTERNAL : (uint64_t)error->code,
        .permanent = error->permanent,
        .has_shard = error->has_shard,
        .shard = error->shard,
        .attempt = error->attempt,
        .worker = error->worker,
        .has_lost = error->has_lost,
        .lost_stage = error->lost_stage,
        .lost_task = error->lost_task,
        .lost_attempt = error->lost_attempt,
        .line = error->line,
        .column = error->column,
        .op = zn_bytes_of_text(error->op),
        .file = zn_bytes_of_text(error->file),
        .text = zn_bytes_of_text(error->text),
        .traceback = zn_bytes_of_text(error->traceback),
    };
}

static void copy_text(char *out, size_t size, zn_bytes text) {
    zn_error_copy(out, size, text.len == 0 ? "" : (const char *)text.data, text.len);
}

void zn_failure_to_error(const zn_failure *failure, zonda_error *out) {
    memset(out, 0, sizeof *out);
    out->code = zn_err_from_number(failure->code);
    if (out->code == ZONDA_OK) {
        out->code = ZONDA_ERR_INTERNAL;
    }
    out->permanent = failure->permanent != 0;
    out->has_shard = failure->has_shard != 0;
    out->shard = failure->shard;
    out->attempt = (uint32_t)failure->attempt;
    out->worker = failure->worker;
    out->has_lost = failure->has_lost != 0;
    out->lost_stage = (uint32_t)failure->lost_stage;
    out->lost_task = failure->lost_task;
    out->lost_attempt = (uint32_t)failure->lost_attempt;
    out->line = failure->line;
    out->column = failure->column;
    copy_text(out->op, sizeof out->op, failure->op);
    copy_text(out->file, sizeof out->file, failure->file);
    copy_text(out->text, sizeof out->text, failure->text);
    copy_text(out->traceback, sizeof out->traceback, failure->traceback);
}
