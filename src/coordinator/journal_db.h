/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_JOURNAL_DB_H
#define ZN_COORDINATOR_JOURNAL_DB_H

#include "base/buf.h"
#include "base/error.h"

/* The database of a state directory: the journal (numbered records, each with a checksum), the
 * history, and a few names with values. One thread at a time. */
typedef struct zn_journal_db zn_journal_db;

enum {
    ZN_STATE_FORMAT = 1 /* of the database, and of what is in the records */
};

/* What goes into one transaction. */
typedef struct zn_journal_batch {
    bool snapshot; /* `notes` replace everything before them */
    zn_buf notes;  /* one record; of a snapshot as many as it takes. Each is whole notes */
    zn_buf past;   /* jobs for the history, each behind its length (4 bytes) */
} zn_journal_batch;

/* Opens or makes the database in a folder that is there, with the lock on it. A tail that is torn
 * or damaged is cut, which is logged; the damaged files are kept beside it. Errors: STATE (another
 * format, unreadable), UNSUPPORTED (built without SQLite). */
zn_journal_db *zn_journal_db_open(const char *folder, zonda_error *error);

/* The same, to read the history of a coordinator that may be running. */
zn_journal_db *zn_journal_db_open_history(const char *folder, zonda_error *error);

/* Takes one record; an error ends the reading. */
typedef zonda_err zn_journal_reader(void *context, zn_bytes record, zonda_error *error);

/* Gives all records in order. Errors: STATE, and those of the reader. */
zonda_err zn_journal_db_read(zn_journal_db *db, zn_journal_reader *reader, void *context,
                             zonda_error *error);

/* The same with the jobs of the history, the oldest first. Damaged ones are passed over. */
zonda_err zn_journal_db_read_past(zn_journal_db *db, zn_journal_reader *reader, void *context,
                                  zonda_error *error);

/* The value of a name, owned by the caller; NULL if it has none. */
char *zn_journal_db_get(zn_journal_db *db, const char *name);
zonda_err zn_journal_db_set(zn_journal_db *db, const char *name, const char *value,
                            zonda_error *error);

/* Writes batches in one transaction; they are on the disk when this returns OK, and not there at
 * all if not. Keeps the last `past_max` jobs of the history. Errors: DISK_FULL, IO. */
zonda_err zn_journal_db_write(zn_journal_db *db, const zn_journal_batch *const *batches,
                              size_t count, uint64_t past_max, zonda_error *error);

void zn_journal_db_close(zn_journal_db **db);

#endif
