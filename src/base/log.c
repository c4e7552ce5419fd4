/* SPDX-License-Identifier: MPL-2.0 */
/* Log lines go to one sink that the embedding program sets; the default is silence. The sink is
 * set before threads start and then only read, so no lock is needed. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static zonda_log_sink *log_sink;
static zonda_log_level log_level;
static void *log_context;

void zonda_log_set(zonda_log_sink *sink, zonda_log_level level, void *context) {
    log_sink = sink;
    log_level = level;
    log_context = context;
}

void zonda_log_stderr(zonda_log_level level, const char *id, const char *text, void *context) {
    static const char *const names[] = { "ERROR", "WARN", "INFO", "DEBUG" };
    (void)context;
    const char *name = (unsigned)level < 4 ? names[level] : "?";
    fprintf(stderr, "%s %s%s%s\n", name, id, text[0] != '\0' ? " " : "", text);
}

void zn_log(zonda_log_level level, const char *id, const char *format, ...) {
    if (log_sink == NULL || level > log_level) {
        return;
    }
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_sink(level, id, text, log_context);
}
