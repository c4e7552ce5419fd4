/* SPDX-License-Identifier: MPL-2.0 */
/* One process per record: job arrays. The values of the record go into the arguments; what comes
 * back is a record with the exit status, what the command wrote, and the seconds it took, in the
 * order of the records. A status other than 0 is a value, not an error, unless the user says which
 * status is good; a command that cannot be started is an error. No shell, no search for the program
 * and no other work per record than posix_spawn. The seconds are the one thing in Zonda that is not
 * the same in every run. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "ops/each_template.h"
#include "ops/op_list.h"
#include "record/utf8.h"
#include "record/value.h"

enum {
    KEPT_BYTES = ZN_MIB,
    KEPT_BYTES_MAX = 31 * ZN_MIB, /* two of them make a record */
    STATUS_MAX = 255,
    KEEP_BYTES_MAX = ZN_MIB
};

typedef struct runner {
    zn_template *template;
    char *program; /* NULL: another one for each record */
    uint64_t kept_bytes;
    bool has_ok_status;
    uint64_t ok_status;
    zn_guard *guard;
    zn_words environment;
    zn_words arguments; /* for the record at hand */
    zn_buf record;
} runner;

static zonda_err check_each(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zn_words words = { 0 };
    zonda_err err = zn_command_words(op->name, args, &words, error);
    zn_words_free(&words);
    return err;
}

static void close_each(zn_op *op) {
    runner *self = op->state;
    if (self == NULL) {
        return;
    }
    zn_guard_destroy(&self->guard);
    zn_template_destroy(&self->template);
    zn_words_free(&self->environment);
    zn_words_free(&self->arguments);
    zn_buf_free(&self->record);
    free(self->program);
    free(self);
    op->state = NULL;
}

static zonda_err open_each(zn_op *op, zonda_error *error) {
    runner *self = ZN_NEW(runner);
    op->state = self;
    self->kept_bytes = KEPT_BYTES;
    zn_value_field_uint(op->args, "limit", &self->kept_bytes);
    self->has_ok_status = zn_value_field_uint(op->args, "ok_status", &self->ok_status);
    zn_words words = { 0 };
    zonda_err err = zn_command_words(op->def->name, op->args, &words, error);
    if (err != ZONDA_OK) {
        return err;
    }
    bool shell = zn_command_has_shell(op->args);
    self->template = zn_template_new(&words, shell);
    if (zn_template_is_fixed(self->template)) {
        err = zn_command_find(shell ? "sh" : words.items[0], &self->program, error);
    }
    zn_words_free(&words);
    return err;
}

static zonda_err begin_each(zn_op *op, zonda_task *task, zonda_error *error) {
    runner *self = op->state;
    if (self->guard == NULL) {
        self->guard = zn_guard_new(error);
        if (self->guard == NULL) {
            return error->code;
        }
    }
    zn_command_environment(op, task, &self->environment);
    return ZONDA_OK;
}

static zn_subprocess *start(runner *self, zonda_error *error) {
    char *program = NULL;
    if (self->program == NULL &&
        zn_command_find(self->arguments.items[0], &program, error) != ZONDA_OK) {
        return NULL;
    }
    zn_subprocess_options options = { .program = program == NULL ? self->program : program,
                                      .arguments = self->arguments.items,
                                      .environment = self->environment.items,
                                      .guard = self->guard,
                                      .output_max = (size_t)self->kept_bytes,
                                      .errors_max = (size_t)self->kept_bytes };
    zn_subprocess *process = zn_subprocess_start(&options, error);
    free(program);
    return process;
}

