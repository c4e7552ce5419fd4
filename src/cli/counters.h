/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_COUNTERS_H
#define ZN_CLI_COUNTERS_H

#include <stdio.h>
#include <zonda/cluster.h>

#include "base/buf.h"

/* Appends a map from names to maps with sum, min, max, mean and count. */
void zn_counters_put(zn_buf *out, const zonda_counter *counters, size_t count);

/* Appends a list of maps, one for each stage of the result: stage, name, counters. */
void zn_counters_put_stages(zn_buf *out, const zonda_result *result);

/* Prints a table: a line for each counter of each stage, then of the whole job. */
void zn_counters_print(const zonda_result *result, FILE *out);

#endif
