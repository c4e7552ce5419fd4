/* SPDX-License-Identifier: MPL-2.0 */
/* Hosts on which attempts fail, because something is missing or broken there. A task that failed is
 * tried again on another worker, as long as there is another one; so a host where everything fails
 * at once does not use up the attempts of what it gets. If the task is then completed elsewhere,
 * the host is to blame: too many of those in a row, with none that it completed itself, and it is
 * drained. What fails everywhere is nobody's fault but the user's.
 *
 * A failure counts for as long as the worker has not completed anything since. So what is known of
 * a task that failed is the worker (the upper half of a value) and how much that had completed.
 *
 * This is about errors of users and crashes. Losses of workers and results have other causes, and a
 * full disk is kept in mind by its stage (full_disks.h). It is not durable: after a restart the
 * counts begin anew. */
#include "coordinator/blame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "coordinator/scheduler_drain.h"

enum {
    WORDS_BYTES = 128 /* of the last failure, for people */
};

static zn_member *find(const zn_scheduler *scheduler, uint64_t worker) {
    zn_member *member;
    TAILQ_FOREACH(member, &scheduler->members, link) {
        if (member->id == worker) {
            return member;
        }
    }
    return NULL;
}

/* Whether another worker gets tasks of the stage (NULL: of any). */
static bool has_other(const zn_scheduler *scheduler, const zn_member *member,
                      const zn_live_stage *stage) {
    const zn_member *other;
    TAILQ_FOREACH(other, &scheduler->members, link) {
        if (other != member && other->state == ZN_MEMBER_JOINED && other->credit > 0 &&
            (stage == NULL ||
             !zn_full_disks_has(&stage->full_disks, other->id, scheduler->now_ns))) {
            return true;
        }
    }
    return false;
}

static uint64_t place_of(const zn_member *member) {
    return member->id << 32 | (uint32_t)member->completed;
}

static void remember_words(zn_member *member, const zonda_error *error) {
    char words[WORDS_BYTES];
    size_t line = strcspn(error->text, "\r\n");
    zn_error_copy(words, sizeof words, error->text, line);
    free(member->last_failure);
    member->last_failure = zn_format("%s: %s", zonda_err_name(error->code), words);
}

void zn_blame_failed(zn_scheduler *scheduler, zn_live_stage *stage, zn_task_run run,
                     const zonda_error *error) {
    zn_retry_class class = zn_retry_class_of(error);
    zn_member *member = find(scheduler, error->worker);
    if (member == NULL || (class != ZN_RETRY_USER && class != ZN_RETRY_CRASH)) {
        return;
    }
    remember_words(member, error);
    zn_retry_forget(&stage->failed_at, run.first, run.count);
    zn_task_set_insert(&stage->failed_at, (zn_task_run){ run.first, run.count, place_of(member) });
}

/* A host with many slots has many tasks that fail for one reason at one time. */
static bool is_too_much(const zn_member *member) {
    return member->failed >= ZN_MEMBER_FAILED_MAX && member->failed >= 2 * member->slots;
}

static void blame(zn_scheduler *scheduler, zn_member *member, uint32_t tasks) {
    member->failed += tasks;
    if (!is_too_much(member) || member->state != ZN_MEMBER_JOINED ||
        !has_other(scheduler, member, NULL)) {
        return;
    }
    char full[2 * ZN_NAME_BYTES_MAX];
    char reason[ZN_NAME_BYTES_MAX + 1];
    snprintf(full, sizeof full,
             "%u tasks in a row failed on %.64s and not elsewhere, at last with %s", member->failed,
             member->host, member->last_failure != NULL ? member->last_failure : "an error");
    zn_error_copy(reason, sizeof reason, full, strlen(full));
    zn_scheduler_drain(scheduler, member, zn_bytes_of_text(reason));
}

void zn_blame_completed(zn_scheduler *scheduler, zn_member *member, const zn_live_stage *stage,
                        zn_task_run run) {
    uint32_t end = run.first + run.count;
    zn_task_run part;
    member->failed = 0;
    for (uint32_t at = run.first;
         zn_task_set_next(&stage->failed_at, at, &part) && part.first < end;
         at = part.first + part.count) {
        zn_member *other = find(scheduler, part.value >> 32);
        if (other != NULL && other != member && place_of(other) == part.value) {
            blame(scheduler, other, part.count < end - part.first ? part.count : end - part.first);
        }
    }
}

bool zn_blame_avoids(const zn_scheduler *scheduler, const zn_member *member,
                     const zn_live_stage *stage) {
    return stage->failed_at.task_count > 0 && has_other(scheduler, member, stage);
}
