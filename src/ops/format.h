/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_FORMAT_H
#define ZN_OPS_FORMAT_H

#include "base/buf.h"
#include "base/error.h"

/* The format that `read` uses for `path`: `given` (the argument "format"; empty: none) wins, else
 * the suffix before .gz, .zst, .zstd, .xz decides. `*format` is the name of a format, static.
 * Errors: PLAN listing what is known; UNSUPPORTED (a compression that this build cannot read). */
zonda_err zn_read_format(const char *path, zn_bytes given, const char **format, zonda_error *error);

#endif
