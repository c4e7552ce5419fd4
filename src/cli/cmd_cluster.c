/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that look at a running cluster or steer it: `status`, `jobs`, `workers`, `cancel`.
 * Each is a call or two on the control endpoint and a table on standard output, or JSON. */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "runtime/control_client.h"

enum {
    OPTION_JSON = 1000,
    OPTION_TIMEOUT
};

typedef struct cluster_options {
    const char *connect;
    uint64_t timeout_s;
    bool json;
    bool takes_job;
    bool has_job;
    uint64_t job;
} cluster_options;

static const struct argp_option options[] = {
    { "connect", 'c', "ENDPOINT", 0, "the cluster; default " ZN_DEFAULT_ENDPOINT, 0 },
    { "timeout", OPTION_TIMEOUT, "SECONDS", 0, "how long it may take to answer; default 30", 0 },
    { "json", OPTION_JSON, NULL, 0, "print JSON, for machines", 0 },
    { 0 },
};

static error_t parse(int key, char *word, struct argp_state *state) {
    cluster_options *parsed = state->input;
    switch (key) {
    case 'c':
        parsed->connect = word;
        return 0;
    case OPTION_TIMEOUT:
        if (!zn_cli_number(word, 1, 86400, &parsed->timeout_s)) {
            argp_error(state, "--timeout: '%s' is not a number of seconds from 1 to 86400", word);
        }
        return 0;
    case OPTION_JSON:
        parsed->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!parsed->takes_job || parsed->has_job) {
            argp_error(state, "unexpected word '%s'", word);
        }
        if (!zn_cli_number(word, 1, UINT64_MAX, &parsed->job)) {
            argp_error(state, "'%s' is not a job id; `zonda jobs` lists them", word);
        }
        parsed->has_job = true;
        return 0;
    case ARGP_KEY_END:
        if (parsed->takes_job && !parsed->has_job) {
            argp_error(state, "the id of a job is missing; `zonda jobs` lists them");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Makes one call; the reply is borrowed from the client. */
static zonda_err call(zn_control_client *client, zn_message *request, zn_message_number expected,
                      const zn_message **reply, zonda_error *error) {
    zn_call this_call = { .request = request, .expected = expected };
    return zn_control_client_call(client, &this_call, reply, error);
}

static zn_control_client *open_client(const cluster_options *parsed, zonda_error *error) {
    zn_control_client_options client_options = { .timeout_ms = (uint32_t)parsed->timeout_s * 1000 };
    zn_control_client *client = zn_control_client_new(parsed->connect, &client_options, error);
    if (client == NULL) {
        return NULL;
    }
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    zn_message hello = { .number = ZN_MSG_HELLO,
                         .hello = { .role = ZN_ROLE_OBSERVER,
                                    .host = zn_bytes_of_text(host),
                                    .pid = (uint64_t)getpid() } };
    const zn_message *reply = NULL;
    if (call(client, &hello, ZN_MSG_ENDPOINTS, &reply, error) != ZONDA_OK) {
        zn_control_client_destroy(&client);
    }
    return client;
}

static const char *job_state(uint64_t state) {
    static const char *const names[] = { "running", "failed", "cancelled", "closing" };
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

static zonda_err show_jobs(zn_control_client *client, bool json, zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_JOBS };
    const zn_message *reply = NULL;
    zonda_err code = call(client, &request, ZN_MSG_JOBS, &reply, error);
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
        zn_table_text(&table, zn_bytes_of_text(job_state(job->state)));
        zn_table_number(&table, job->stages);
        zn_table_number(&table, job->total);
        zn_table_number(&table, job->completed);
        zn_table_number(&table, job->running);
        zn_table_number(&table, job->retries);
        zn_table_number(&table, job->age_ms);
    }
    zn_table_print(&table, json, stdout);
    return ZONDA_OK;
}

static zonda_err show_workers(zn_control_client *client, bool json, zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_WORKERS };
    const zn_message *reply = NULL;
    zonda_err code = call(client, &request, ZN_MSG_WORKERS, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    static const char *const columns[] = { "worker", "host",    "pid",       "slots",
                                           "epoch",  "running", "completed", "silent_ms" };
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
        zn_table_number(&table, worker->silent_ms);
    }
    zn_table_print(&table, json, stdout);
    return ZONDA_OK;
}

