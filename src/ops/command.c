/* SPDX-License-Identifier: MPL-2.0 */
/* What exec and each share: the words of a command, where its program is, what it finds in its
 * environment, and how its end is told. A text is split here and not by a shell, so that nothing in
 * it is ever expanded: no variables, no patterns, no substitution. */
#include "ops/command.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record/value.h"

extern char **environ;

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

enum {
    LINE_BYTES_MAX = 400 /* of the last line of the errors, in the text of an error */
};

/* ---- words ---- */

void zn_words_add(zn_words *words, zn_bytes word) {
    if (words->count + 1 >= words->capacity) {
        words->capacity = words->capacity == 0 ? 8 : 2 * words->capacity;
        words->items = zn_realloc(words->items, words->capacity, sizeof *words->items);
    }
    words->items[words->count++] = zn_strndup((const char *)word.data, word.len);
    words->items[words->count] = NULL;
}

void zn_words_clear(zn_words *words) {
    for (size_t i = 0; i < words->count; i++) {
        free(words->items[i]);
    }
    words->count = 0;
}

void zn_words_free(zn_words *words) {
    zn_words_clear(words);
    free(words->items);
    *words = (zn_words){ 0 };
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* One word from `*at` on, without its quotes. False: a quote has no end. */
static bool take_word(const uint8_t **at, const uint8_t *end, zn_buf *word) {
    uint8_t quote = 0;
    for (; *at < end && (quote != 0 || !is_space(**at)); (*at)++) {
        uint8_t byte = **at;
        bool next_is_special = *at + 1 < end && ((*at)[1] == '"' || (*at)[1] == '\\');
        if (byte == '\\' && quote != '\'' && (quote == 0 || next_is_special)) {
            if (*at + 1 == end) {
                return false;
            }
            (*at)++;
            zn_buf_append_byte(word, **at);
        } else if (quote == 0 && (byte == '\'' || byte == '"')) {
            quote = byte;
        } else if (quote != 0 && byte == quote) {
            quote = 0;
        } else {
            zn_buf_append_byte(word, byte);
        }
    }
    return quote == 0;
}

static zonda_err split(const char *op, zn_bytes text, zn_words *out, zonda_error *error) {
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.len;
    zn_buf word = { 0 };
    bool closed = true;
    while (closed) {
        while (at < end && is_space(*at)) {
            at++;
        }
        if (at == end) {
            break;
        }
        word.len = 0;
        closed = take_word(&at, end, &word);
        zn_words_add(out, zn_buf_bytes(&word));
    }
    zn_buf_free(&word);
    if (!closed) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s: a quote or backslash without an end in the command: %.*s", op,
                            text.len < 256 ? (int)text.len : 256, (const char *)text.data);
    }
    return ZONDA_OK;
}

bool zn_command_has_shell(zn_bytes args) {
    bool shell = false;
    return zn_value_field_bool(args, "shell", &shell) && shell;
}

static zonda_err fill_words(const char *op, zn_bytes args, zn_words *out, zonda_error *error) {
    zn_bytes value;
    if (!zn_value_field(args, zn_bytes_of_text("cmd"), &value)) {
        return zn_error_set(error, ZONDA_ERR_PLAN, "%s has no command", op);
    }
    zn_cursor cursor = zn_cursor_of(value);
    zn_value head = zn_cursor_read(&cursor);
    bool shell = zn_command_has_shell(args);
    if (head.type == ZN_VALUE_STRING && !shell) {
        return split(op, head.bytes, out, error);
    }
    if (head.type == ZN_VALUE_STRING) {
        zn_words_add(out, head.bytes);
        return ZONDA_OK;
    }
    if (shell && head.count > 1) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s: a shell takes its command as one text, not as %u words", op,
                            head.count);
    }
    for (uint32_t i = 0; i < head.count; i++) {
        zn_words_add(out, zn_cursor_read(&cursor).bytes);
    }
    return ZONDA_OK;
}

zonda_err zn_command_words(const char *op, zn_bytes args, zn_words *out, zonda_error *error) {
    zn_words words = { 0 };
    zonda_err err = fill_words(op, args, &words, error);
    if (err == ZONDA_OK && (words.count == 0 || words.items[0][0] == '\0')) {
        err = zn_error_set(error, ZONDA_ERR_PLAN, "%s: the command is empty", op);
    }
    if (err != ZONDA_OK) {
        zn_words_free(&words);
        return err;
    }
    *out = words;
    return ZONDA_OK;
}

/* ---- programs ---- */

static bool is_program(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return false;
    }
    if (!S_ISREG(info.st_mode)) {
        errno = EACCES;
        return false;
    }
    return access(path, X_OK) == 0;
}

static zonda_err refuse(zonda_error *error, const char *name, const char *where,
                        const char *reason) {
    zn_error_set(error, ZONDA_ERR_USER, "cannot run \"%.200s\": %s%.500s", name, reason, where);
    error->permanent = true;
    return ZONDA_ERR_USER;
}

