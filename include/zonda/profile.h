/* SPDX-License-Identifier: MPL-2.0 */
/* Where the time of an execution went. */
#ifndef ZONDA_PROFILE_H
#define ZONDA_PROFILE_H

#include <zonda/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Time of slots for one kind of work. */
typedef struct zonda_section {
    const char *name; /* "reading", "decoding", "user", … */
    uint64_t ns;
} zonda_section;

/* What slots did in a stage, from 0, if `profile` or `trace` was asked for; all kinds, also those
 * without time. NULL with a count of 0 if nothing was measured. Borrowed. */
ZONDA_API const zonda_section *zonda_result_sections(const zonda_result *result, size_t stage,
                                                     size_t *count);

/* How long the execution took, until its result was there; 0: nothing was measured. */
ZONDA_API uint64_t zonda_result_elapsed_ns(const zonda_result *result);

/* The slots of all workers that were there at its end; 0: nothing was measured. */
ZONDA_API uint64_t zonda_result_slots(const zonda_result *result);

#ifdef __cplusplus
}
#endif
#endif
