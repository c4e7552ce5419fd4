/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_BLOCK_READER_H
#define ZN_STORE_BLOCK_READER_H

#include "base/memory.h"
#include "store/fetch.h"
#include "store/place.h"

/* Reads the blocks of a stretch one after another, pulled by its user. Many may be open at once on
 * one fetcher: those of segments on other hosts share its connections, each with a window of its
 * own that is its credit; those on this host read the file, and fall back to the worker if it
 * cannot be opened. The memory that it holds (stored bytes that wait, the raw block) is charged to
 * `memory` by force while it is open; windows are wide only while the account is not half full. One
 * thread. */
typedef struct zn_block_reader zn_block_reader;

/* `fetcher` and `memory` (may be NULL) are borrowed; the place is copied. Nothing is asked for
 * before the first `next`, or `prefetch`. NULL on failure: INVALID (endpoint, name or place). */
zn_block_reader *zn_block_reader_open(zn_fetcher *fetcher, const zn_place *place,
                                      zn_stretch stretch, zn_memory *memory, zonda_error *error);

/* Asks for the first bytes already now, so that many readers wait together. */
void zn_block_reader_prefetch(zn_block_reader *reader);

/* The next block: concatenated checked values, borrowed until the next call for this reader.
 * `*count` 0: the end. After WORKER_LOST and CANCELLED the same block may be asked for again.
 * Errors, which name segment, offset and place, and the origin of the place as lost: WORKER_LOST
 * (no answer in time), CORRUPT, what the worker answered (NOT_FOUND: it has no such segment; IO),
 * IO. Without the origin: VERSION, CANCELLED, as zn_fetcher_set_cancel says. */
zonda_err zn_block_reader_next(zn_block_reader *reader, zn_bytes *values, uint32_t *count,
                               zonda_error *error);

/* Offset behind the last block that was given: another reader may go on there. */
uint64_t zn_block_reader_position(const zn_block_reader *reader);

/* Forgets what was asked for. NULL-safe, clears the pointer. */
void zn_block_reader_close(zn_block_reader **reader);

/* About the memory that a reader takes between its first `next` and its end, of a stretch with
 * `raw_bytes` of values in blocks of the usual size. */
uint64_t zn_block_reader_bytes(zn_stretch stretch, uint64_t raw_bytes);

#endif
