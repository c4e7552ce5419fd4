/* SPDX-License-Identifier: MPL-2.0 */
/* Datasets: lazy chains of operators. Building one runs nothing and touches nothing. */
#ifndef ZONDA_DATASET_H
#define ZONDA_DATASET_H

#include <zonda/function.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A dataset. Every operator below consumes the datasets that it gets and returns a new one, never
 * NULL. The first error in a chain is kept and comes out of zonda_execute. One thread at a time. */
typedef struct zonda_dataset zonda_dataset;

typedef struct zonda_range_options {
    uint64_t shards; /* 0: as many as useful for this machine-independent default, 1 … 64 */
} zonda_range_options;

typedef struct zonda_files_options {
    bool empty_ok; /* no match is an empty dataset, not an error */
} zonda_files_options;

typedef struct zonda_read_options {
    const char *format; /* "jsonl", "text", "msgpack", "csv", "tsv", "binary"; NULL: by suffix,
                           after .gz, .zst, .zstd, .xz */
    bool empty_ok;
    bool include_paths;        /* adds the path as the last field of every record, a map */
    const char *path_field;    /* its name, which also asks for it; NULL: "__file_path" */
    uint64_t split_bytes;      /* cuts plain files of lines into ranges of about so many bytes, each
                                  a shard; 0: a file is a shard */
    const char *on_bad_record; /* "fail", "skip" (counted) or "keep" (counted and written to a
                                  file); NULL: fail */
    const char *bad_records;   /* folder for those; NULL: "bad-records" in the current one */
    uint64_t record_bytes_max; /* a longer record is a bad one; 0: 64 MiB */
} zonda_read_options;

typedef struct zonda_exec_options {
    const char *format; /* of both streams: "jsonl" or "msgpack"; NULL: "jsonl" */
    bool shell;         /* the command is one text for sh -c */
} zonda_exec_options;

typedef struct zonda_each_options {
    bool shell;        /* the command is one text for sh -c; values of records never become code */
    bool check_status; /* any exit status but ok_status, or a signal, fails the task */
    int ok_status;     /* 0 … 255 */
    uint64_t limit;    /* bytes of stdout and of stderr to keep; 0: 1 MiB */
} zonda_each_options;

typedef struct zonda_reduce_options {
    zonda_func global;    /* how results of shards are combined; none: as in the shards */
    const void *identity; /* one MessagePack value: the start in each shard, and the result
                             when there is nothing; NULL: none */
    size_t identity_bytes;
} zonda_reduce_options;

typedef struct zonda_write_options {
    int level;          /* of the compression: .gz and .xz 1 to 9, .zst 1 to 22; 0: its default */
    bool skip_existing; /* keep outputs that are there, if they are of the same plan and inputs;
                           what is of others is an error (REFUSED) */
} zonda_write_options;

/* Sources. `items`: concatenated MessagePack values, copied; item i is shard i. Options may be
 * NULL. */
ZONDA_API zonda_dataset *zonda_from_list(const void *items, size_t bytes);
ZONDA_API zonda_dataset *zonda_from_json(const char *json_array);
ZONDA_API zonda_dataset *zonda_from_range(uint64_t n, const zonda_range_options *options);
ZONDA_API zonda_dataset *zonda_from_files(const char *glob, const zonda_files_options *options);
ZONDA_API zonda_dataset *zonda_read(const char *glob, const zonda_read_options *options);

/* Narrow operators. zonda_select takes field names (or paths "a.b") up to a NULL. */
ZONDA_API zonda_dataset *zonda_map(zonda_dataset *dataset, zonda_func function);
ZONDA_API zonda_dataset *zonda_flat_map(zonda_dataset *dataset, zonda_func function);
ZONDA_API zonda_dataset *zonda_filter(zonda_dataset *dataset, zonda_func function);
ZONDA_API zonda_dataset *zonda_select(zonda_dataset *dataset, ...) __attribute__((sentinel));

/* zonda_drop takes fields or paths up to a NULL; zonda_rename takes pairs of texts, new name and
 * old name, up to a NULL. zonda_take_per_shard takes 0 too; zonda_window takes 1 or more.
 * zonda_sample keeps records with probability p, from 0 to 1, by seed and position only. */
