/* SPDX-License-Identifier: MPL-2.0 */
/* Seeds that once found something, with what it was (`sim --named` runs them first). A seed is the
 * same run only as long as the simulator does not change; what it found has a test of its own
 * where one can be written. */
#ifndef ZN_TESTS_SIM_SEEDS_H
#define ZN_TESTS_SIM_SEEDS_H

#include <stdint.h>

static const struct {
    const char *name;
    uint64_t seed;
} sim_seeds[] = {
    { "a WELCOME that came again began an epoch anew", 203239 },
    { "an attempt that was overtaken at publishing counted as an error of the user", 302886 },
    { "the number of a second attempt was given again after a restart", 500393 },
    { "a full socket was offered the same credit without end", 8 },
};

#endif
