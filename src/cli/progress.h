/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_PROGRESS_H
#define ZN_CLI_PROGRESS_H

#include <zonda/cluster.h>

typedef enum zn_progress_mode {
    ZN_PROGRESS_AUTO, /* a live line on a terminal, else a line every few seconds */
    ZN_PROGRESS_QUIET,
    ZN_PROGRESS_JSON, /* JSON objects, one a line */
} zn_progress_mode;

/* What is shown on standard error while a pipeline runs. */
typedef struct zn_progress_display {
    zn_progress_mode mode;
    bool terminal;
    bool line_open;   /* a live line is on the screen */
    bool told;        /* that the job was there before */
    const char *name; /* of the job; NULL: none was given */
    uint64_t started_ns;
    uint64_t shown_ns;
    zonda_progress last; /* texts are not kept */
} zn_progress_display;

/* `name` (may be NULL) is that of the job, borrowed. */
void zn_progress_start(zn_progress_display *display, zn_progress_mode mode, const char *name);
void zn_progress_update(zn_progress_display *display, const zonda_progress *progress);

/* Removes the live line, so that other output can follow. */
void zn_progress_clear(zn_progress_display *display);

/* One line that sums it up. */
void zn_progress_finish(zn_progress_display *display, const zonda_result *result);

#endif
