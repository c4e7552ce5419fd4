/* SPDX-License-Identifier: MPL-2.0 */
/* A stage on a slot: the chain of its operators, made once from the body, then run for one task
 * after another. The source pushes records through the chain; the collector at the end holds the
 * result. The first operator whose call fails is the one that is blamed: failures pass through all
 * operators before it on their way out, so it is noted where the call returns first.
 *
 * A task that fails leaves the chain usable: abort is called on every operator, whatever it has
 * seen of the task. Cancellation is asked between the records of the source. Called by the slots of
 * the worker, one stage_exec per slot and stage, always on the slot's thread. */
#include "ops/stage_exec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/body.h"
#include "ops/collect.h"
#include "ops/shared.h"
#include "ops/task_state.h"
#include "record/value.h"
#include "wire/text.h"

struct zn_stage_exec {
    zn_job_id job;
    const zn_task_host *host;
    zn_buf bytes; /* the body; arguments of operators borrow from it */
    zn_body body;
    char *folder; /* of the body; NULL: none */
    zn_op *ops;   /* those of the body, then the collector */
    size_t op_count;
    zn_op *source; /* that the running task begins with */
    zonda_task task;
    zn_op *blamed; /* where the running task failed */
    zn_op *enough; /* wants no more records of the running task; NULL: none */
    zonda_error error;
    zn_failure failure;
    zn_reference reference;
    zn_part parts[ZN_OUTCOME_PARTS_MAX];
    zn_counter counters[ZN_TASK_COUNTERS_MAX];
};

const zn_task_host *zn_stage_exec_host(const zn_stage_exec *stage) {
    return stage->host;
}

zn_job_id zn_stage_exec_job(const zn_stage_exec *stage) {
    return stage->job;
}

zn_stage_id zn_stage_exec_stage(const zn_stage_exec *stage) {
    return stage->body.stage;
}

uint64_t zn_stage_exec_profile(const zn_stage_exec *stage) {
    return stage->body.profile;
}

/* The operators of the body, then the collector, where all chains end. */
static void link_ops(zn_stage_exec *stage) {
    const zn_body *body = &stage->body;
    stage->op_count = body->op_count + 1;
    stage->ops = zn_calloc(stage->op_count, sizeof *stage->ops);
    zn_op *collector = &stage->ops[body->op_count];
    *collector = (zn_op){ .def = &zn_op_collect, .stage = stage, .shard_count = body->task_count };
    for (size_t i = 0; i < body->op_count; i++) {
        const zn_body_op *op = &body->ops[i];
        stage->ops[i] =
            (zn_op){ .def = op->def,
                     .next = op->next == ZN_BODY_END ? collector : &stage->ops[op->next],
                     .stage = stage,
                     .args = op->args,
                     .planned = op->planned,
                     .shard_first = op->first,
                     .shard_count = op->tasks };
    }
}

zn_lua_limits zn_stage_exec_lua_limits(const zn_stage_exec *stage) {
    if (stage == NULL) {
        return zn_lua_limits_of(0, 0);
    }
    zn_lua_limits limits = stage->body.lua;
    limits.memory = stage->host->memory;
    return limits;
}

static void name_operator(zonda_error *error, const zn_op_def *def) {
    zn_bytes name = zn_op_user_name(def);
    zn_error_copy(error->op, sizeof error->op, (const char *)name.data, name.len);
}

/* Other stages that the slot runs in between may have another folder. */
static zonda_err enter_folder(const zn_stage_exec *stage, zonda_error *error) {
    const zn_task_host *host = stage->host;
    return stage->folder == NULL || host->enter == NULL
               ? ZONDA_OK
               : host->enter(host->context, stage->folder, error);
}

static zonda_err open_ops(zn_stage_exec *stage, zonda_error *error) {
    link_ops(stage);
    zonda_err entered = enter_folder(stage, error);
    if (entered != ZONDA_OK) {
        return entered;
    }
    for (size_t i = 0; i < stage->op_count; i++) {
        zn_op *op = &stage->ops[i];
        zonda_err err =
            op->def->runtime->open == NULL ? ZONDA_OK : op->def->runtime->open(op, error);
        if (err != ZONDA_OK) {
            name_operator(error, op->def);
            return err;
        }
    }
    return ZONDA_OK;
}

