/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_TOURNAMENT_H
#define ZN_STORE_TOURNAMENT_H

#include "store/merge.h"

/* One pass of a merge: the rows of some streams by key, equal keys by the order of the streams. All
 * streams are open at once. */
typedef struct zn_tournament zn_tournament;

/* `streams` and what is behind them are borrowed; a stream is closed once it has ended. At least
 * one. */
zn_tournament *zn_tournament_new(zn_row_stream *streams, size_t count);
void zn_tournament_destroy(zn_tournament **tournament);

/* The next row, borrowed until the next call, and the index of its stream. */
zonda_err zn_tournament_next(zn_tournament *tournament, zn_row *row, size_t *stream, bool *found,
                             zonda_error *error);

/* Closes a stream; doing it twice does no harm. */
void zn_row_stream_close(zn_row_stream *stream);

#endif
