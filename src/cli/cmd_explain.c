/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda explain JOB[/STAGE[/TASK]]`: why is this not running, and what is it doing. One EXPLAIN
 * call, told as a page: the job, its stages with numbers and rates, the reasons for waiting, and,
 * for a stage or a task, the attempts. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/cluster_call.h"
#include "cli/explain_json.h"

#define LLU(number) ((unsigned long long)(number))

/* Texts come from other hosts: control characters are not shown. */
static void print_text(zn_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        putchar(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
    }
}

static void print_age(uint64_t ms) {
    if (ms < 120000) {
        printf("%.1f s", (double)ms / 1000);
    } else if (ms < 7200000) {
        printf("%llu min", LLU(ms / 60000));
    } else {
        printf("%.1f h", (double)ms / 3600000);
    }
}

static void print_failure(const zn_failure *failure, const char *before) {
    zonda_error error;
    char text[4096];
    zn_failure_to_error(failure, &error);
    zonda_error_format(&error, text, sizeof text);
    fputs(before, stdout);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            printf("\n%s", before);
        } else {
            putchar((unsigned char)*at < 0x20 ? '?' : *at);
        }
    }
    putchar('\n');
}

static void print_job(const zn_msg_explanation *found) {
    const zn_job_info *job = found->job;
    printf("job %llu ", LLU(job->job));
    print_text(job->name);
    printf(": %s, opened ", zn_cluster_job_state(job->state));
    print_age(job->age_ms);
    fputs(" ago, its driver last called ", stdout);
    print_age(found->called_ms);
    fputs(" ago\n", stdout);
    if (found->ended_count > 0) {
        print_failure(found->ended, "  ");
    }
}

static void print_stage(const zn_stage_info *stage) {
    printf("stage %llu ", LLU(stage->stage));
    print_text(stage->name);
    uint64_t done = stage->completed + stage->running;
    uint64_t pending =
        stage->state == ZN_STAGE_RUNNING && stage->total > done ? stage->total - done : 0;
    printf(": %s, %llu of %llu tasks completed, %llu with workers, %llu waiting",
           zn_cluster_stage_state(stage->state), LLU(stage->completed), LLU(stage->total),
           LLU(stage->running), LLU(pending));
    if (stage->failures > 0 || stage->retries > 0) {
        printf(", %llu failed attempts, %llu retries", LLU(stage->failures), LLU(stage->retries));
    }
    if (stage->active_ms > 0 && stage->completed > 0) {
        printf(", %.1f tasks/s", (double)stage->completed * 1000 / (double)stage->active_ms);
    }
    putchar('\n');
    if (stage->failure_count > 0) {
        print_failure(stage->failure, "  last failure: ");
    }
}

static void print_worker(const zn_attempt_info *attempt) {
    printf("worker %llu", LLU(attempt->worker));
    if (attempt->host.len > 0) {
        fputs(" (", stdout);
        print_text(attempt->host);
        printf(", pid %llu)", LLU(attempt->pid));
    } else {
        fputs(" (no longer there)", stdout);
    }
}

static void print_attempt(const zn_attempt_info *attempt) {
    if (attempt->count == 1) {
        printf("task %llu", LLU(attempt->first));
    } else if (attempt->state == ZN_ATTEMPT_HELD && attempt->attempt == 0) {
        printf("%llu tasks from %llu on", LLU(attempt->count), LLU(attempt->first));
    } else {
        printf("tasks %llu to %llu", LLU(attempt->first), LLU(attempt->first + attempt->count - 1));
    }
    if (attempt->attempt > 0) {
        printf(", attempt %llu", LLU(attempt->attempt));
    }
    printf(": %s", zn_explain_attempt_state(attempt->state));
    if (attempt->worker > 0) {
        fputs(attempt->state == ZN_ATTEMPT_HELD ? " by " : " on ", stdout);
        print_worker(attempt);
    }
    if (attempt->state == ZN_ATTEMPT_HELD || attempt->state == ZN_ATTEMPT_FAILED) {
        fputs(attempt->state == ZN_ATTEMPT_HELD ? " for " : " before ", stdout);
        print_age(attempt->age_ms);
    }
    putchar('\n');
    if (attempt->failure_count > 0) {
        print_failure(attempt->failure, "  ");
    }
}

static void print_page(const zn_msg_explanation *found) {
    if (found->job_count > 0) {
        print_job(found);
    }
    for (size_t i = 0; i < found->stages_count; i++) {
        print_stage(&found->stages[i]);
    }
    for (size_t i = 0; i < found->attempts_count; i++) {
        print_attempt(&found->attempts[i]);
    }
    for (size_t i = 0; i < found->reasons_count; i++) {
        fputs(found->reasons[i].blocking != 0 ? "why it does not run: " : "note: ", stdout);
        print_text(found->reasons[i].text);
        putchar('\n');
    }
}

static zonda_err explain(zn_control_client *client, const zn_cluster_options *parsed,
                         zonda_error *error) {
    zn_message request = { .number = ZN_MSG_EXPLAIN, .explain = parsed->place };
    const zn_message *reply = NULL;
    zonda_err code = zn_cluster_call(client, &request, ZN_MSG_EXPLANATION, &reply, error);
    if (code != ZONDA_OK) {
        return code;
    }
    if (parsed->json) {
        zn_buf value = { 0 };
        zn_explain_put(&value, &reply->explanation);
        zn_explain_print(&value, stdout);
    } else {
        print_page(&reply->explanation);
    }
    return ZONDA_OK;
}

int zn_cmd_explain(int argc, char **argv) {
    return zn_cluster_run("Says what a job, one of its stages or one task is doing, and why what "
                          "waits is waiting. Stages and tasks count from 0.",
                          ZN_CLUSTER_WORD_PLACE, explain, argc, argv);
}