ZONDA_API zonda_dataset *zonda_drop(zonda_dataset *dataset, ...) __attribute__((sentinel));
ZONDA_API zonda_dataset *zonda_rename(zonda_dataset *dataset, ...) __attribute__((sentinel));
ZONDA_API zonda_dataset *zonda_take_per_shard(zonda_dataset *dataset, uint64_t n);
ZONDA_API zonda_dataset *zonda_window(zonda_dataset *dataset, uint64_t n);
ZONDA_API zonda_dataset *zonda_sample(zonda_dataset *dataset, double p, uint64_t seed);

/* Commands, as words up to a NULL. zonda_exec passes the records of a shard through one run;
 * zonda_each runs the command for each record, with {} for the record and {a.b} for a field, and
 * gives {status, stdout, stderr, seconds}. Options may be NULL. */
ZONDA_API zonda_dataset *zonda_exec(zonda_dataset *dataset, const char *const *command,
                                    const zonda_exec_options *options);
ZONDA_API zonda_dataset *zonda_each(zonda_dataset *dataset, const char *const *command,
                                    const zonda_each_options *options);

/* Lists of records in a row. `function` gets a state and a record and gives two values: whether to
 * go on, and the next state. False closes the list; the record opens the next one, from `init` on
 * (one MessagePack value; NULL: nil). */
ZONDA_API zonda_dataset *zonda_window_by(zonda_dataset *dataset, zonda_func function,
                                         const void *init, size_t init_bytes);

/* A function that sees a shard as a whole, and gives any number of records; also for an empty
 * shard. In C, `call` gets each record, with state of `open`, and `finish` ends the shard. In Lua,
 * a block takes records from the iterator `items`, knows `shard.index` and `shard.total`, and gives
 * records with `emit`; it may return before the last one, and what it returns, if not nil, is a
 * record. */
ZONDA_API zonda_dataset *zonda_map_shard(zonda_dataset *dataset, zonda_func function);

/* The shards of `first`, then those of `second`. */
ZONDA_API zonda_dataset *zonda_union(zonda_dataset *first, zonda_dataset *second);

/* The first `n` records of the whole dataset, as one shard; 0 is allowed. */
ZONDA_API zonda_dataset *zonda_limit(zonda_dataset *dataset, uint64_t n);

/* Folds: one record from all. */
ZONDA_API zonda_dataset *zonda_count(zonda_dataset *dataset);
ZONDA_API zonda_dataset *zonda_reduce(zonda_dataset *dataset, zonda_func local,
                                      const zonda_reduce_options *options);

/* Sinks: a file per shard; the records are then the paths. zonda_write picks by suffix. */
ZONDA_API zonda_dataset *zonda_write(zonda_dataset *dataset, const char *pattern,
                                     const zonda_write_options *options);
ZONDA_API zonda_dataset *zonda_write_jsonl(zonda_dataset *dataset, const char *pattern,
                                           const zonda_write_options *options);
ZONDA_API zonda_dataset *zonda_write_text(zonda_dataset *dataset, const char *pattern,
                                          const zonda_write_options *options);
ZONDA_API zonda_dataset *zonda_write_msgpack(zonda_dataset *dataset, const char *pattern,
                                             const zonda_write_options *options);
ZONDA_API zonda_dataset *zonda_write_csv(zonda_dataset *dataset, const char *pattern,
                                         const zonda_write_options *options);
ZONDA_API zonda_dataset *zonda_write_tsv(zonda_dataset *dataset, const char *pattern,
                                         const zonda_write_options *options);
ZONDA_API zonda_dataset *zonda_write_binary(zonda_dataset *dataset, const char *pattern,
                                            const zonda_write_options *options);

/* Another handle of the same dataset, so that it can be used twice. */
ZONDA_API zonda_dataset *zonda_dataset_share(zonda_dataset *dataset);

/* Frees a dataset; NULL-safe, clears the pointer. */
ZONDA_API void zonda_dataset_destroy(zonda_dataset **dataset);

/* What would run: stages, operators, tasks, inputs, as text that the caller frees. Runs nothing.
 * NULL and `error` if the dataset or its plan has an error. */
ZONDA_API char *zonda_dataset_explain(const zonda_dataset *dataset, zonda_error *error);

#ifdef __cplusplus
}
#endif
#endif
