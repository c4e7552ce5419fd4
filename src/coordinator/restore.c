/* SPDX-License-Identifier: MPL-2.0 */
/* What a coordinator takes from its state directory when it starts: the state, and the endpoints at
 * which workers and drivers look for it. */
#include "coordinator/restore.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/replay.h"

typedef struct reading {
    zn_scheduler *scheduler;
    zn_decoder *decoder;
    uint64_t records;
    uint64_t bytes;
} reading;

static zonda_err replay_record(void *context, zn_bytes record, zonda_error *error) {
    reading *r = context;
    r->records++;
    r->bytes += record.len;
    zonda_err err = zn_replay_batch(r->scheduler, r->decoder, record, error);
    if (err != ZONDA_OK) {
        zn_error_prefix(error, "record %llu of the journal does not fit to those before it: ",
                        (unsigned long long)r->records);
        error->code = ZONDA_ERR_STATE;
        return ZONDA_ERR_STATE;
    }
    return ZONDA_OK;
}

static zonda_err restore_past(void *context, zn_bytes job, zonda_error *error) {
    (void)error;
    zn_history_restore(context, job);
    return ZONDA_OK;
}

zonda_err zn_restore_state(zn_journal *journal, zn_scheduler *scheduler, uint64_t *bytes,
                           zonda_error *error) {
    uint64_t begin_ns = zn_clock_ns();
    reading r = { .scheduler = scheduler, .decoder = zn_decoder_new() };
    zonda_err err = zn_journal_db_read(zn_journal_database(journal), replay_record, &r, error);
    zn_decoder_destroy(&r.decoder);
    if (err == ZONDA_OK) {
        err = zn_journal_db_read_past(zn_journal_database(journal), restore_past,
                                      &scheduler->history, error);
    }
    if (err == ZONDA_OK) {
        zn_log(ZONDA_LOG_INFO, "state-restored", "records=%llu bytes=%llu jobs=%llu ms=%llu",
               (unsigned long long)r.records, (unsigned long long)r.bytes,
               (unsigned long long)scheduler->job_map.count,
               (unsigned long long)((zn_clock_ns() - begin_ns) / ZN_NS_PER_MS));
        *bytes = r.bytes;
    }
    return err;
}

char *zn_restore_endpoint(zn_journal *journal, const char *bind, const char *socket) {
    zn_journal_db *db = zn_journal_database(journal);
    char *before = zn_journal_db_get(db, "bind");
    bool same = before != NULL && strcmp(before, bind) == 0;
    free(before);
    return same ? zn_journal_db_get(db, socket) : NULL;
}

zonda_err zn_restore_keep_endpoint(zn_journal *journal, const char *bind, const char *socket,
                                   const char *endpoint, zonda_error *error) {
    zn_journal_db *db = zn_journal_database(journal);
    zonda_err err = zn_journal_db_set(db, "bind", bind, error);
    return err == ZONDA_OK ? zn_journal_db_set(db, socket, endpoint, error) : err;
}
