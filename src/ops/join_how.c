/* SPDX-License-Identifier: MPL-2.0 */
/* The kinds of joins: their names, and what they mean for each side. */
#include "ops/join_how.h"

bool zn_join_how_find(zn_bytes name, zn_join_how *out) {
    static const char *const names[] = {
        [ZN_JOIN_INNER] = "inner", [ZN_JOIN_LEFT] = "left", [ZN_JOIN_RIGHT] = "right",
        [ZN_JOIN_FULL] = "full",   [ZN_JOIN_SEMI] = "semi", [ZN_JOIN_ANTI] = "anti",
    };
    if (name.len == 0) {
        *out = ZN_JOIN_INNER;
        return true;
    }
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(names[i]))) {
            *out = (zn_join_how)i;
            return true;
        }
    }
    return false;
}

bool zn_join_how_keeps_left(zn_join_how how) {
    return how == ZN_JOIN_LEFT || how == ZN_JOIN_FULL || how == ZN_JOIN_ANTI;
}

bool zn_join_how_keeps_right(zn_join_how how) {
    return how == ZN_JOIN_RIGHT || how == ZN_JOIN_FULL;
}

bool zn_join_how_has_pairs(zn_join_how how) {
    return how != ZN_JOIN_SEMI && how != ZN_JOIN_ANTI;
}
