/* SPDX-License-Identifier: MPL-2.0 */
/* The one allocator. Running out of memory aborts with a message, except in the `try` calls, which
 * are for sizes that come from outside. All memory is released with free(). */
#ifndef ZN_BASE_ALLOC_H
#define ZN_BASE_ALLOC_H

#include <stddef.h>

void *zn_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));
void *zn_calloc(size_t count, size_t bytes) __attribute__((malloc, returns_nonnull));
void *zn_realloc(void *memory, size_t count, size_t bytes) __attribute__((returns_nonnull));
void *zn_try_alloc(size_t bytes) __attribute__((malloc));
void *zn_memdup(const void *memory, size_t bytes) __attribute__((returns_nonnull));
char *zn_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *zn_strndup(const char *text, size_t bytes) __attribute__((malloc, returns_nonnull));

/* Asks the allocator to keep about `bytes` of freed memory at hand, per thread, where it would give
 * it back to the system: for those who free and take as much again and again. A hint. */
void zn_alloc_keep_freed(size_t bytes);

/* A formatted string, owned by the caller. */
char *zn_format(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#define ZN_NEW(type) ((type *)zn_calloc(1, sizeof(type)))

/* Makes room for one more element in an array that lives in (items, count, capacity) fields. */
#define ZN_GROW(items, count, capacity)                                                            \
    do {                                                                                           \
        if ((count) == (capacity)) {                                                               \
            (capacity) = (capacity) == 0 ? 8 : (capacity)*2;                                       \
            (items) = zn_realloc((items), (capacity), sizeof *(items));                            \
        }                                                                                          \
    } while (0)

#endif
