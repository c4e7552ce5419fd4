/* SPDX-License-Identifier: MPL-2.0 */
/* Without SQLite there are no state directories. */
#include "coordinator/journal_db.h"

#include "base/assert.h"

zn_journal_db *zn_journal_db_open(const char *folder, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                 "%s cannot be used: this program was built without SQLite", folder);
    return NULL;
}

zn_journal_db *zn_journal_db_open_history(const char *folder, zonda_error *error) {
    return zn_journal_db_open(folder, error);
}

zonda_err zn_journal_db_read(zn_journal_db *db, zn_journal_reader *reader, void *context,
                             zonda_error *error) {
    (void)reader;
    (void)context;
    (void)error;
    ZN_ASSERT(db != NULL); /* and none was ever opened */
    return ZONDA_OK;
}

zonda_err zn_journal_db_read_past(zn_journal_db *db, zn_journal_reader *reader, void *context,
                                  zonda_error *error) {
    return zn_journal_db_read(db, reader, context, error);
}

char *zn_journal_db_get(zn_journal_db *db, const char *name) {
    (void)name;
    ZN_ASSERT(db != NULL);
    return NULL;
}

zonda_err zn_journal_db_set(zn_journal_db *db, const char *name, const char *value,
                            zonda_error *error) {
    (void)name;
    (void)value;
    (void)error;
    ZN_ASSERT(db != NULL);
    return ZONDA_OK;
}

zonda_err zn_journal_db_write(zn_journal_db *db, const zn_journal_batch *const *batches,
                              size_t count, uint64_t past_max, zonda_error *error) {
    (void)batches;
    (void)count;
    (void)past_max;
    (void)error;
    ZN_ASSERT(db != NULL);
    return ZONDA_OK;
}

void zn_journal_db_close(zn_journal_db **db) {
    *db = NULL;
}
