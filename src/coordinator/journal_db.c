/* SPDX-License-Identifier: MPL-2.0 */
/* The only file that knows SQLite. Write-ahead log, and every commit is synced before it returns.
 *
 * A record is a batch of notes with the next number and a checksum over both, so that whatever is
 * read is whole, in order, and what was written, independently of what SQLite finds. SQLite itself
 * cuts a torn tail of its log; if anything else is wrong (a page, a checksum, a gap), the records
 * before it are copied to a new database and the damaged files are kept beside it.
 * https://www.sqlite.org/wal.html, https://www.sqlite.org/atomiccommit.html */
#include "coordinator/journal_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/wal_check.h"

enum {
    LENGTH_BYTES = 4,
    BUSY_MS = 5000,
    RECORD_BYTES = 4 * ZN_MIB /* of a snapshot, about */
};

#define FILE_NAME "journal.sqlite"
#define LOG_BYTES_KEPT "4194304" /* by the write-ahead log; what a snapshot added is given back */
#define SCHEMA                                                                                     \
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);"                 \
    "CREATE TABLE IF NOT EXISTS journal(number INTEGER PRIMARY KEY, checksum INTEGER NOT NULL,"    \
    " notes BLOB NOT NULL);"                                                                       \
    "CREATE TABLE IF NOT EXISTS history(number INTEGER PRIMARY KEY, checksum INTEGER NOT NULL,"    \
    " job BLOB NOT NULL);"

struct zn_journal_db {
    sqlite3 *handle;
    char *path;
    sqlite3_stmt *insert;
    sqlite3_stmt *insert_past;
    uint64_t first; /* number of the first record, if there is one */
    uint64_t next;  /* number of the next record */
};

/* ---- errors and statements ---- */

static zonda_err fail(const zn_journal_db *db, zonda_err code, const char *what,
                      zonda_error *error) {
    return zn_error_set(error, code, "%s: %s: %s", db->path, what,
                        db->handle != NULL ? sqlite3_errmsg(db->handle) : "no memory");
}

static zonda_err fail_write(const zn_journal_db *db, int rc, zonda_error *error) {
    bool full = (rc & 0xff) == SQLITE_FULL || sqlite3_system_errno(db->handle) == ENOSPC;
    return fail(db, full ? ZONDA_ERR_DISK_FULL : ZONDA_ERR_IO, "cannot write", error);
}

