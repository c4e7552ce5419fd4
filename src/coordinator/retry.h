/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_RETRY_H
#define ZN_COORDINATOR_RETRY_H

#include "base/error.h"
#include "coordinator/task_set.h"

/* Whose fault a failed attempt is; each class has its own number of attempts. */
typedef enum zn_retry_class {
    ZN_RETRY_USER = 0,
    ZN_RETRY_INFRA = 1,
    ZN_RETRY_CRASH = 2,
    ZN_RETRY_DISK = 3, /* infrastructure too: the disk of a worker is full */
    ZN_RETRY_CLASSES = 4,
} zn_retry_class;

zn_retry_class zn_retry_class_of(zonda_err code);

/* How many attempts may fail in a class; the last one fails the job. */
uint32_t zn_retry_limit(zn_retry_class class);

/* Counts one more failure for each of the tasks. Returns the highest count that one of them now
 * has in the class; `*task` is that task. */
uint32_t zn_retry_count(zn_task_set *failures, uint32_t first, uint32_t count, zn_retry_class class,
                        uint32_t *task);

/* Forgets the counts of tasks that succeeded. */
void zn_retry_forget(zn_task_set *failures, uint32_t first, uint32_t count);

#endif
