/* SPDX-License-Identifier: MPL-2.0 */
/* The disk to which all sinks write, as store/sink_file.c uses it: a temporary whose name carries
 * the attempt, a lock that lasts as long as its writer lives, a rename. Here a file is what was
 * written to it, and the permissions of the coordinator are known, so what must never happen can be
 * seen when it happens: a file under a final name that nobody was allowed to put there, that is not
 * whole, or that is another one than its task makes; two attempts that may publish at once. */
#include <string.h>

#include "base/alloc.h"
#include "sim_slot.h"

enum {
    LATER_MAX = 4 /* attempts behind one that publishes, whose temporaries it looks for */
};

static sim_output *output_of(sim *s, const sim_temporary *file) {
    return &s->drivers[file->driver].tasks[file->stage][file->task].output;
}

static void remove_at(sim *s, size_t index) {
    s->temporaries[index] = s->temporaries[--s->temporary_count];
}

/* The temporary that a slot is writing; NULL: none. */
static sim_temporary *find_open(sim *s, sim_place at) {
    for (size_t i = 0; i < s->temporary_count; i++) {
        sim_temporary *file = &s->temporaries[i];
        if (file->locked && file->writer.worker == at.worker && file->writer.slot == at.slot) {
            return file;
        }
    }
    return NULL;
}

static bool is_of_task(const sim_temporary *file, const sim_attempt *id) {
    return file->job == id->job && file->driver == id->driver && file->stage == id->stage &&
           file->task == id->task;
}

void sim_files_sweep(sim *s, const sim_attempt *id) {
    for (size_t i = s->temporary_count; i > 0; i--) {
        const sim_temporary *file = &s->temporaries[i - 1];
        if (is_of_task(file, id) && file->attempt == id->attempt && !file->locked) {
            remove_at(s, i - 1);
        }
    }
}

void sim_files_open(sim *s, sim_place at, sim_attempt id) {
    for (size_t i = s->temporary_count; i > 0; i--) {
        const sim_temporary *file = &s->temporaries[i - 1];
        if (is_of_task(file, &id) && file->attempt == id.attempt) {
            sim_fail(s, "attempt %llu of task %u writes its output twice",
                     (unsigned long long)id.attempt, id.task);
        }
        if (is_of_task(file, &id) && file->attempt < id.attempt && !file->locked) {
            remove_at(s, i - 1);
        }
    }
    ZN_GROW(s->temporaries, s->temporary_count, s->temporary_capacity);
    s->temporaries[s->temporary_count++] =
        (sim_temporary){ .job = id.job,
                         .driver = id.driver,
                         .stage = id.stage,
                         .task = id.task,
                         .attempt = id.attempt,
                         .writer = at,
                         .worker_life = s->workers[at.worker].life,
                         .locked = true };
}

/* It may be gone: somebody else has published, because this attempt was taken for dead. */
void sim_files_seal(sim *s, sim_place at, uint64_t value) {
    sim_temporary *file = find_open(s, at);
    if (file != NULL) {
        file->sealed = true;
        file->value = value;
    }
}

/* Who publishes first removes the temporaries of all other attempts, so that none can do so later.
 */
static void disarm_others(sim *s, sim_temporary file) {
    for (size_t i = s->temporary_count; i > 0; i--) {
        const sim_temporary *other = &s->temporaries[i - 1];
        if (other->job == file.job && other->driver == file.driver && other->stage == file.stage &&
            other->task == file.task && other->attempt != file.attempt &&
            other->attempt <= file.attempt + LATER_MAX) {
            remove_at(s, i - 1);
        }
    }
}

bool sim_files_publish(sim *s, sim_place at) {
    const sim_temporary *open = find_open(s, at);
    if (open == NULL) {
        return false;
    }
    sim_temporary file = *open;
    sim_output *output = output_of(s, &file);
    if (!file.sealed || output->granted == 0) {
        sim_fail(s, "task %u publishes %s", file.task,
                 file.sealed ? "without a permission" : "a part of a file");
    }
    if (output->there && output->value != file.value) {
        sim_fail(s, "task %u publishes another file than before", file.task);
    }
    output->there = true;
    output->value = file.value;
    disarm_others(s, file);
    sim_files_discard(s, at);
    return true;
}

void sim_files_discard(sim *s, sim_place at) {
    const sim_temporary *file = find_open(s, at);
    if (file != NULL) {
        remove_at(s, (size_t)(file - s->temporaries));
    }
}

void sim_files_abandon(sim *s, sim_place at) {
    sim_temporary *file = find_open(s, at);
    if (file != NULL) {
        file->locked = false;
    }
}

/* Whether a worker holds this attempt, as the coordinator has it. */
static bool is_held(const sim *s, const zn_live_stage *stage, uint32_t task, uint64_t attempt) {
    const zn_member *member;
    TAILQ_FOREACH(member, &s->scheduler->members, link) {
        const zn_holding *holding = zn_member_holding(member, stage);
        uint64_t value = 0;
        if (holding != NULL && zn_task_set_get(&holding->tasks, task, &value) &&
            zn_held_attempt(value) == attempt) {
            return true;
        }
    }
    return false;
}

void sim_files_grant(sim *s, const zn_msg_committed *verdict) {
    const zn_live_job *job = zn_key_map_get(&s->scheduler->job_map, verdict->job);
    const zn_live_stage *stage = job == NULL ? NULL : zn_live_job_stage(job, verdict->stage);
    sim_driver *driver = NULL;
    size_t number = 0;
    if (stage == NULL || sim_find_stage(s, &stage->body, &driver, &number) == NULL) {
        sim_fail(s, "a permission for a stage that is not there");
        return;
    }
    sim_output *output = &driver->tasks[number][verdict->task].output;
    if (output->job == verdict->job && output->granted != verdict->attempt &&
        is_held(s, stage, (uint32_t)verdict->task, output->granted)) {
        sim_fail(s, "attempts %llu and %llu of task %llu may publish",
                 (unsigned long long)output->granted, (unsigned long long)verdict->attempt,
                 (unsigned long long)verdict->task);
    }
    output->granted = verdict->attempt;
    output->job = verdict->job;
}

void sim_files_check_job(sim *s, const sim_driver *driver) {
    for (size_t i = 0; i < driver->plan->stage_count; i++) {
        const sim_stage *stage = &driver->stages[i];
        for (uint32_t k = 0; stage->sinks && k < stage->tasks; k++) {
            const sim_output *output = &driver->tasks[i][k].output;
            if (!output->there || output->value != sim_task_value(stage, k)) {
                sim_fail(s, "task %u of stage %zu has %s", k, i,
                         output->there ? "another output than it made" : "no output");
            }
        }
    }
}

/* What a worker left that is gone itself is removed by a later attempt, if there is one. */
void sim_files_check_left(sim *s) {
    for (size_t i = 0; i < s->temporary_count; i++) {
        const sim_temporary *file = &s->temporaries[i];
        const sim_worker *worker = &s->workers[file->writer.worker];
        if (worker->alive && worker->life == file->worker_life) {
            sim_fail(s, "worker %u left the temporary of attempt %llu of task %u of job %llu%s",
                     file->writer.worker, (unsigned long long)file->attempt, file->task,
                     (unsigned long long)file->job, file->locked ? ", and writes it" : "");
        }
    }
}
