/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_CHECK_H
#define ZN_OPS_JOIN_CHECK_H

#include "ops/join_how.h"
#include "ops/op_table.h"

/* What the user's arguments of a join say; for their definitions and for the planner. */

/* Arguments that both joins have. */
#define ZN_JOIN_USER_ARGS                                                                          \
    { .name = "on", .type = ZN_ARG_KEY, .use = ZN_ARG_OPTION, .doc = "the key of both sides" },    \
        { .name = "left_on",                                                                       \
          .type = ZN_ARG_KEY,                                                                      \
          .use = ZN_ARG_OPTION,                                                                    \
          .doc = "the key of the left side, with right_on in place of on" },                       \
        { .name = "right_on",                                                                      \
          .type = ZN_ARG_KEY,                                                                      \
          .use = ZN_ARG_OPTION,                                                                    \
          .doc = "the key of the right side" },                                                    \
        { .name = "how",                                                                           \
          .type = ZN_ARG_TEXT,                                                                     \
          .use = ZN_ARG_OPTION,                                                                    \
          .choices = ZN_JOIN_HOW_CHOICES,                                                          \
          .doc = "inner (the default), left, right, full, semi or anti" },                         \
        { .name = "suffix",                                                                        \
          .type = ZN_ARG_TEXT,                                                                     \
          .use = ZN_ARG_OPTION,                                                                    \
          .doc = "put behind the name of a right field that the left record has too" },            \
    {                                                                                              \
        .name = "combine", .type = ZN_ARG_FUNCTION, .use = ZN_ARG_OPTION,                          \
        .doc = "gets the left and the right record, nil where there is none, and gives the "       \
               "record of the pair",                                                               \
    }

typedef enum zn_join_broadcast {
    ZN_JOIN_BROADCAST_AUTO,
    ZN_JOIN_BROADCAST_NEVER,
    ZN_JOIN_BROADCAST_ALWAYS,
} zn_join_broadcast;

/* Argument "broadcast". False if it is none of the three. */
bool zn_join_broadcast_of(zn_bytes args, zn_join_broadcast *out);

/* Arguments "left_on" and "right_on", or "on" twice; for arguments that have passed the check. */
void zn_join_keys(zn_bytes args, zn_bytes *left, zn_bytes *right);

/* Reads a key that is one name (`place` 0) or a list of names. False if there is no name at
 * `place`. */
bool zn_join_key_name(zn_bytes key, uint32_t place, zn_bytes *out);

/* Which arguments go together. Error: PLAN. */
zonda_err zn_join_check(const zn_op_def *op, zn_bytes args, zonda_error *error);

#endif
