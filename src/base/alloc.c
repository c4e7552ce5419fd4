/* SPDX-License-Identifier: MPL-2.0 */
/* Memory and assertions: the two places where the process gives up, both with a line that says
 * why. Zero-sized requests give a valid pointer, so that callers need no special case. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

noreturn void zn_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "zonda: bug: %s:%d: %s\n", file, line, condition);
    abort();
}

static noreturn void out_of_memory(size_t bytes) {
    fprintf(stderr, "zonda: out of memory (%zu bytes)\n", bytes);
    abort();
}

void *zn_try_alloc(size_t bytes) {
    return malloc(bytes == 0 ? 1 : bytes);
}

void *zn_alloc(size_t bytes) {
    void *memory = zn_try_alloc(bytes);
    if (memory == NULL) {
        out_of_memory(bytes);
    }
    return memory;
}

void *zn_calloc(size_t count, size_t bytes) {
    void *memory = calloc(count == 0 ? 1 : count, bytes == 0 ? 1 : bytes);
    if (memory == NULL) {
        out_of_memory(bytes);
    }
    return memory;
}

void *zn_realloc(void *memory, size_t count, size_t bytes) {
    size_t total = 0;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        out_of_memory(SIZE_MAX);
    }
    void *grown = realloc(memory, total == 0 ? 1 : total);
    if (grown == NULL) {
        out_of_memory(total);
    }
    return grown;
}

void *zn_memdup(const void *memory, size_t bytes) {
    void *copy = zn_alloc(bytes);
    if (bytes > 0) {
        memcpy(copy, memory, bytes);
    }
    return copy;
}

char *zn_strndup(const char *text, size_t bytes) {
    char *copy = zn_alloc(bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *zn_strdup(const char *text) {
    return zn_strndup(text, strlen(text));
}

/* glibc gives back what is above twice the largest block that was mapped for itself and freed. Its
 * settings would say the same, and end that it adapts to the program. */
void zn_alloc_keep_freed(size_t bytes) {
#ifdef __GLIBC__
    void *volatile block = malloc(bytes / 2);
    free(block);
#else
    (void)bytes;
#endif
}

char *zn_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ZN_ASSERT(length >= 0);
    char *text = zn_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
