/* SPDX-License-Identifier: MPL-2.0 */
/* The operating system's clocks and random numbers, in one place so that a search for "who knows
 * the time" has a short answer. */
#include "base/clock.h"

#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    int rc = clock_gettime(clock, &now);
    ZN_ASSERT(rc == 0);
    return (uint64_t)now.tv_sec * ZN_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t zn_clock_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t zn_clock_wall_ms(void) {
    return read_clock(CLOCK_REALTIME) / ZN_NS_PER_MS;
}

uint64_t zn_clock_wall_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

uint64_t zn_random_id(void) {
    uint64_t id = 0;
    while (id == 0) {
        ssize_t got = getrandom(&id, sizeof id, 0);
        ZN_ASSERT(got == (ssize_t)sizeof id || got < 0);
    }
    return id;
}
