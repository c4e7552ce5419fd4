/* SPDX-License-Identifier: MPL-2.0 */
/* A slot without a worker: blobs in memory, a scripted coordinator, a scratch folder; and bodies of
 * stages written as JSON. */
#ifndef ZN_TESTS_FAKE_HOST_H
#define ZN_TESTS_FAKE_HOST_H

#include "test.h"

#include "ops/stage_exec.h"

typedef struct fake_blob {
    zn_digest digest;
    zn_buf bytes;
} fake_blob;

typedef struct fake_host {
    zn_task_host host;
    char folder[64]; /* scratch, and for the files of a test */
    fake_blob blobs[16];
    size_t blob_count;
    uint64_t cancel_after; /* asks that are answered with no; UINT64_MAX: all */
    bool refuse;           /* commits */
    size_t commits;
    const zn_msg_results *pages; /* given one after the other */
    size_t page_count;
    size_t page_next;
} fake_host;

void fake_host_open(fake_host *host);
void fake_host_close(fake_host *host);
zn_digest fake_host_put(fake_host *host, zn_bytes bytes);

/* A body under construction. */
typedef struct fake_body {
    fake_host *host;
    zn_buf ops;
    uint32_t op_count;
    zn_buf shared;
    uint32_t shared_count;
    uint64_t tasks;
    uint64_t instructions; /* of one call in Lua; 0: the usual limit */
} fake_body;

fake_body fake_body_of(fake_host *host, uint64_t tasks);

/* Adds an operator with arguments in JSON. */
void fake_body_op(fake_body *body, const char *name, const char *args);

/* The same with a blob of `inputs` (a JSON array). */
void fake_body_source(fake_body *body, const char *name, const char *args, const char *inputs);

void fake_body_shared(fake_body *body, const char *name, const char *value);

/* Compiles the body and frees it. */
zn_stage_exec *fake_body_open(fake_body *body, zonda_error *error);

/* Runs a task that must give an outcome which is a success, and returns its records as lines of
 * JSON, inline or from the segment. The caller frees. */
char *fake_run(fake_host *host, zn_stage_exec *stage, uint64_t task);

/* Runs a task that must give an outcome which is a failure. */
zonda_error fake_run_failing(zn_stage_exec *stage, uint64_t task, uint32_t attempt);

/* Files of a folder that are not segments, as "name name". The caller frees. */
char *fake_host_files(const fake_host *host);

/* Path in the folder; the caller frees. */
char *fake_host_path(const fake_host *host, const char *name);
void fake_host_write(const fake_host *host, const char *name, const char *text);
char *fake_host_read(const fake_host *host, const char *name);

/* Appends the MessagePack form of a JSON text. */
void fake_json(const char *text, zn_buf *out);

#endif