/* How many bytes at the front are valid UTF-8. */
static size_t text_length(zn_bytes bytes) {
    const uint8_t *end = bytes.data + bytes.len;
    const uint8_t *at = bytes.data;
    while (at < end) {
        unsigned length = zn_utf8_length(at, end);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return (size_t)(at - bytes.data);
}

/* A text if it is one, else binary. The character on which the limit fell is left out. */
static void put_stream(zn_buf *out, zn_bytes bytes, bool is_cut) {
    size_t valid = bytes.len == 0 ? 0 : text_length(bytes);
    bool only_cut = is_cut && bytes.len - valid < 4;
    if (valid == bytes.len || only_cut) {
        zn_put_string(out, (zn_bytes){ .data = bytes.data, .len = valid });
    } else {
        zn_put_binary(out, bytes);
    }
}

static void put_result(runner *self, zn_subprocess *process) {
    zn_buf *out = &self->record;
    const zn_subprocess_end *end = zn_subprocess_ended(process);
    bool is_cut = zn_subprocess_is_cut(process);
    char name[ZN_SIGNAL_NAME_BYTES];
    zn_buf_reset(out, KEEP_BYTES_MAX);
    zn_put_map(out, 4u + (end->signal > 0 ? 1u : 0u) + (is_cut ? 1u : 0u));
    zn_put_text(out, "status");
    zn_put_int(out, end->status);
    zn_put_text(out, "stdout");
    put_stream(out, zn_buf_bytes(zn_subprocess_output(process)), is_cut);
    zn_put_text(out, "stderr");
    put_stream(out, zn_buf_bytes(zn_subprocess_errors(process)), is_cut);
    zn_put_text(out, "seconds");
    zn_put_double(out, (double)end->nanoseconds / (double)ZN_NS_PER_S);
    if (end->signal > 0) {
        zn_put_text(out, "signal");
        zn_put_text(out, zn_command_signal_name(end->signal, name));
    }
    if (is_cut) {
        zn_put_text(out, "truncated");
        zn_put_bool(out, true);
    }
}

static zonda_err wait_for_end(zonda_task *task, zn_subprocess *process, zonda_error *error) {
    while (!zn_subprocess_is_over(process)) {
        zn_subprocess_step(process, true);
        if (zonda_task_cancelled(task)) {
            return zn_error_set(error, ZONDA_ERR_CANCELLED, "the attempt was cancelled");
        }
    }
    return ZONDA_OK;
}

/* Without a status that is the good one, any will do. */
static zonda_err check_end(const runner *self, const zn_subprocess *process, zonda_error *error) {
    const zn_subprocess_end *end = zn_subprocess_ended(process);
    if (!self->has_ok_status && !end->is_lost) {
        return ZONDA_OK;
    }
    return zn_command_check_end(self->arguments.items[0], process, (int)self->ok_status, error);
}

static zonda_err push_each(zn_op *op, zonda_task *task, zn_bytes record, zonda_error *error) {
    runner *self = op->state;
    zonda_err err = zn_template_fill(self->template, record, &self->arguments, error);
    if (err != ZONDA_OK) {
        return err;
    }
    zn_subprocess *process = start(self, error);
    if (process == NULL) {
        return error->code;
    }
    err = wait_for_end(task, process, error);
    if (err == ZONDA_OK) {
        err = check_end(self, process, error);
    }
    if (err == ZONDA_OK) {
        put_result(self, process);
    }
    zn_subprocess_destroy(&process);
    return err == ZONDA_OK ? zn_op_emit(op, task, zn_buf_bytes(&self->record), error) : err;
}

static const zn_op_runtime each_runtime = {
    .open = open_each,
    .close = close_each,
    .begin = begin_each,
    .push = push_each,
};

static const zn_arg_def each_args[] = {
    { .name = "cmd",
      .type = ZN_ARG_COMMAND,
      .use = ZN_ARG_POSITIONAL,
      .doc = "program and arguments, as for exec; {} is the record, {a.b} a field: a text as it "
             "is, anything else as JSON; {{}} is {}" },
    { .name = "shell",
      .type = ZN_ARG_BOOL,
      .use = ZN_ARG_OPTION,
      .doc = "the command is a text for sh -c; values become its parameters, never code" },
    { .name = "ok_status",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = STATUS_MAX,
      .doc = "any other exit status, or a signal, fails the task" },
    { .name = "limit",
      .type = ZN_ARG_UINT,
      .use = ZN_ARG_OPTION,
      .max = KEPT_BYTES_MAX,
      .doc = "bytes of stdout and of stderr to keep, the first ones; default 1048576" },
};

const zn_op_def zn_op_each = {
    .name = "each",
    .op_class = ZN_OP_NARROW,
    ZN_ARGS(each_args),
    .runtime = &each_runtime,
    .check = check_each,
    .in_folder = true,
    .doc = "one process per record: {status, stdout, stderr, seconds}, with signal (status is then "
           "128 + its number) and truncated where they apply; seconds differ from run to run"
};
