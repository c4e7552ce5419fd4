/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda history`: the jobs that have ended, the last one first, or the stages of one of them. They
 * come in pages from a coordinator, or from a state directory. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/cluster_call.h"
#include "cli/table.h"
#include "coordinator/journal_db.h"

/* A table in the making. */
typedef struct listing {
    zn_table table;
    bool has_job; /* only this one, by stages */
    uint64_t job;
    bool found;
    zn_decoder *decoder; /* of jobs in a state directory */
} listing;

static const char *const job_columns[] = { "job",         "name",    "state",    "ended",
                                           "took_ms",     "stages",  "tasks",    "records_in",
                                           "records_out", "retries", "failures", "error" };
static const char *const stage_columns[] = { "stage",      "name",        "state",    "tasks",
                                             "completed",  "active_ms",   "retries",  "failures",
                                             "records_in", "records_out", "counters", "error" };

enum {
    COLUMNS = sizeof job_columns / sizeof *job_columns
};

static void start_listing(listing *list, const zn_cluster_options *parsed) {
    *list = (listing){ .has_job = parsed->has_word, .job = parsed->place.job };
    zn_table_start(&list->table, list->has_job ? stage_columns : job_columns, COLUMNS);
}

static const char *state_name(uint64_t state) {
    static const char *const names[] = { "complete", "failed", "cancelled" };
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

static zn_bytes error_of(const zn_past_job *job) {
    return job->failure_count > 0 ? job->failure[0].text : zn_bytes_of_text("");
}

static void add_time(zn_table *table, uint64_t ms) {
    char text[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    zn_table_text(table, zn_bytes_of_text(text));
}

static void add_job(zn_table *table, const zn_past_job *job) {
    zn_past_stage sum = { 0 };
    for (size_t i = 0; i < job->stages_count; i++) {
        const zn_past_stage *stage = &job->stages[i];
        sum.total += stage->total;
        sum.retries += stage->retries;
        sum.failures += stage->failures;
    }
    bool any = job->stages_count > 0;
    zn_table_number(table, job->job);
    zn_table_text(table, job->name);
    zn_table_text(table, zn_bytes_of_text(state_name(job->state)));
    add_time(table, job->ended_ms);
    zn_table_number(table, job->ended_ms > job->opened_ms ? job->ended_ms - job->opened_ms : 0);
    zn_table_number(table, job->stages_count);
    zn_table_number(table, sum.total);
    zn_table_number(table, any ? job->stages[0].records_in : 0);
    zn_table_number(table, any ? job->stages[job->stages_count - 1].records_out : 0);
    zn_table_number(table, sum.retries);
    zn_table_number(table, sum.failures);
    zn_table_text(table, error_of(job));
}

static void add_stage(zn_table *table, const zn_past_job *job, const zn_past_stage *stage) {
    zn_buf counters = { 0 };
    for (size_t i = 0; i < stage->counters_count; i++) {
        const zn_counter *counter = &stage->counters[i];
        zn_buf_printf(&counters, "%s%.*s=%" PRId64, i > 0 ? " " : "", (int)counter->name.len,
                      (const char *)counter->name.data, counter->sum);
    }
    zn_table_number(table, stage->stage);
    zn_table_text(table, stage->name);
    zn_table_text(table, zn_bytes_of_text(zn_cluster_stage_state(stage->state)));
    zn_table_number(table, stage->total);
    zn_table_number(table, stage->completed);
    zn_table_number(table, stage->active_ms);
    zn_table_number(table, stage->retries);
    zn_table_number(table, stage->failures);
    zn_table_number(table, stage->records_in);
    zn_table_number(table, stage->records_out);
    zn_table_text(table, zn_buf_bytes(&counters));
    zn_table_text(table, error_of(job));
    zn_buf_free(&counters);
}

static void take_job(listing *list, const zn_past_job *job) {
    if (!list->has_job) {
        add_job(&list->table, job);
        return;
    }
    for (size_t i = 0; job->job == list->job && i < job->stages_count; i++) {
        add_stage(&list->table, job, &job->stages[i]);
    }
    list->found = list->found || job->job == list->job;
}

static zonda_err end_listing(listing *list, bool json, zonda_error *error) {
    if (list->has_job && !list->found) {
        zn_buf_free(&list->table.cells);
        return zn_error_set(error, ZONDA_ERR_UNKNOWN_JOB,
                            "job %" PRIu64 " is not in the history; `zonda jobs` lists those that "
                            "have not ended",
                            list->job);
    }
    zn_table_print(&list->table, json, stdout);
    return ZONDA_OK;
}

static zonda_err ask_cluster(zn_control_client *client, const zn_cluster_options *parsed,
                             zonda_error *error) {
    listing list;
    start_listing(&list, parsed);
    uint64_t before = 0;
    for (;;) {
        zn_message request = { .number = ZN_MSG_LIST_HISTORY, .list_history.before = before };
        const zn_message *reply = NULL;
        zonda_err code = zn_cluster_call(client, &request, ZN_MSG_HISTORY, &reply, error);
        if (code != ZONDA_OK) {
            zn_buf_free(&list.table.cells);
            return code;
        }
        const zn_msg_history *page = &reply->history;
        for (size_t i = 0; i < page->jobs_count; i++) {
            take_job(&list, &page->jobs[i]);
            before = page->jobs[i].place;
        }
        if (page->jobs_count == 0) {
            return end_listing(&list, parsed->json, error);
        }
    }
}

static zonda_err take_record(void *context, zn_bytes record, zonda_error *error) {
    listing *list = context;
    zn_message note;
    zonda_err err = zn_decoder_decode(list->decoder, record, &note, error);
    if (err == ZONDA_OK && note.number == ZN_MSG_NOTE_PAST_JOB &&
        note.note_past_job.job_count > 0) {
        take_job(list, &note.note_past_job.job[0]);
    }
    return err;
}

static zonda_err read_state(const zn_cluster_options *parsed, zonda_error *error) {
    zn_journal_db *db = zn_journal_db_open_history(parsed->state, error);
    if (db == NULL) {
        return error->code;
    }
    listing list;
    start_listing(&list, parsed);
    list.decoder = zn_decoder_new();
    zonda_err err = zn_journal_db_read_past(db, take_record, &list, error);
    zn_decoder_destroy(&list.decoder);
    zn_journal_db_close(&db);
    return err == ZONDA_OK ? end_listing(&list, parsed->json, error) : err;
}

int zn_cmd_history(int argc, char **argv) {
    static const char doc[] =
        "Lists the jobs that have ended: how, when, and what they read and gave. With JOB, the "
        "stages of that one with their counters. A cluster lists the last one first, a state "
        "directory the oldest.";
    zn_cluster_options parsed;
    zn_cluster_parse(doc, ZN_CLUSTER_WORD_PAST, argc, argv, &parsed);
    if (parsed.state == NULL) {
        return zn_cluster_run(doc, ZN_CLUSTER_WORD_PAST, ask_cluster, argc, argv);
    }
    zonda_error error = { 0 };
    return read_state(&parsed, &error) == ZONDA_OK ? ZN_EXIT_DONE : zn_cli_fail(&error);
}
