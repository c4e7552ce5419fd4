/* SPDX-License-Identifier: MPL-2.0 */
/* Tasks of earlier stages with rows in real segments, and slots that read them with an exchange. */
#ifndef ZN_TESTS_OPS_EXCHANGE_RIG_H
#define ZN_TESTS_OPS_EXCHANGE_RIG_H

#include "fake_host.h"

#include "ops/exchange.h"
#include "store/segment.h"

enum {
    RIG_STAGES = 2,
    RIG_TASKS_MAX = 64,
    RIG_KEY_BYTES = 4
};

/* A row of a test: its key is a number, its record says where it is from. */
typedef struct rig_row {
    uint32_t key;
    uint32_t stage;
    uint32_t task;
    uint32_t position;
    uint32_t size; /* bytes of padding in the record */
} rig_row;

typedef struct rig_rows {
    rig_row *items;
    size_t count;
    size_t capacity;
} rig_rows;

/* Earlier stages. */
typedef struct exchange_rig {
    fake_host fake; /* first: it is the context of the host */
    zn_stage_exec *exec;
    zn_result results[RIG_STAGES][RIG_TASKS_MAX];
    zn_reference references[RIG_STAGES][RIG_TASKS_MAX];
    char names[RIG_STAGES][RIG_TASKS_MAX][64];
    size_t task_counts[RIG_STAGES];
    size_t page_max;    /* results in one page */
    size_t key_padding; /* bytes before the number in a key */
    size_t calls;       /* of the host for results */
    zn_msg_results page;
    const char *endpoint; /* of the worker that has the segments */
    rig_rows rows;        /* all of them */
} exchange_rig;

void exchange_rig_open(exchange_rig *rig);
void exchange_rig_close(exchange_rig *rig);

/* Adds a task of a stage with these rows (in the order of partitions and keys where that matters),
 * in a segment with an index of a kind. Partitions are those of the keys among `partitions`. */
void exchange_rig_add(exchange_rig *rig, size_t stage, zn_index_kind kind, uint32_t partitions,
                      rig_rows *rows);

/* Rows of a task: keys from `keys` on at random, sorted by (partition, key) if `sorted`. */
rig_rows exchange_rig_rows(uint64_t *seed, size_t count, uint32_t keys, uint32_t size,
                           uint32_t partitions, bool sorted);

/* A slot of a later stage. */
typedef struct exchange_slot {
    exchange_rig *rig;
    zn_buf planned;
    zn_op op;
    zonda_task task;
    zn_exchange *exchange;
    uint64_t spilled_bytes; /* of all shards so far */
} exchange_slot;

/* An operator with so many shards that reads the stages in one way. */
void exchange_slot_open(exchange_slot *slot, exchange_rig *rig, const char *by, uint64_t shards);
void exchange_slot_close(exchange_slot *slot);

/* Reads a shard; rows are added to `out`, which has stage and task from the records, and the inputs
 * that the exchange told are compared with them. */
zonda_err exchange_slot_read(exchange_slot *slot, uint64_t shard, rig_rows *out,
                             zonda_error *error);

/* The same; it must succeed. Returns the bytes of the rows. */
uint64_t exchange_slot_take(exchange_slot *slot, uint64_t shard, rig_rows *out);

void rig_rows_add(rig_rows *rows, rig_row row);
void rig_rows_free(rig_rows *rows);

/* Compares (key, stage, task, position) of all rows. */
void rig_rows_assert_equal(const rig_rows *found, const rig_rows *expected);

/* Order of equal keys: by stage, task, position. */
int rig_rows_by_key(const void *a, const void *b);

/* The path of the table of an exchange; the caller frees. */
char *exchange_rig_table(const exchange_rig *rig);

#endif
