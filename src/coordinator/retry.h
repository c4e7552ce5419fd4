/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_RETRY_H
#define ZN_COORDINATOR_RETRY_H

#include "coordinator/task_set.h"
#include "wire/message.h"

/* Whose fault a failed attempt is; each class has its own number of attempts. */
typedef enum zn_retry_class {
    ZN_RETRY_USER = 0,
    ZN_RETRY_INFRA = 1,
    ZN_RETRY_CRASH = 2,
    ZN_RETRY_DISK = 3, /* infrastructure too: the disk of a worker is full */
    ZN_RETRY_CLASSES = 4,
} zn_retry_class;

/* How many attempts of a task may fail in each class; the last one fails the job. */
typedef struct zn_retry_limits {
    uint32_t attempts[ZN_RETRY_CLASSES];
} zn_retry_limits;

/* What could not be read of an earlier stage is not the task's fault, whatever its code. */
zn_retry_class zn_retry_class_of(const zonda_error *error);

/* The class in words. */
const char *zn_retry_class_name(zn_retry_class class);

/* What the job asks for; the usual number for what it does not ask for. */
zn_retry_limits zn_retry_limits_of(const zn_msg_open_job *open);

/* How long a task waits for its next attempt after so many failures in a class. The first loss of a
 * worker or disk costs nothing: the task goes elsewhere at once. */
uint64_t zn_retry_wait_ms(zn_retry_class class, uint32_t failures);

/* Counts one more failure for each of the tasks. Returns the highest count that one of them now
 * has in the class; `*task` is that task. */
uint32_t zn_retry_count(zn_task_set *failures, uint32_t first, uint32_t count, zn_retry_class class,
                        uint32_t *task);

/* Forgets the counts of tasks that succeeded. */
void zn_retry_forget(zn_task_set *failures, uint32_t first, uint32_t count);

#endif
