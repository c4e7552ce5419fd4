/* SPDX-License-Identifier: MPL-2.0 */
/* One operator of a description while it is built, and how builders take what it says. */
#ifndef ZN_TESTS_CHAIN_STEP_H
#define ZN_TESTS_CHAIN_STEP_H

#include "chain.h"

enum {
    CHAIN_TEXTS_MAX = 64
};

/* Texts live until the public function has returned. */
typedef struct step {
    zn_bytes op;
    zn_bytes args;
    zn_bytes options;
    uint32_t options_taken;
    zonda_dataset *input;
    char *texts[CHAIN_TEXTS_MAX];
    size_t text_count;
} step;

typedef zonda_dataset *chain_build_step(step *self);

/* NULL if the operator is not a wide one. */
chain_build_step *chain_find_wide(zn_bytes op);

/* Arguments by place. What is missing or of another type ends the process. */
uint32_t chain_arg_count(const step *self);
zn_bytes chain_arg(const step *self, uint32_t index);
const char *chain_arg_text(step *self, uint32_t index);
uint64_t chain_arg_uint(step *self, uint32_t index);
zonda_dataset *chain_arg_dataset(step *self, uint32_t index);

char *chain_keep_text(step *self, zn_bytes value);
zonda_func chain_function(step *self, zn_bytes value);

/* Options, counted as they are taken; nothing, 0 or false where the description has none. */
bool chain_take_option(step *self, const char *name, zn_bytes *value);
const char *chain_option_text(step *self, const char *name);
uint64_t chain_option_uint(step *self, const char *name);
bool chain_option_bool(step *self, const char *name);

#endif
