/* SPDX-License-Identifier: MPL-2.0 */
/* Where a thread spends its time, and what it did when. Off, which is usual, an enter or leave is
 * one load and one predictable branch. */
#ifndef ZN_BASE_PROFILE_H
#define ZN_BASE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, name, what it is): the kinds of time. Numbers travel, so new ones come last. */
#define ZN_SECTION_TABLE(X)                                                                        \
    X(OTHER, other, "operators themselves, and what is between them")                              \
    X(READING, reading, "files and segments, with decompression")                                  \
    X(DECODING, decoding, "cutting input into records and parsing them")                           \
    X(USER, user, "functions and commands of the user")                                            \
    X(ENCODING, encoding, "records into the format of a file or a result")                         \
    X(COMPRESSING, compressing, "of files, segments and runs")                                     \
    X(WRITING, writing, "files and segments, until they are on the disk")                          \
    X(SHUFFLING, shuffling, "keys, sorting, spilling and merging of rows")                         \
    X(WAITING, waiting, "for tasks, answers of the coordinator, and data of other workers")

typedef enum zn_section {
#define ZN_SECTION_ENUM(NAME, name, doc) ZN_SECTION_##NAME,
    ZN_SECTION_TABLE(ZN_SECTION_ENUM)
#undef ZN_SECTION_ENUM
    ZN_SECTIONS
} zn_section;

typedef enum zn_span_kind {
    ZN_SPAN_TASK,  /* an attempt, or short ones of neighbours */
    ZN_SPAN_FETCH, /* a wait for bytes of a segment of another worker */
    ZN_SPAN_SPILL, /* rows that did not fit into memory are written */
    ZN_SPAN_KINDS
} zn_span_kind;

enum {
    ZN_PROFILE_SPANS = 256 /* that wait to be taken */
};

/* Something that took time. */
typedef struct zn_span {
    zn_span_kind kind;
    uint64_t start_ns; /* since 1970, by the clock of this machine */
    uint64_t duration_ns;
    uint64_t first; /* task */
    uint64_t count; /* tasks */
    uint64_t attempt;
    uint64_t bytes;
    uint64_t code; /* zonda_err of a task */
} zn_span;

typedef struct zn_profile zn_profile;

/* Of this thread, while it runs something that is to be measured; NULL: nothing is. */
extern _Thread_local zn_profile *zn_profile_here __attribute__((tls_model("initial-exec")));

zn_profile *zn_profile_new(void);
void zn_profile_destroy(zn_profile **profile);

/* Begins a stage: what was learned of others is forgotten. `full` (may be NULL: spans are not
 * wanted) is called when there is no more room for spans, to take them. */
void zn_profile_reset(zn_profile *profile, void (*full)(void *context), void *context);

/* The time from here on, outside of tasks, is of this kind. */
void zn_profile_rest(zn_profile *profile, zn_section section);

/* Around a task, which the thread is measured in. `end` notes it; `code` says how it ended. */
void zn_profile_begin_task(zn_profile *profile, uint64_t task, uint64_t attempt);
void zn_profile_end_task(zn_profile *profile, uint64_t code);

/* Takes the nanoseconds since the last time, by section; they add up to what has passed. */
void zn_profile_take(zn_profile *profile, uint64_t ns[ZN_SECTIONS]);

/* The spans since the last time, borrowed until the next one begins, and how many found no room. */
size_t zn_profile_spans(zn_profile *profile, const zn_span **spans, uint64_t *dropped);

/* "reading"; NULL for a number that is none. */
const char *zn_section_name(uint64_t section);

int zn_profile_enter_slow(zn_section section);
void zn_profile_leave_slow(int before);
int zn_profile_enter_record_slow(zn_section section);
void zn_profile_leave_record_slow(int before);
uint64_t zn_profile_open_span_slow(void);
void zn_profile_close_span_slow(zn_span_kind kind, uint64_t opened, uint64_t bytes);

/* Around work on a block or more. What is inside counts as that alone, except for other blocks.
 * Give what enter returned to leave. */
static inline int zn_profile_enter(zn_section section) {
    return __builtin_expect(zn_profile_here == NULL, 1) ? 0 : zn_profile_enter_slow(section);
}

static inline void zn_profile_leave(int before) {
    if (__builtin_expect(zn_profile_here != NULL, 0)) {
        zn_profile_leave_slow(before);
    }
}

/* The same around work on one record: it is measured now and then only. */
static inline int zn_profile_enter_record(zn_section section) {
    return __builtin_expect(zn_profile_here == NULL, 1) ? 0 : zn_profile_enter_record_slow(section);
}

static inline void zn_profile_leave_record(int before) {
    if (__builtin_expect(zn_profile_here != NULL, 0)) {
        zn_profile_leave_record_slow(before);
    }
}

/* Around something to be seen in a trace. */
static inline uint64_t zn_profile_open_span(void) {
    return __builtin_expect(zn_profile_here == NULL, 1) ? 0 : zn_profile_open_span_slow();
}

static inline void zn_profile_close_span(zn_span_kind kind, uint64_t opened, uint64_t bytes) {
    if (__builtin_expect(opened != 0, 0)) {
        zn_profile_close_span_slow(kind, opened, bytes);
    }
}

#endif
