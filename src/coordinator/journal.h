/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_JOURNAL_H
#define ZN_COORDINATOR_JOURNAL_H

#include "coordinator/journal_db.h"

/* The journal of a running coordinator: a thread that writes batches of notes in the order in which
 * they were given, as many at a time as have gathered. All functions are for one other thread. */
typedef struct zn_journal zn_journal;

/* Takes the lock of a state directory (made if it is not there) and opens its database, which
 * zn_journal_start has to follow. Errors: STATE (in use, by whom; another format), IO,
 * UNSUPPORTED. */
zn_journal *zn_journal_open(const char *folder, zonda_error *error);

/* The database, until the start. Borrowed. */
zn_journal_db *zn_journal_database(zn_journal *journal);

/* Starts the thread; the history is kept to its last `past_max` jobs. */
zonda_err zn_journal_start(zn_journal *journal, uint64_t past_max, zonda_error *error);

/* Takes a batch, whose buffers are empty afterwards; returns its number, from 1. */
uint64_t zn_journal_append(zn_journal *journal, zn_journal_batch *batch);

/* The number of the last batch that is durable. */
uint64_t zn_journal_durable(const zn_journal *journal);

/* Readable when that has changed, or when the journal has failed; clear it before looking. */
int zn_journal_fd(const zn_journal *journal);
void zn_journal_clear(zn_journal *journal);

/* Whether the disk could not be written for so long that the journal has given up. */
bool zn_journal_failed(const zn_journal *journal, zonda_error *error);

/* Waits until everything is durable or cannot be, then lets go of the directory. NULL-safe. */
void zn_journal_close(zn_journal **journal);

#endif