static int run(zn_journal_db *db, const char *sql) {
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

static sqlite3_stmt *prepare(zn_journal_db *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    return statement;
}

/* The first number that a query gives; 0 if there is none. */
static uint64_t number_of(zn_journal_db *db, const char *sql) {
    sqlite3_stmt *statement = prepare(db, sql);
    uint64_t number = 0;
    if (statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
        number = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return number;
}

static uint64_t checksum_of(uint64_t number, zn_bytes bytes) {
    return zn_checksum(bytes) ^ (number * UINT64_C(0x9e3779b97f4a7c15));
}

/* ---- reading ---- */

/* Walks a table in order. `cut` gets how many records at the end are not whole, in order and as
 * written (at least 1 if the table cannot be read to its end); the reader sees those before. */
static zonda_err walk(zn_journal_db *db, const char *sql, bool gapless, zn_journal_reader *reader,
                      void *context, uint64_t *last, bool *whole, zonda_error *error) {
    sqlite3_stmt *statement = prepare(db, sql);
    zonda_err err = ZONDA_OK;
    int rc = statement == NULL ? SQLITE_CORRUPT : SQLITE_ROW;
    *last = 0;
    *whole = true;
    while (err == ZONDA_OK && rc == SQLITE_ROW && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t number = (uint64_t)sqlite3_column_int64(statement, 0);
        const void *data = sqlite3_column_blob(statement, 2);
        zn_bytes bytes = { data, (size_t)sqlite3_column_bytes(statement, 2) };
        bool good = checksum_of(number, bytes) == (uint64_t)sqlite3_column_int64(statement, 1);
        *whole = *whole && good;
        if (gapless && (!good || (*last != 0 && number != *last + 1))) {
            *whole = false;
            break;
        }
        *last = number;
        err = good && reader != NULL ? reader(context, bytes, error) : ZONDA_OK;
    }
    *whole = *whole && (rc == SQLITE_DONE || rc == SQLITE_ROW);
    sqlite3_finalize(statement);
    return err;
}

#define JOURNAL_SQL "SELECT number, checksum, notes FROM journal ORDER BY number"
#define HISTORY_SQL "SELECT number, checksum, job FROM history ORDER BY number"

zonda_err zn_journal_db_read(zn_journal_db *db, zn_journal_reader *reader, void *context,
                             zonda_error *error) {
    uint64_t last = 0;
    bool whole = false;
    zonda_err err = walk(db, JOURNAL_SQL, true, reader, context, &last, &whole, error);
    if (err == ZONDA_OK && !whole) {
        return fail(db, ZONDA_ERR_STATE, "cannot read the journal", error);
    }
    return err;
}

zonda_err zn_journal_db_read_past(zn_journal_db *db, zn_journal_reader *reader, void *context,
                                  zonda_error *error) {
    uint64_t last = 0;
    bool whole = false;
    zonda_err err = walk(db, HISTORY_SQL, false, reader, context, &last, &whole, error);
    if (err == ZONDA_OK && !whole) {
        zn_log(ZONDA_LOG_WARN, "history-damaged", "file=%s", db->path);
    }
    return err;
}

char *zn_journal_db_get(zn_journal_db *db, const char *name) {
    sqlite3_stmt *statement = prepare(db, "SELECT value FROM meta WHERE name = ?1");
    char *value = NULL;
    if (statement != NULL) {
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        if (sqlite3_step(statement) == SQLITE_ROW) {
            value = zn_strdup((const char *)sqlite3_column_text(statement, 0));
        }
    }
    sqlite3_finalize(statement);
    return value;
}

/* ---- writing ---- */

zonda_err zn_journal_db_set(zn_journal_db *db, const char *name, const char *value,
                            zonda_error *error) {
    sqlite3_stmt *statement =
        prepare(db, "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2");
    int rc = SQLITE_ERROR;
    if (statement != NULL) {
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? ZONDA_OK : fail_write(db, rc, error);
}

static int insert(sqlite3_stmt *statement, uint64_t number, zn_bytes bytes) {
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)checksum_of(number, bytes));
    sqlite3_bind_blob64(statement, 3, bytes.len > 0 ? (const void *)bytes.data : "", bytes.len,
                        SQLITE_STATIC);
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The first notes of `notes` that make a record of a usual size. */
static zn_bytes first_record(zn_bytes notes) {
    size_t len = 0;
    while (len < notes.len && len < RECORD_BYTES) {
        len += LENGTH_BYTES + zn_get_u32(notes.data + len);
    }
    return (zn_bytes){ notes.data, len };
}

static int write_batch(zn_journal_db *db, const zn_journal_batch *batch, uint64_t *next) {
    int rc = batch->snapshot ? run(db, "DELETE FROM journal") : SQLITE_OK;
    zn_bytes rest = zn_buf_bytes(&batch->notes);
    while (rc == SQLITE_OK && rest.len > 0) {
        zn_bytes record = first_record(rest);
        rc = insert(db->insert, (*next)++, record);
        rest = (zn_bytes){ rest.data + record.len, rest.len - record.len };
    }
    zn_bytes past = zn_buf_bytes(&batch->past);
    uint64_t number = past.len > 0 ? number_of(db, "SELECT max(number) FROM history") : 0;
    while (rc == SQLITE_OK && past.len > 0) {
        zn_bytes job = { past.data + LENGTH_BYTES, zn_get_u32(past.data) };
        rc = insert(db->insert_past, ++number, job);
        past = (zn_bytes){ job.data + job.len, past.len - LENGTH_BYTES - job.len };
    }
    return rc;
}

static int keep_past(zn_journal_db *db, uint64_t past_max) {
    char *sql = zn_format("DELETE FROM history WHERE number <= "
                          "(SELECT max(number) FROM history) - %llu",
                          (unsigned long long)past_max);
    int rc = run(db, sql);
    free(sql);
    return rc;
}

zonda_err zn_journal_db_write(zn_journal_db *db, const zn_journal_batch *const *batches,
                              size_t count, uint64_t past_max, zonda_error *error) {
    uint64_t next = db->next;
    bool any_past = false;
    int rc = run(db, "BEGIN IMMEDIATE");
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        rc = write_batch(db, batches[i], &next);
        any_past = any_past || batches[i]->past.len > 0;
    }
    if (rc == SQLITE_OK && any_past) {
        rc = keep_past(db, past_max);
    }
    if (rc == SQLITE_OK) {
        rc = run(db, "COMMIT");
    }
    if (rc != SQLITE_OK) {
        zonda_err err = fail_write(db, rc, error);
        run(db, "ROLLBACK");
        return err;
    }
    db->next = next;
    return ZONDA_OK;
}

/* ---- opening ---- */

void zn_journal_db_close(zn_journal_db **db_pointer) {
    zn_journal_db *db = *db_pointer;
    if (db == NULL) {
        return;
    }
    sqlite3_finalize(db->insert);
    sqlite3_finalize(db->insert_past);
    sqlite3_close(db->handle);
    free(db->path);
    free(db);
    *db_pointer = NULL;
}

static zn_journal_db *open_file(const char *path, int flags, zonda_error *error) {
    zn_journal_db *db = ZN_NEW(zn_journal_db);
    db->path = zn_strdup(path);
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        fail(db, ZONDA_ERR_STATE, "cannot be opened", error);
        zn_journal_db_close(&db);
        return NULL;
    }
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    return db;
}

