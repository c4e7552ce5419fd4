/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_LOG_H
#define ZN_BASE_LOG_H

#include <zonda/log.h>

/* Writes one line: a stable id, then key=value pairs. Cheap when nobody listens. */
void zn_log(zonda_log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
