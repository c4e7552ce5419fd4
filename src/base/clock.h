/* SPDX-License-Identifier: MPL-2.0 */
/* Time and randomness for the shells. Cores get both with their events and never call these. */
#ifndef ZN_BASE_CLOCK_H
#define ZN_BASE_CLOCK_H

#include <stdint.h>

#define ZN_NS_PER_MS UINT64_C(1000000)
#define ZN_NS_PER_S UINT64_C(1000000000)

/* Monotonic nanoseconds; only differences mean anything. */
uint64_t zn_clock_ns(void);

/* Wall clock, milliseconds since 1970, for people and history only. */
uint64_t zn_clock_wall_ms(void);

/* The same in nanoseconds, for traces that are compared between machines. */
uint64_t zn_clock_wall_ns(void);

/* A random number from the operating system, never 0: for ids that must not collide. */
uint64_t zn_random_id(void);

#endif
