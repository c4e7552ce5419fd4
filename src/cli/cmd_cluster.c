/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that list what a running cluster has or steer it: `jobs`, `workers`, `cancel`. Each
 * is one call on the control endpoint and a table on standard output, or JSON. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cluster_call.h"
#include "cli/table.h"

enum {
    ASK_MS = 50
};

static zonda_err show_jobs(zn_control_client *client, const zn_cluster_options *parsed,
                           zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_JOBS };
    const zn_message *reply = NULL;
    zonda_err code = zn_cluster_call(client, &request, ZN_MSG_JOBS, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    static const char *const columns[] = { "job",       "name",    "state",   "stages", "total",
                                           "completed", "running", "retries", "age_ms" };
    zn_table table;
    zn_table_start(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < reply->jobs.jobs_count; i++) {
        const zn_job_info *job = &reply->jobs.jobs[i];
        zn_table_number(&table, job->job);
        zn_table_text(&table, job->name);
        zn_table_text(&table, zn_bytes_of_text(zn_cluster_job_state(job->state)));
        zn_table_number(&table, job->stages);
        zn_table_number(&table, job->total);
        zn_table_number(&table, job->completed);
        zn_table_number(&table, job->running);
        zn_table_number(&table, job->retries);
        zn_table_number(&table, job->age_ms);
    }
    zn_table_print(&table, parsed->json, stdout);
    return ZONDA_OK;
}

static zonda_err show_workers(zn_control_client *client, const zn_cluster_options *parsed,
                              zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_WORKERS };
    const zn_message *reply = NULL;
    zonda_err code = zn_cluster_call(client, &request, ZN_MSG_WORKERS, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    static const char *const columns[] = { "worker",    "host",    "pid",       "slots",
                                           "epoch",     "running", "completed", "failed",
                                           "silent_ms", "state",   "reason" };
    zn_table table;
    zn_table_start(&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < reply->workers.workers_count; i++) {
        const zn_worker_info *worker = &reply->workers.workers[i];
        zn_table_number(&table, worker->worker);
        zn_table_text(&table, worker->host);
        zn_table_number(&table, worker->pid);
        zn_table_number(&table, worker->slots);
        zn_table_number(&table, worker->epoch);
        zn_table_number(&table, worker->running);
        zn_table_number(&table, worker->completed);
        zn_table_number(&table, worker->failed);
        zn_table_number(&table, worker->silent_ms);
        zn_table_text(&table, zn_bytes_of_text(zn_cluster_worker_state(worker->state)));
        zn_table_text(&table, worker->reason);
    }
    zn_table_print(&table, parsed->json, stdout);
    return ZONDA_OK;
}

/* Cancels, and waits until the workers have ended the attempts and removed what these wrote. A job
 * that is gone meanwhile has been closed by its driver. */
static zonda_err cancel_job(zn_control_client *client, const zn_cluster_options *parsed,
                            zonda_error *error) {
    uint64_t end = zn_clock_ns() + zn_control_client_timeout_ms(client) * ZN_NS_PER_MS;
    for (bool first = true;; first = false) {
        zn_message request = { .number = ZN_MSG_CANCEL_JOB,
                               .cancel_job = { .job = parsed->place.job,
                                               .reason = zn_bytes_of_text("zonda cancel") } };
        const zn_message *reply = NULL;
        zonda_err code = zn_cluster_call(client, &request, ZN_MSG_JOB_CLOSING, &reply, error);
        if (code == ZONDA_ERR_UNKNOWN_JOB && !first) {
            return ZONDA_OK;
        }
        if (code != ZONDA_OK || reply->job_closing.waiting == 0) {
            return code;
        }
        if (zn_clock_ns() >= end) {
            return zn_error_set(error, ZONDA_ERR_TIMEOUT,
                                "job %" PRIu64 " is cancelled, but %" PRIu64
                                " workers have not let go of it",
                                parsed->place.job, reply->job_closing.waiting);
        }
        poll(NULL, 0, ASK_MS);
    }
}

int zn_cmd_jobs(int argc, char **argv) {
    return zn_cluster_run("Lists the jobs of a cluster.", ZN_CLUSTER_WORD_NONE, show_jobs, argc,
                          argv);
}

int zn_cmd_workers(int argc, char **argv) {
    return zn_cluster_run("Lists the workers of a cluster.", ZN_CLUSTER_WORD_NONE, show_workers,
                          argc, argv);
}

int zn_cmd_cancel(int argc, char **argv) {
    return zn_cluster_run("Cancels a job: its attempts end, its temporary files are removed.",
                          ZN_CLUSTER_WORD_JOB, cancel_job, argc, argv);
}
