/* SPDX-License-Identifier: MPL-2.0 */
/* Log lines of the library. Nothing is written anywhere until a sink is set. */
#ifndef ZONDA_LOG_H
#define ZONDA_LOG_H

#include <zonda/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum zonda_log_level {
    ZONDA_LOG_ERROR = 0,
    ZONDA_LOG_WARN = 1,
    ZONDA_LOG_INFO = 2,
    ZONDA_LOG_DEBUG = 3,
} zonda_log_level;

/* Gets one finished line without newline: `id` is a stable name such as "worker-lost", `text` is
 * key=value pairs. May be called from any thread of the library, several at once. */
typedef void zonda_log_sink(zonda_log_level level, const char *id, const char *text, void *context);

/* Sends lines of `level` and graver to `sink`; NULL silences. Call it before a cluster is opened:
 * it must not race with running clusters. `context` is borrowed for as long as the sink is set. */
ZONDA_API void zonda_log_set(zonda_log_sink *sink, zonda_log_level level, void *context);

/* A ready sink that writes "LEVEL id text" lines to standard error. */
ZONDA_API void zonda_log_stderr(zonda_log_level level, const char *id, const char *text,
                                void *context);

#ifdef __cplusplus
}
#endif
#endif
