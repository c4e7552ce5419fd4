/* SPDX-License-Identifier: MPL-2.0 */
/* Brace expansion as in shells, without ranges. Patterns that still have a brace wait in a list:
 * each turn takes the first one, replaces its leftmost group by every alternative in turn, and so
 * all expansions come out in order without recursion. Both the number of patterns and their bytes
 * are bounded, because "{a,b}" repeated n times gives 2^n of them. Used by glob.c. */
#include "store/braces.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

enum {
    EXPANSIONS_MAX = 65536
};

typedef struct group {
    const char *open;
    const char *close;
} group;

static const char *step(const char *at) {
    return at + (*at == '\\' && at[1] != '\0' ? 2 : 1);
}

/* The brace that closes the one at `open`, and whether a comma is directly inside. */
static const char *find_close(const char *open, bool *comma) {
    size_t depth = 0;
    *comma = false;
    for (const char *at = open; *at != '\0'; at = step(at)) {
        depth += *at == '{';
        *comma = *comma || (*at == ',' && depth == 1);
        if (*at == '}' && --depth == 0) {
            return at;
        }
    }
    return NULL;
}

/* The leftmost brace that stands for alternatives. */
static bool find_group(const char *pattern, group *out) {
    for (const char *at = pattern; *at != '\0'; at = step(at)) {
        bool comma = false;
        const char *close = *at == '{' ? find_close(at, &comma) : NULL;
        if (close != NULL && comma) {
            *out = (group){ .open = at, .close = close };
            return true;
        }
    }
    return false;
}

static const char *alternative_end(const char *at, const char *close) {
    size_t depth = 0;
    while (at < close && !(depth == 0 && *at == ',')) {
        depth += *at == '{';
        depth -= *at == '}';
        at = step(at);
    }
    return at;
}

static void push(zn_paths *list, char *owned) {
    ZN_GROW(list->items, list->count, list->capacity);
    list->items[list->count++] = owned;
}

/* Pushes the alternatives on the stack, the last one first. */
static void push_alternatives(const char *pattern, group found, zn_paths *stack) {
    size_t first = stack->count;
    const char *at = found.open + 1;
    while (at <= found.close) {
        const char *end = alternative_end(at, found.close);
        push(stack, zn_format("%.*s%.*s%s", (int)(found.open - pattern), pattern, (int)(end - at),
                              at, found.close + 1));
        at = end + 1;
    }
    for (size_t low = first, high = stack->count - 1; low < high; low++, high--) {
        char *kept = stack->items[low];
        stack->items[low] = stack->items[high];
        stack->items[high] = kept;
    }
}

zonda_err zn_braces_expand(const char *pattern, zn_paths *out, zonda_error *error) {
    zn_paths stack = { 0 };
    zonda_err code = ZONDA_OK;
    size_t turns = 0;
    push(&stack, zn_strdup(pattern));
    while (stack.count > 0 && code == ZONDA_OK) {
        char *next = stack.items[--stack.count];
        group found;
        if (++turns > 2 * EXPANSIONS_MAX || stack.count > EXPANSIONS_MAX) {
            code = zn_error_set(error, ZONDA_ERR_LIMIT,
                                "the braces in '%s' stand for more than %d patterns", pattern,
                                EXPANSIONS_MAX);
        } else if (find_group(next, &found)) {
            push_alternatives(next, found, &stack);
        } else {
            push(out, next);
            next = NULL;
        }
        free(next);
    }
    zn_paths_free(&stack);
    return code;
}