/* Whether the database is of this format; one without tables is new. */
static zonda_err check_format(zn_journal_db *db, zonda_error *error) {
    char *format = zn_journal_db_get(db, "format");
    zonda_err err = ZONDA_OK;
    if (format != NULL && strtoul(format, NULL, 10) != ZN_STATE_FORMAT) {
        err = zn_error_set(error, ZONDA_ERR_STATE,
                           "%s has format %s and this version of Zonda reads format %d; use the "
                           "version that made it, or another directory",
                           db->path, format, ZN_STATE_FORMAT);
    }
    free(format);
    return err;
}

static zonda_err make_ready(zn_journal_db *db, zonda_error *error) {
    char number[16];
    snprintf(number, sizeof number, "%d", ZN_STATE_FORMAT);
    if (run(db, "PRAGMA journal_mode = WAL") != SQLITE_OK ||
        run(db, "PRAGMA synchronous = FULL") != SQLITE_OK ||
        run(db, "PRAGMA journal_size_limit = " LOG_BYTES_KEPT) != SQLITE_OK ||
        run(db, SCHEMA) != SQLITE_OK) {
        return fail(db, ZONDA_ERR_STATE, "cannot be prepared", error);
    }
    zonda_err err = zn_journal_db_set(db, "format", number, error);
    if (err != ZONDA_OK) {
        return err;
    }
    db->insert = prepare(db, "INSERT INTO journal VALUES(?1, ?2, ?3)");
    db->insert_past = prepare(db, "INSERT INTO history VALUES(?1, ?2, ?3)");
    db->next = number_of(db, "SELECT max(number) FROM journal") + 1;
    return db->insert != NULL && db->insert_past != NULL
               ? ZONDA_OK
               : fail(db, ZONDA_ERR_STATE, "cannot be prepared", error);
}

/* ---- damage ---- */

typedef struct copy {
    zn_journal_db *to;
    uint64_t records;
    bool past;
} copy;

static zonda_err copy_record(void *context, zn_bytes record, zonda_error *error) {
    copy *c = context;
    c->records++;
    zn_journal_db *to = c->to;
    uint64_t number = c->past ? c->records : to->next++;
    int rc = insert(c->past ? to->insert_past : to->insert, number, record);
    return rc == SQLITE_OK ? ZONDA_OK : fail_write(to, rc, error);
}