/* The source that a task begins with. */
static zn_op *find_source(const zn_stage_exec *stage, uint64_t task) {
    const zn_body *body = &stage->body;
    size_t low = 0;
    size_t high = body->source_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (body->sources[middle].first <= task) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &stage->ops[body->sources[low].op];
}

/* Texts of user functions may be anything; on the wire they must be UTF-8. */
static void scrub(char *text) {
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t step = zn_text_character((zn_bytes){ (const uint8_t *)text + at, len - at });
        if (step == 0) {
            text[at] = '?';
            step = 1;
        }
        at += step;
    }
}

static void scrub_error(zonda_error *error) {
    scrub(error->op);
    scrub(error->file);
    scrub(error->text);
    scrub(error->traceback);
}

zn_stage_exec *zn_stage_exec_new(zn_job_id job, zn_bytes body, const zn_task_host *host,
                                 zonda_error *error) {
    zonda_error unwanted;
    error = error == NULL ? &unwanted : error;
    zn_stage_exec *stage = ZN_NEW(zn_stage_exec);
    stage->job = job;
    stage->host = host;
    zn_buf_append(&stage->bytes, body.data, body.len);
    zonda_err err = zn_body_parse(zn_buf_bytes(&stage->bytes), &stage->body, error);
    if (err == ZONDA_OK) {
        const zn_bytes *folder = &stage->body.folder;
        stage->folder =
            folder->len > 0 ? zn_strndup((const char *)folder->data, folder->len) : NULL;
        stage->task.host = host;
        stage->task.shared = zn_shared_new(stage->body.shared, host, error);
        err = stage->task.shared == NULL ? error->code : open_ops(stage, error);
    }
    if (err != ZONDA_OK) {
        scrub_error(error);
        zn_stage_exec_destroy(&stage);
    }
    return stage;
}

void zn_stage_exec_destroy(zn_stage_exec **stage) {
    zn_stage_exec *self = *stage;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->op_count; i++) {
        zn_op *op = &self->ops[i];
        if (op->def->runtime->close != NULL) {
            op->def->runtime->close(op);
        }
    }
    zn_task_free(&self->task);
    free(self->folder);
    free(self->ops);
    zn_body_free(&self->body);
    zn_buf_free(&self->bytes);
    free(self);
    *stage = NULL;
}

/* Notes who failed first; later ones only pass it on. */
static zonda_err blame(zn_op *op, zonda_err err) {
    if (err != ZONDA_OK && op->stage->blamed == NULL) {
        op->stage->blamed = op;
    }
    return err;
}

static zonda_err check_cancelled(const zonda_task *task, zonda_error *error) {
    if (!task->host->cancelled(task->host->context)) {
        return ZONDA_OK;
    }
    return zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled");
}

zonda_err zn_op_enough(zn_op *op, zonda_task *task, zonda_error *error) {
    (void)task;
    zn_stage_exec *stage = op->stage;
    bool behind = stage->enough == NULL;
    for (const zn_op *before = stage->source; before != op; before = before->next) {
        if (before->def->op_class == ZN_OP_SINK) {
            return ZONDA_OK;
        }
        behind = behind || before == stage->enough;
    }
    stage->enough = behind ? op : stage->enough;
    return zn_error_set(error, ZONDA_ERR_CANCELLED, "%s has had enough", op->def->name);
}

zonda_err zn_op_emit(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    if (op == op->stage->source) {
        zonda_err err = check_cancelled(task, error);
        if (err != ZONDA_OK) {
            return err;
        }
        task->records_in += task->pulls ? 0 : 1;
    }
    zn_task_moves(task->host);
    return blame(op->next, op->next->def->runtime->push(op->next, task, record, error));
}

