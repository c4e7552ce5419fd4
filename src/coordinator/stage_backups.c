/* SPDX-License-Identifier: MPL-2.0 */
/* Which tasks of a stage have a second attempt. The list is short (idle slots), so it is searched.
 * A task gets one second attempt at the most, and its number stays known, so that no later attempt
 * of the task gets the same one. Changed by scheduler_backups.c. */
#include "coordinator/stage_backups.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"

uint64_t zn_stage_backups_mean_ms(const zn_stage_backups *backups) {
    uint64_t mean_us = backups->timed == 0 ? 0 : backups->spent_us / backups->timed;
    return mean_us == 0 ? 0 : (mean_us + 999) / 1000;
}

zn_backup *zn_stage_backups_find(const zn_stage_backups *backups, uint64_t first, uint64_t end) {
    zn_backup *found = NULL;
    for (size_t i = 0; i < backups->count; i++) {
        zn_backup *item = &backups->items[i];
        if (item->task >= first && item->task < end &&
            (found == NULL || item->task < found->task)) {
            found = item;
        }
    }
    return found;
}

void zn_stage_backups_add(zn_stage_backups *backups, zn_backup backup) {
    ZN_ASSERT(!zn_task_set_get(&backups->used, backup.task, NULL));
    zn_task_set_insert(&backups->used, (zn_task_run){ backup.task, 1, backup.attempt });
    ZN_GROW(backups->items, backups->count, backups->capacity);
    backups->items[backups->count++] = backup;
    backups->given++;
}

void zn_stage_backups_remove(zn_stage_backups *backups, zn_backup *backup) {
    *backup = backups->items[--backups->count];
}

uint64_t zn_stage_backups_cut(const zn_stage_backups *backups, zn_task_run *run) {
    zn_task_run had;
    if (!zn_task_set_next(&backups->used, run->first, &had)) {
        return 0;
    }
    if (had.first == run->first) {
        run->count = 1;
        return had.value;
    }
    uint32_t before = had.first - run->first;
    run->count = run->count < before ? run->count : before;
    return 0;
}

void zn_stage_backups_free(zn_stage_backups *backups) {
    zn_task_set_free(&backups->used);
    zn_task_set_free(&backups->publishing);
    free(backups->items);
    *backups = (zn_stage_backups){ 0 };
}
