/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda status`: the cluster on one screen. Its workers, then its jobs with how far they are and,
 * under a job that makes no progress, the reason. Three kinds of calls that do not happen at the
 * same moment, so a job may be gone when its turn comes; then it is left out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/cluster_call.h"
#include "cli/explain_json.h"
#include "record/value.h"

#define LLU(number) ((unsigned long long)(number))

enum {
    JOBS_SHOWN_MAX = 50,
    WORKERS_SHOWN_MAX = 20,
    BAR_WIDTH = 20
};

static void print_text(zn_bytes text, size_t bytes_max) {
    for (size_t i = 0; i < text.len && i < bytes_max; i++) {
        putchar(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
    }
    if (text.len > bytes_max) {
        fputs("…", stdout);
    }
}

static void print_workers(const zn_msg_workers *workers) {
    uint64_t slots = 0;
    uint64_t running = 0;
    for (size_t i = 0; i < workers->workers_count; i++) {
        slots += workers->workers[i].slots;
        running += workers->workers[i].running;
    }
    printf("%llu workers with %llu slots hold %llu tasks\n", LLU(workers->workers_count),
           LLU(slots), LLU(running));
    for (size_t i = 0; i < workers->workers_count && i < WORKERS_SHOWN_MAX; i++) {
        const zn_worker_info *worker = &workers->workers[i];
        printf("  worker %llu ", LLU(worker->worker));
        print_text(worker->host, 40);
        printf(" (pid %llu): %llu slots, holds %llu tasks, completed %llu", LLU(worker->pid),
               LLU(worker->slots), LLU(worker->running), LLU(worker->completed));
        printf(", heard %.1f s ago%s\n", (double)worker->silent_ms / 1000,
               worker->epoch == 0 ? ", must register again" : "");
    }
    if (workers->workers_count > WORKERS_SHOWN_MAX) {
        printf("  … and %llu more; `zonda workers` lists them\n",
               LLU(workers->workers_count - WORKERS_SHOWN_MAX));
    } else if (workers->workers_count == 0) {
        puts("  start one with `zonda worker --connect ENDPOINT`");
    }
}

static void print_bar(uint64_t completed, uint64_t total) {
    uint64_t filled = total == 0 ? 0 : (uint64_t)((double)completed / (double)total * BAR_WIDTH);
    putchar('[');
    for (uint64_t i = 0; i < BAR_WIDTH; i++) {
        putchar(i < filled ? '#' : '.');
    }
    putchar(']');
}

static void print_job(const zn_msg_explanation *found) {
    const zn_job_info *job = found->job;
    printf("  job %llu ", LLU(job->job));
    print_bar(job->completed, job->total);
    printf(" %llu/%llu tasks, %llu with workers, %llu retries, %.0f s, %s: ", LLU(job->completed),
           LLU(job->total), LLU(job->running), LLU(job->retries), (double)job->age_ms / 1000,
           zn_cluster_job_state(job->state));
    print_text(job->name, 60);
    putchar('\n');
    for (size_t i = 0; i < found->reasons_count; i++) {
        if (found->reasons[i].blocking != 0) {
            fputs("    waits: ", stdout);
            print_text(found->reasons[i].text, found->reasons[i].text.len);
            putchar('\n');
            return;
        }
    }
}

/* The ids of the jobs, the newest that are shown. Free it. */
static zonda_err list_jobs(zn_control_client *client, uint64_t **ids, size_t *count, size_t *total,
                           zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_JOBS };
    const zn_message *reply = NULL;
    zonda_err code = zn_cluster_call(client, &request, ZN_MSG_JOBS, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    size_t all = reply->jobs.jobs_count;
    size_t shown = all < JOBS_SHOWN_MAX ? all : JOBS_SHOWN_MAX;
    *ids = zn_calloc(shown + 1, sizeof **ids);
    for (size_t i = 0; i < shown; i++) {
        (*ids)[i] = reply->jobs.jobs[all - shown + i].job;
    }
    *count = shown;
    *total = all;
    return ZONDA_OK;
}

/* Shows the job, or adds it to `json` (not NULL). A job that is gone is no error. */
static zonda_err show_job(zn_control_client *client, uint64_t job, zn_buf *json, uint32_t *added,
                          zonda_error *error) {
    zn_message request = { .number = ZN_MSG_EXPLAIN, .explain = { .job = job } };
    const zn_message *reply = NULL;
    zonda_err code = zn_cluster_call(client, &request, ZN_MSG_EXPLANATION, &reply, error);
    if (code == ZONDA_ERR_UNKNOWN_JOB) {
        return ZONDA_OK;
    }
    if (code == ZONDA_OK && json != NULL) {
        zn_explain_put(json, &reply->explanation);
        (*added)++;
    } else if (code == ZONDA_OK && reply->explanation.job_count > 0) {
        print_job(&reply->explanation);
    }
    return code;
}

static void print_json(const zn_buf *workers, const zn_buf *jobs, uint32_t job_count,
                       size_t total) {
    zn_buf all = { 0 };
    zn_put_map(&all, 3);
    zn_put_text(&all, "workers");
    zn_buf_append(&all, workers->data, workers->len);
    zn_put_text(&all, "job_count");
    zn_put_uint(&all, total);
    zn_put_text(&all, "jobs");
    zn_put_array(&all, job_count);
    zn_buf_append(&all, jobs->data, jobs->len);
    zn_explain_print(&all, stdout);
}

static zonda_err show_workers(zn_control_client *client, bool json, zn_buf *list,
                              zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_WORKERS };
    const zn_message *reply = NULL;
    zonda_err code = zn_cluster_call(client, &request, ZN_MSG_WORKERS, &reply, error);
    if (code == ZONDA_OK && !json) {
        print_workers(&reply->workers);
    } else if (code == ZONDA_OK) {
        zn_put_array(list, (uint32_t)reply->workers.workers_count);
        for (size_t i = 0; i < reply->workers.workers_count; i++) {
            zn_explain_put_worker(list, &reply->workers.workers[i]);
        }
    }
    return code;
}

static zonda_err show_status(zn_control_client *client, const zn_cluster_options *parsed,
                             zonda_error *error) {
    zn_buf workers = { 0 };
    zn_buf jobs = { 0 };
    uint64_t *ids = NULL;
    size_t count = 0;
    size_t total = 0;
    uint32_t added = 0;
    zonda_err code = show_workers(client, parsed->json, &workers, error);
    if (code == ZONDA_OK) {
        code = list_jobs(client, &ids, &count, &total, error);
    }
    if (code == ZONDA_OK && !parsed->json) {
        printf("%llu jobs%s\n", LLU(total), total > count ? ", the newest are" : "");
    }
    for (size_t i = 0; i < count && code == ZONDA_OK; i++) {
        code = show_job(client, ids[i], parsed->json ? &jobs : NULL, &added, error);
    }
    if (code == ZONDA_OK && parsed->json) {
        print_json(&workers, &jobs, added, total);
    }
    free(ids);
    zn_buf_free(&workers);
    zn_buf_free(&jobs);
    return code;
}

int zn_cmd_status(int argc, char **argv) {
    return zn_cluster_run("Shows the workers and jobs of a cluster and, under each job that makes "
                          "no progress, why.",
                          ZN_CLUSTER_WORD_NONE, show_status, argc, argv);
}