zonda_err zn_op_emit_all(zn_op *op, zonda_task *task, zn_bytes records, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(records);
    zonda_err err = ZONDA_OK;
    while (err == ZONDA_OK && cursor.at < cursor.end) {
        err = check_cancelled(task, error);
        if (err == ZONDA_OK) {
            err = zn_op_emit(op, task, zn_cursor_skip(&cursor), error);
        }
    }
    return err;
}

/* From the last operator to the first, so that all behind one are ready when it begins. The chain
 * is bounded, and so is this recursion. */
static zonda_err begin_ops(zn_stage_exec *stage, zn_op *op, zonda_error *error) {
    if (op->next != NULL) {
        zonda_err err = begin_ops(stage, op->next, error);
        if (err != ZONDA_OK) {
            return err;
        }
    }
    /* What is before an operator that wants nothing need not begin. */
    if (op->def->runtime->begin == NULL || stage->enough != NULL) {
        return ZONDA_OK;
    }
    return blame(op, op->def->runtime->begin(op, &stage->task, error));
}

/* From `op` on up to `last`, which is not among them. */
static void abort_ops(zn_stage_exec *stage, zn_op *op, const zn_op *last) {
    for (; op != last; op = op->next) {
        if (op->def->runtime->abort != NULL) {
            op->def->runtime->abort(op, &stage->task);
        }
    }
}

/* When an operator has had enough, `err` is no failure: the operators from `*op` on up to that one
 * are let go, and it becomes `*op`, where the task goes on. */
static zonda_err settle(zn_stage_exec *stage, zonda_err err, zn_op **op, zonda_error *error) {
    if (stage->enough == NULL || (err != ZONDA_OK && err != ZONDA_ERR_CANCELLED)) {
        return err;
    }
    zonda_err cancelled = check_cancelled(&stage->task, error);
    if (cancelled != ZONDA_OK) {
        return cancelled;
    }
    abort_ops(stage, *op, stage->enough);
    *op = stage->enough;
    stage->enough = NULL;
    stage->blamed = NULL;
    memset(error, 0, sizeof *error);
    return ZONDA_OK;
}

static zonda_err end_ops(zn_stage_exec *stage, zn_op *op, zonda_error *error) {
    while (op != NULL) {
        zonda_err err = ZONDA_OK;
        if (op->def->runtime->end != NULL) {
            err = blame(op, op->def->runtime->end(op, &stage->task, error));
        }
        zn_op *ended = op;
        err = settle(stage, err, &op, error);
        if (err != ZONDA_OK) {
            return err;
        }
        op = op == ended ? op->next : op;
    }
    return ZONDA_OK;
}

static zonda_err run_ops(zn_stage_exec *stage, zonda_error *error) {
    zn_op *source = stage->source;
    zonda_err err = check_cancelled(&stage->task, error);
    if (err == ZONDA_OK) {
        err = enter_folder(stage, error);
    }
    if (err == ZONDA_OK) {
        err = begin_ops(stage, source, error);
    }
    if (err == ZONDA_OK && stage->enough == NULL) {
        err = blame(source, source->def->runtime->run(source, &stage->task, error));
    }
    zn_op *first = source;
    err = settle(stage, err, &first, error);
    if (err == ZONDA_OK) {
        /* What fails from here on is not about the last record. */
        stage->task.file = NULL;
        stage->task.line = 0;
        err = end_ops(stage, first, error);
    }
    return err;
}

/* Adds to the error what the operators do not know. */
static void complete_error(zn_stage_exec *stage, zonda_err err) {
    const zonda_task *task = &stage->task;
    zonda_error *error = &stage->error;
    if (error->text[0] == '\0') {
        zn_error_set(error, err, "%s", zonda_err_text(err));
    }
    error->code = err;
    error->has_shard = true;
    error->shard = task->attempt.task;
    error->attempt = task->attempt.attempt;
    if (error->op[0] == '\0' && stage->blamed != NULL) {
        name_operator(error, stage->blamed->def);
    }
    if (error->file[0] == '\0' && task->file != NULL) {
        zn_error_at(error, task->file, task->line, error->column);
    }
    scrub_error(error);
}

