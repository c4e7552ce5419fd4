/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RUNTIME_TRACE_H
#define ZN_RUNTIME_TRACE_H

#include <stdio.h>

#include "runtime/run_profile.h"

/* Opens the file of a trace, which begins empty. Error: IO, with the file. */
FILE *zn_trace_open(const char *path, zonda_error *error);

/* Writes a profile in the Chrome trace event format (JSON object) and closes the file. Error: IO,
 * with the file. */
zonda_err zn_trace_write(FILE *file, const char *path, const zn_run_profile *profile,
                         zonda_error *error);

#endif
