/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_MACHINE_H
#define ZN_BASE_MACHINE_H

#include "base/digest.h"

enum {
    ZN_MACHINE_TEXT = ZN_DIGEST_TEXT
};

/* Writes a text into `out` that is the same for all processes of this machine since it was started,
 * and another one elsewhere; "" where that cannot be known. Returns `out`. */
char *zn_machine_id(char out[ZN_MACHINE_TEXT]);

#endif