static zonda_err copy_whole(zn_journal_db *from, zn_journal_db *to, zonda_error *error) {
    copy records = { .to = to };
    copy past = { .to = to, .past = true };
    uint64_t last = 0;
    bool whole = false;
    if (run(to, "BEGIN IMMEDIATE") != SQLITE_OK) {
        return fail_write(to, SQLITE_ERROR, error);
    }
    zonda_err err = walk(from, JOURNAL_SQL, true, copy_record, &records, &last, &whole, error);
    if (err == ZONDA_OK) {
        err = walk(from, HISTORY_SQL, false, copy_record, &past, &last, &whole, error);
    }
    static const char *const kept[] = { "control", "work", "blobs", "events", "bind" };
    for (size_t i = 0; err == ZONDA_OK && i < sizeof kept / sizeof kept[0]; i++) {
        char *value = zn_journal_db_get(from, kept[i]);
        err = value != NULL ? zn_journal_db_set(to, kept[i], value, error) : ZONDA_OK;
        free(value);
    }
    if (err == ZONDA_OK && run(to, "COMMIT") != SQLITE_OK) {
        err = fail_write(to, SQLITE_ERROR, error);
    }
    zn_log(ZONDA_LOG_WARN, "state-cut", "file=%s records_kept=%llu jobs_of_history_kept=%llu",
           to->path, (unsigned long long)records.records, (unsigned long long)past.records);
    return err;
}

static void move_file(const char *path, const char *suffix, const char *to) {
    char *from_path = zn_format("%s%s", path, suffix);
    char *to_path = zn_format("%s%s", to, suffix);
    rename(from_path, to_path);
    free(from_path);
    free(to_path);
}

/* Moves the damaged files aside and copies what is whole from them. */
static zn_journal_db *cut_damage(zn_journal_db **damaged, zonda_error *error) {
    char *path = zn_strdup((*damaged)->path);
    char *aside = zn_format("%s.damaged-%llu", path, (unsigned long long)zn_clock_wall_ms());
    zn_journal_db_close(damaged);
    move_file(path, "", aside);
    move_file(path, "-wal", aside);
    move_file(path, "-shm", aside);
    zn_log(ZONDA_LOG_WARN, "state-damaged", "file=%s kept_as=%s", path, aside);
    zn_journal_db *from = open_file(aside, SQLITE_OPEN_READWRITE, error);
    zn_journal_db *to =
        from != NULL ? open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error) : NULL;
    if (to != NULL &&
        (make_ready(to, error) != ZONDA_OK || copy_whole(from, to, error) != ZONDA_OK)) {
        zn_journal_db_close(&to);
    }
    zn_journal_db_close(&from);
    free(path);
    free(aside);
    return to;
}

/* Whether all that SQLite has is as it was written. */
static bool is_whole(zn_journal_db *db) {
    uint64_t last = 0;
    bool whole = false;
    zonda_error ignored;
    sqlite3_stmt *check = prepare(db, "PRAGMA quick_check(1)");
    bool sound = check != NULL && sqlite3_step(check) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0;
    sqlite3_finalize(check);
    if (sound && number_of(db, "SELECT count(*) FROM sqlite_master WHERE name = 'journal'") == 0) {
        return true;
    }
    return sound && walk(db, JOURNAL_SQL, true, NULL, NULL, &last, &whole, &ignored) == ZONDA_OK &&
           whole;
}

zn_journal_db *zn_journal_db_open(const char *folder, zonda_error *error) {
    char *path = zn_format("%s/" FILE_NAME, folder);
    zn_wal_check(path);
    zn_journal_db *db = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    free(path);
    if (db != NULL && check_format(db, error) != ZONDA_OK) {
        zn_journal_db_close(&db);
    }
    if (db != NULL && !is_whole(db)) {
        return cut_damage(&db, error);
    }
    if (db != NULL && make_ready(db, error) != ZONDA_OK) {
        zn_journal_db_close(&db);
    }
    return db;
}

zn_journal_db *zn_journal_db_open_history(const char *folder, zonda_error *error) {
    char *path = zn_format("%s/" FILE_NAME, folder);
    zn_journal_db *db = open_file(path, SQLITE_OPEN_READWRITE, error);
    free(path);
    if (db != NULL && check_format(db, error) != ZONDA_OK) {
        zn_journal_db_close(&db);
    }
    return db;
}
