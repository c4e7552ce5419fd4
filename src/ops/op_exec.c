/* SPDX-License-Identifier: MPL-2.0 */
/* The records of a shard through one subprocess: written to its input as JSON lines or MessagePack
 * values, read from its output in the same format. The command may answer when and with as many
 * records as it likes; whatever it has written is passed on before more is given to it than the
 * queue takes. A command that closes its input has seen enough: the rest of the shard is not given
 * to it, and what counts is its exit status. It runs for an empty shard too. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/command.h"
#include "ops/exec_output.h"
#include "ops/op_list.h"
#include "record/json.h"
#include "record/value.h"

enum {
    QUEUE_BYTES = 256 * ZN_KIB, /* with more than this the source waits */
    ERRORS_BYTES = 4 * ZN_KIB,
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct executor {
    bool is_json;
    bool is_over; /* the command of this task has ended well */
    zn_words words;
    char *program;
    const char *name; /* for people */
    zn_guard *guard;
    zn_words environment;
    zn_exec_output *output;
    zn_subprocess *process;
    zn_buf text;
} executor;

static zonda_err check_exec(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zn_bytes format = zn_bytes_of_text("jsonl");
    zn_value_field_text(args, "format", &format);
    if (!zn_bytes_equal(format, zn_bytes_of_text("jsonl")) &&
        !zn_bytes_equal(format, zn_bytes_of_text("msgpack"))) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s has no format \"%.*s\"; it has: jsonl, msgpack", op->name,
                            format.len < 64 ? (int)format.len : 64, (const char *)format.data);
    }
    zn_words words = { 0 };
    zonda_err err = zn_command_words(op->name, args, &words, error);
    zn_words_free(&words);
    return err;
}

static void close_exec(zn_op *op) {
    executor *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_subprocess_destroy(&self->process);
    zn_guard_destroy(&self->guard);
    zn_exec_output_destroy(&self->output);
    zn_words_free(&self->words);
    zn_words_free(&self->environment);
    zn_buf_free(&self->text);
    free(self->program);
    free(self);
    op->state = NULL;
}

/* `sh -c TEXT`. */
static void add_shell(zn_words *words) {
    zn_words with_shell = { 0 };
    zn_words_add(&with_shell, zn_bytes_of_text("sh"));
    zn_words_add(&with_shell, zn_bytes_of_text("-c"));
    zn_words_add(&with_shell, zn_bytes_of_text(words->items[0]));
    zn_words_free(words);
    *words = with_shell;
}

static zonda_err open_exec(zn_op *op, zonda_error *error) {
    executor *self = ZN_NEW(executor);
    op->state = self;
    zn_bytes format = { 0 };
    self->is_json = !zn_value_field_text(op->args, "format", &format) ||
                    zn_bytes_equal(format, zn_bytes_of_text("jsonl"));
    self->output = zn_exec_output_new(self->is_json);
    zonda_err err = zn_command_words(op->def->name, op->args, &self->words, error);
    if (err == ZONDA_OK && zn_command_has_shell(op->args)) {
        add_shell(&self->words);
    }
    if (err == ZONDA_OK) {
        self->name = self->words.items[self->words.count - 1];
        self->name = zn_command_has_shell(op->args) ? self->name : self->words.items[0];
        err = zn_command_find(self->words.items[0], &self->program, error);
    }
    return err;
}

static zonda_err begin_exec(zn_op *op, zonda_task *task, zonda_error *error) {
    executor *self = op->state;
    if (self->guard == NULL) {
        self->guard = zn_guard_new(error);
        if (self->guard == NULL) {
            return error->code;
        }
    }
    self->is_over = false;
    zn_exec_output_reset(self->output);
    zn_command_environment(op, task, &self->environment);
    zn_subprocess_options options = { .program = self->program,
                                      .arguments = self->words.items,
                                      .environment = self->environment.items,
                                      .guard = self->guard,
                                      .has_input = true,
                                      .output_max = SIZE_MAX,
                                      .errors_max = ERRORS_BYTES,
                                      .keep_last = true };
    self->process = zn_subprocess_start(&options, error);
    return self->process == NULL ? error->code : ZONDA_OK;
}

/* What is wrong with the output says nothing about the record that was just read. */
static zonda_err fail_output(zonda_task *task, zonda_err err) {
    task->file = NULL;
    task->line = 0;
    return err;
}

