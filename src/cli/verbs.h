/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_VERBS_H
#define ZN_CLI_VERBS_H

#include <zonda/dataset.h>

#include "plan/plugin_file.h"

/* Builds a dataset from the words of a pipeline, "read GLOB then filter EXPR then …"; `plugins` are
 * what "@NAME" may mean. NULL and `error` (PLAN, naming the verb and the word) if the words do not
 * make sense. */
zonda_dataset *zn_verbs_parse(char *const *words, size_t count, const zn_plugin_list *plugins,
                              zonda_error *error);

#endif
