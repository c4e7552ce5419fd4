/* SPDX-License-Identifier: MPL-2.0 */
/* Errors as values: a code decides what happens next, the text tells people. The text is written
 * once, where the problem is found; callers only add what they know (a prefix, a place). Nothing
 * here allocates, so errors work when memory does not. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *zonda_err_name(zonda_err code) {
    switch (code) {
#define NAME(name, number, text)                                                                   \
    case ZONDA_ERR_##name:                                                                         \
        return #name;
        ZONDA_ERR_LIST(NAME)
#undef NAME
    }
    return "UNKNOWN";
}

const char *zonda_err_text(zonda_err code) {
    switch (code) {
#define TEXT(name, number, text)                                                                   \
    case ZONDA_ERR_##name:                                                                         \
        return text;
        ZONDA_ERR_LIST(TEXT)
#undef TEXT
    }
    return "unknown error";
}

zonda_err zn_err_from_number(uint64_t number) {
    switch (number) {
#define KNOWN(name, value, text)                                                                   \
    case value:                                                                                    \
        return ZONDA_ERR_##name;
        ZONDA_ERR_LIST(KNOWN)
#undef KNOWN
    default:
        return ZONDA_ERR_INTERNAL;
    }
}

zonda_err zn_error_set(zonda_error *error, zonda_err code, const char *format, ...) {
    if (error == NULL) {
        return code;
    }
    memset(error, 0, sizeof *error);
    error->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}

zonda_err zn_error_prefix(zonda_error *error, const char *format, ...) {
    if (error == NULL) {
        return ZONDA_ERR_INTERNAL;
    }
    char tail[sizeof error->text];
    memcpy(tail, error->text, sizeof tail);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof error->text) {
        zn_error_copy(error->text + used, sizeof error->text - used, tail, strlen(tail));
    }
    return error->code;
}

void zn_error_at(zonda_error *error, const char *file, uint64_t line, uint64_t column) {
    if (error == NULL) {
        return;
    }
    zn_error_copy(error->file, sizeof error->file, file, strlen(file));
    error->line = line;
    error->column = column;
}

void zn_error_copy(char *out, size_t size, const char *text, size_t text_bytes) {
    if (size == 0) {
        return;
    }
    size_t length = text_bytes < size ? text_bytes : size - 1;
    if (length < text_bytes) {
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
            length--;
        }
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

/* Appends to a terminated string in a fixed buffer; what does not fit is cut. */
static void append(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void append(char *out, size_t size, const char *format, ...) {
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, size - used, format, args);
    va_end(args);
}

char *zonda_error_format(const zonda_error *error, char *out, size_t size) {
    if (size == 0) {
        return out;
    }
    out[0] = '\0';
    if (error->file[0] != '\0') {
        append(out, size, "%s:", error->file);
        if (error->line > 0) {
            append(out, size, "%llu:", (unsigned long long)error->line);
        }
        if (error->column > 0) {
            append(out, size, "%llu:", (unsigned long long)error->column);
        }
        append(out, size, " ");
    }
    append(out, size, "%s", error->text[0] != '\0' ? error->text : zonda_err_text(error->code));
    const char *open = " (";
    if (error->op[0] != '\0') {
        append(out, size, "%soperator %s", open, error->op);
        open = ", ";
    }
    if (error->has_shard) {
        append(out, size, "%sshard %llu", open, (unsigned long long)error->shard);
        open = ", ";
    }
    if (error->attempt > 0) {
        append(out, size, "%sattempt %u", open, error->attempt);
        open = ", ";
    }
    if (error->worker > 0) {
        append(out, size, "%sworker %llu", open, (unsigned long long)error->worker);
        open = ", ";
    }
    append(out, size, "%s", open[0] == ',' ? ")" : "");
    if (error->traceback[0] != '\0') {
        append(out, size, "\n%s", error->traceback);
    }
    return out;
}
