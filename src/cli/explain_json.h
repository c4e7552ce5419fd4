/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_EXPLAIN_JSON_H
#define ZN_CLI_EXPLAIN_JSON_H

#include <stdio.h>

#include "wire/message.h"

/* Appends what an EXPLANATION says as one MessagePack map. */
void zn_explain_put(zn_buf *out, const zn_msg_explanation *explanation);

/* Appends a job, a worker as maps. */
void zn_explain_put_job(zn_buf *out, const zn_job_info *job);
void zn_explain_put_worker(zn_buf *out, const zn_worker_info *worker);

/* Prints one MessagePack value as a line of JSON, and frees it. */
void zn_explain_print(zn_buf *value, FILE *out);

/* "no-worker", … for a zn_wait_reason; "pending", … for a zn_attempt_state. */
const char *zn_explain_reason_name(uint64_t code);
const char *zn_explain_attempt_state(uint64_t state);

#endif
