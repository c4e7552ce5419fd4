/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_JOIN_RECORD_H
#define ZN_OPS_JOIN_RECORD_H

#include "ops/join_how.h"
#include "ops/op.h"

/* Makes the records that a join gives from pairs. Arguments of the operator:
 *   "how"      as in join_how.h
 *   "once"     list of fields that both sides have for key: they are taken from the left
 *   "suffix"   text behind the name of a right field that the left record has too
 *   "combine"  a function of form ZN_CALL_JOIN that makes the record instead */
typedef struct zn_join_record zn_join_record;

/* Of the arguments above, for definitions of inner operators. */
#define ZN_JOIN_RECORD_ARGS                                                                        \
    { .name = "how",                                                                               \
      .type = ZN_ARG_TEXT,                                                                         \
      .use = ZN_ARG_OPTION,                                                                        \
      .choices = ZN_JOIN_HOW_CHOICES,                                                              \
      .doc = "which records are in the result" },                                                  \
        { .name = "once",                                                                          \
          .type = ZN_ARG_TEXTS,                                                                    \
          .use = ZN_ARG_OPTION,                                                                    \
          .doc = "fields of the key that both sides have" },                                       \
        { .name = "suffix",                                                                        \
          .type = ZN_ARG_TEXT,                                                                     \
          .use = ZN_ARG_OPTION,                                                                    \
          .doc = "behind the names of right fields that the left record has too" },                \
    {                                                                                              \
        .name = "combine", .type = ZN_ARG_FUNCTION, .use = ZN_ARG_OPTION,                          \
        .doc = "makes the record of a pair"                                                        \
    }

/* Once per slot and stage. Errors: PLAN, NOT_FOUND, USER. */
zonda_err zn_join_record_bind(zn_op *op, zn_join_record **out, zonda_error *error);
void zn_join_record_unbind(zn_join_record **record);

zn_join_how zn_join_record_how(const zn_join_record *record);

/* Around the pairs of a shard; `end` also after a failure. */
zonda_err zn_join_record_begin(zn_join_record *record, zonda_task *task, zonda_error *error);
void zn_join_record_end(zn_join_record *record, zonda_task *task);

/* The record of a pair, borrowed until the next call (and while both sides are valid). A side
 * without bytes has no record in it. Errors: USER (a field that both have, a record that is no map;
 * both permanent; what the function says), LIMIT (a longer record than there may be). */
zonda_err zn_join_record_make(zn_join_record *record, zonda_task *task, zn_bytes left,
                              zn_bytes right, zn_bytes *out, zonda_error *error);

#endif