/* Sums of both lists; says in words why nothing runs, where nothing does. */
static zonda_err show_status(zn_control_client *client, bool json, zonda_error *error) {
    zn_message request = { .number = ZN_MSG_LIST_WORKERS };
    const zn_message *reply = NULL;
    zonda_err code = call(client, &request, ZN_MSG_WORKERS, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    uint64_t workers = reply->workers.workers_count;
    uint64_t slots = 0;
    for (size_t i = 0; i < workers; i++) {
        slots += reply->workers.workers[i].slots;
    }
    request = (zn_message){ .number = ZN_MSG_LIST_JOBS };
    code = call(client, &request, ZN_MSG_JOBS, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    uint64_t waiting = 0;
    uint64_t running = 0;
    for (size_t i = 0; i < reply->jobs.jobs_count; i++) {
        const zn_job_info *job = &reply->jobs.jobs[i];
        running += job->running;
        waiting += job->total - job->completed - job->running;
    }
    static const char *const columns[] = { "workers", "slots", "jobs", "tasks_running",
                                           "tasks_waiting" };
    zn_table table;
    zn_table_start(&table, columns, sizeof columns / sizeof *columns);
    zn_table_number(&table, workers);
    zn_table_number(&table, slots);
    zn_table_number(&table, reply->jobs.jobs_count);
    zn_table_number(&table, running);
    zn_table_number(&table, waiting);
    zn_table_print(&table, json, stdout);
    if (!json && workers == 0) {
        puts("no worker is there: start one with `zonda worker --connect ENDPOINT`");
    }
    return ZONDA_OK;
}

static zonda_err cancel_job(zn_control_client *client, uint64_t job, zonda_error *error) {
    zn_message request = { .number = ZN_MSG_CANCEL_JOB,
                           .cancel_job = { .job = job,
                                           .reason = zn_bytes_of_text("zonda cancel") } };
    const zn_message *reply = NULL;
    return call(client, &request, ZN_MSG_JOB_CLOSING, &reply, error);
}

typedef zonda_err show(zn_control_client *client, bool json, zonda_error *error);

/* What the three listings share; `list` NULL cancels the job. */
static int run_command(const char *doc, show *list, int argc, char **argv) {
    const struct argp argp = { options, parse, list == NULL ? "JOB" : NULL, doc, NULL, NULL, NULL };
    cluster_options parsed = { .connect = ZN_DEFAULT_ENDPOINT, .takes_job = list == NULL };
    zn_cli_parse(&argp, argc, argv, &parsed);
    zonda_error error = { 0 };
    zn_control_client *client = open_client(&parsed, &error);
    if (client == NULL) {
        return zn_cli_fail(&error);
    }
    zonda_err code =
        list == NULL ? cancel_job(client, parsed.job, &error) : list(client, parsed.json, &error);
    int status = code == ZONDA_OK ? ZN_EXIT_DONE : zn_cli_fail(&error);
    zn_control_client_destroy(&client);
    return status;
}

int zn_cmd_status(int argc, char **argv) {
    return run_command("Shows how many workers, jobs and tasks a cluster has.", show_status, argc,
                       argv);
}

int zn_cmd_jobs(int argc, char **argv) {
    return run_command("Lists the jobs of a cluster.", show_jobs, argc, argv);
}

int zn_cmd_workers(int argc, char **argv) {
    return run_command("Lists the workers of a cluster.", show_workers, argc, argv);
}

int zn_cmd_cancel(int argc, char **argv) {
    return run_command("Cancels a job: its attempts end, its temporary files are removed.", NULL,
                       argc, argv);
}