/* Whether the running task writes files. */
static bool has_sink(const zn_stage_exec *stage) {
    bool found = false;
    for (const zn_op *op = stage->source; op != NULL; op = op->next) {
        found = found || op->def->op_class == ZN_OP_SINK;
    }
    return found;
}

static void fill_success(zn_stage_exec *stage, zn_outcome *outcome) {
    const zonda_task *task = &stage->task;
    const zn_op *last = &stage->ops[stage->op_count - 1];
    outcome->records_in = task->records_in;
    outcome->records_out = task->records_out;
    outcome->bytes_in = task->bytes_in;
    outcome->bytes_out = has_sink(stage) ? task->bytes_out : zn_collect_bytes(last);
    outcome->counters = stage->counters;
    outcome->counters_count = zn_task_counters(task, stage->counters);
    if (zn_collect_result(last, &outcome->records, &stage->reference)) {
        outcome->reference = &stage->reference;
        outcome->reference_count = 1;
    }
    const zn_part *parts = NULL;
    outcome->parts_count = zn_collect_parts(last, &parts);
    memcpy(stage->parts, parts, outcome->parts_count * sizeof *parts);
    outcome->parts = stage->parts;
}

static void fill_failure(zn_stage_exec *stage, zonda_err err, zn_outcome *outcome) {
    complete_error(stage, err);
    zn_failure_from_error(&stage->error, &stage->failure);
    outcome->failure = &stage->failure;
    outcome->failure_count = 1;
}

bool zn_stage_exec_run(zn_stage_exec *stage, uint64_t task, uint32_t attempt, zn_outcome *outcome) {
    zn_task_begin(&stage->task, (zn_attempt_id){ .job = stage->job,
                                                 .stage = stage->body.stage,
                                                 .task = task,
                                                 .attempt = attempt });
    stage->source = find_source(stage, task);
    stage->blamed = NULL;
    stage->enough = NULL;
    memset(&stage->error, 0, sizeof stage->error);
    zonda_err err = ZONDA_OK;
    if (task >= stage->body.task_count) {
        err = zn_error_set(&stage->error, ZONDA_ERR_INVALID,
                           "there is no task %" PRIu64 " in a stage of %" PRIu64, task,
                           stage->body.task_count);
    } else {
        err = run_ops(stage, &stage->error);
    }
    if (err != ZONDA_OK) {
        abort_ops(stage, stage->source, NULL);
    }
    if (stage->task.withdrawn || err == ZONDA_ERR_CANCELLED ||
        (err != ZONDA_OK && stage->host->cancelled(stage->host->context))) {
        return false;
    }
    *outcome = (zn_outcome){ .first = task, .count = 1, .attempt = attempt };
    if (err == ZONDA_OK) {
        fill_success(stage, outcome);
    } else {
        fill_failure(stage, err, outcome);
    }
    return true;
}

void zn_stage_exec_sweep(zn_stage_exec *stage, uint64_t task, uint32_t attempt) {
    zn_attempt_id id = {
        .job = stage->job, .stage = stage->body.stage, .task = task, .attempt = attempt
    };
    zonda_error ignored;
    if (enter_folder(stage, &ignored) != ZONDA_OK) {
        return;
    }
    for (zn_op *op = find_source(stage, task); op != NULL; op = op->next) {
        if (op->def->runtime->sweep != NULL) {
            op->def->runtime->sweep(op, id);
        }
    }
}

void zn_stage_exec_clear(zn_stage_exec *stage) {
    zonda_error ignored;
    if (enter_folder(stage, &ignored) != ZONDA_OK) {
        return;
    }
    for (size_t i = 0; i < stage->op_count; i++) {
        if (stage->ops[i].def->runtime->clear != NULL) {
            stage->ops[i].def->runtime->clear(&stage->ops[i]);
        }
    }
}