/* Passes on all whole records of the output. */
static zonda_err take_records(zn_op *op, zonda_task *task, bool at_end, zonda_error *error) {
    executor *self = op->state;
    zn_buf *bytes = zn_subprocess_output(self->process);
    size_t taken = 0;
    bool got = true;
    zonda_err err = ZONDA_OK;
    while (err == ZONDA_OK && got) {
        zn_bytes rest = { .data = bytes->data + taken, .len = bytes->len - taken };
        zn_bytes record = { 0 };
        size_t used = 0;
        err = zn_exec_output_next(self->output, rest, at_end, &used, &record, &got, error);
        taken += used;
        if (err != ZONDA_OK) {
            err = fail_output(task, err);
        } else if (got) {
            err = zn_op_emit(op, task, record, error);
        }
    }
    if (taken > 0) {
        memmove(bytes->data, bytes->data + taken, bytes->len - taken);
        bytes->len -= taken;
    }
    return err;
}

/* Moves what can be moved. Once the command is over: its last record, and whether it ended well. A
 * command that failed is told as such, not as the half line that it may have left. */
static zonda_err advance(zn_op *op, zonda_task *task, bool wait, zonda_error *error) {
    executor *self = op->state;
    zn_subprocess_step(self->process, wait);
    zonda_err err = take_records(op, task, false, error);
    if (err != ZONDA_OK || !zn_subprocess_is_over(self->process)) {
        if (err == ZONDA_OK && zonda_task_cancelled(task)) {
            err = zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled");
        }
        return err;
    }
    err = zn_command_check_end(self->name, self->process, 0, error);
    if (err != ZONDA_OK) {
        return fail_output(task, err);
    }
    err = take_records(op, task, true, error);
    self->is_over = err == ZONDA_OK;
    return err;
}

/* Such a record can never be given to the command. */
static zonda_err queue_record(executor *self, zn_bytes record, zonda_error *error) {
    if (!self->is_json) {
        zn_subprocess_put(self->process, record);
        return ZONDA_OK;
    }
    zn_buf_reset(&self->text, KEEP_BYTES_MAX);
    zonda_err err = zn_json_write(record, &self->text, error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "the record cannot be given to the command as JSON: ");
        error->permanent = true;
        return err;
    }
    zn_buf_append_byte(&self->text, '\n');
    zn_subprocess_put(self->process, zn_buf_bytes(&self->text));
    return ZONDA_OK;
}

static zonda_err push_exec(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    executor *self = op->state;
    if (self->is_over) {
        return ZONDA_OK;
    }
    if (!zn_subprocess_reads(self->process)) {
        return advance(op, task, false, error);
    }
    zonda_err err = queue_record(self, record, error);
    while (err == ZONDA_OK && !self->is_over &&
           zn_subprocess_queued(self->process) >= QUEUE_BYTES) {
        err = advance(op, task, true, error);
    }
    return err;
}

static zonda_err end_exec(zn_op *op, zonda_task *task, zonda_error *error) {
    executor *self = op->state;
    zonda_err err = ZONDA_OK;
    zn_subprocess_end_input(self->process);
    while (err == ZONDA_OK && !self->is_over) {
        err = advance(op, task, true, error);
    }
    if (err == ZONDA_OK) {
        zn_subprocess_destroy(&self->process);
    }
    return err;
}

static void abort_exec(zn_op *op, zonda_task *task) {
    (void)task;
    executor *self = op->state;
    zn_subprocess_destroy(&self->process);
}

static const zn_op_runtime exec_runtime = {
    .open = open_exec,
    .close = close_exec,
    .begin = begin_exec,
    .push = push_exec,
    .end = end_exec,
    .abort = abort_exec,
};

static const zn_arg_def exec_args[] = {
    { .name = "cmd",
      .type = ZN_ARG_COMMAND,
      .use = ZN_ARG_POSITIONAL,
      .doc = "program and arguments: a text, split at blanks outside of '…' and \"…\" (backslash "
             "quotes one character, nothing is expanded), or a list of words as they are" },
    { .name = "format",
      .type = ZN_ARG_TEXT,
      .use = ZN_ARG_OPTION,
      .doc = "of both streams: jsonl (default) or msgpack (concatenated values)" },
    { .name = "shell",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "the command is a text for sh -c" },
};

const zn_op_def zn_op_exec = { .name = "exec",
                               .op_class = ZN_OP_NARROW,
                               ZN_ARGS(exec_args),
                               .runtime = &exec_runtime,
                               .check = check_exec,
                               .in_folder = true,
                               .doc = "the records of each shard through one run of a command; it "
                                      "sees ZONDA_SHARD and ZONDA_SHARDS" };