zonda_err zn_command_find(const char *name, char **path, zonda_error *error) {
    if (strchr(name, '/') != NULL) {
        if (!is_program(name)) {
            return refuse(error, name, "", strerror(errno));
        }
        *path = zn_strdup(name);
        return ZONDA_OK;
    }
    const char *folders = getenv("PATH");
    folders = folders == NULL ? PATH_DEFAULT : folders;
    bool more = name[0] != '\0';
    for (const char *at = folders; more;) {
        size_t length = strcspn(at, ":");
        char *candidate =
            length == 0 ? zn_format("./%s", name) : zn_format("%.*s/%s", (int)length, at, name);
        if (is_program(candidate)) {
            *path = candidate;
            return ZONDA_OK;
        }
        free(candidate);
        more = at[length] == ':';
        at += length + 1;
    }
    return refuse(error, name, folders, "there is no such program in PATH, which is ");
}

void zn_command_environment(const zn_op *op, const zonda_task *task, zn_words *out) {
    zn_words_clear(out);
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, "ZONDA_SHARD=", 12) != 0 && strncmp(*entry, "ZONDA_SHARDS=", 13) != 0) {
            zn_words_add(out, zn_bytes_of_text(*entry));
        }
    }
    char *shard = zn_format("ZONDA_SHARD=%" PRIu64, zn_op_shard(op, task));
    char *shards = zn_format("ZONDA_SHARDS=%" PRIu64, op->shard_count);
    zn_words_add(out, zn_bytes_of_text(shard));
    zn_words_add(out, zn_bytes_of_text(shards));
    free(shard);
    free(shards);
}

/* ---- ends ---- */

const char *zn_command_signal_name(int number, char out[ZN_SIGNAL_NAME_BYTES]) {
    const char *name = sigabbrev_np(number);
    if (name == NULL) {
        snprintf(out, ZN_SIGNAL_NAME_BYTES, "signal %d", number);
    } else {
        snprintf(out, ZN_SIGNAL_NAME_BYTES, "SIG%s", name);
    }
    return out;
}

/* The last of what was written, as text; whole lines where it can be. The caller frees. */
static char *last_words(const zn_buf *errors, size_t max) {
    size_t end = errors->len;
    while (end > 0 && is_space(errors->data[end - 1])) {
        end--;
    }
    size_t start = end > max ? end - max : 0;
    if (start > 0) {
        const uint8_t *newline = memchr(errors->data + start, '\n', end - start);
        start = newline == NULL ? start : (size_t)(newline - errors->data) + 1;
    }
    char *text = zn_strndup(end == 0 ? "" : (const char *)errors->data + start, end - start);
    return text;
}

static void replace_nul(zn_buf *text) {
    for (size_t i = 0; i < text->len; i++) {
        text->data[i] = text->data[i] == '\0' ? '?' : text->data[i];
    }
}

/* One line goes into the text, several follow it. */
static void add_last_words(const zn_buf *errors, zonda_error *error) {
    zn_buf copy = { 0 };
    zn_buf_append(&copy, errors->data, errors->len);
    replace_nul(&copy);
    char *lines = last_words(&copy, sizeof error->traceback - 1);
    const char *last = strrchr(lines, '\n');
    if (lines[0] != '\0') {
        const char *line = last == NULL ? lines : last + 1;
        size_t length = strlen(line);
        bool is_long = length > LINE_BYTES_MAX;
        size_t used = strlen(error->text);
        snprintf(error->text + used, sizeof error->text - used, ": %s%s", is_long ? "…" : "",
                 is_long ? line + length - LINE_BYTES_MAX : line);
    }
    if (last != NULL) {
        zn_error_copy(error->traceback, sizeof error->traceback, lines, strlen(lines));
    }
    free(lines);
    zn_buf_free(&copy);
}

zonda_err zn_command_check_end(const char *name, const zn_subprocess *process, int wanted,
                               zonda_error *error) {
    const zn_subprocess_end *end = zn_subprocess_ended(process);
    char signal_name[ZN_SIGNAL_NAME_BYTES];
    if (end->is_lost) {
        return zn_error_set(error, ZONDA_ERR_IO,
                            "how the command \"%.200s\" ended is not known: its status was taken "
                            "by another part of this program",
                            name);
    }
    if (end->signal == 0 && end->status == wanted) {
        return ZONDA_OK;
    }
    if (end->signal > 0) {
        zn_error_set(error, ZONDA_ERR_USER, "the command \"%.200s\" was killed by %s", name,
                     zn_command_signal_name(end->signal, signal_name));
    } else {
        zn_error_set(error, ZONDA_ERR_USER, "the command \"%.200s\" exited with status %d", name,
                     end->status);
    }
    add_last_words(zn_subprocess_errors(process), error);
    return ZONDA_ERR_USER;
}
