/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_STATS_H
#define ZN_CLI_STATS_H

#include <stdio.h>
#include <zonda/profile.h>

/* Prints where the time of a result that was measured went: a row for each stage, one for all, and
 * how much of what the slots had that is. */
void zn_stats_print(const zonda_result *result, FILE *out);

#endif
