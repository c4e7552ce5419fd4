/* SPDX-License-Identifier: MPL-2.0 */
/* Every limit that an outsider can push on, and every default, in one place. Units are in names. */
#ifndef ZN_BASE_LIMITS_H
#define ZN_BASE_LIMITS_H

#define ZN_KIB (1024u)
#define ZN_MIB (1024u * 1024u)

enum {
    /* Frames and messages. */
    ZN_FRAME_BYTES_MAX = 16 * ZN_MIB,   /* one frame, as sent and as inflated */
    ZN_FRAME_COMPRESS_BYTES_MIN = 1024, /* smaller frames go plain (bench: wire) */
    ZN_MESSAGE_DEPTH_MAX = 16,          /* nesting of a message */
    ZN_ZSTD_WINDOW_LOG_MAX = 27,        /* 128 MiB; what zstd -19 --long asks at the most */
    ZN_XZ_MEMORY_BYTES = 192 * ZN_MIB,  /* to decode; what xz -9 writes asks for 65 MiB */
    ZN_SOCKET_HWM = 1000,               /* messages; credits keep queues far below it */
    ZN_SOCKET_OPEN_HWM = 16,            /* those that came from one peer of a bound socket */
    ZN_SOCKET_HANDSHAKE_MS = 5000,
    ZN_CALL_BYTES_MAX = 2 * ZN_MIB,   /* a call on control: a part of a blob and its names */
    ZN_WORK_BYTES_MAX = 512 * ZN_KIB, /* a message to a ROUTER: twice a RESULT that is full */

    /* Records. */
    ZN_RECORD_BYTES_MAX = 64 * ZN_MIB,
    ZN_RECORD_DEPTH_MAX = 128,
    ZN_OBJECT_VALUES_MAX = 4 * ZN_MIB, /* values of one record decoded for a C function */
    ZN_KEY_BYTES_MAX = 256 * ZN_KIB,   /* an encoded key; a row with two fits into a block */
    ZN_BLOCK_RAW_BYTES = 256 * ZN_KIB, /* a block of records is closed at this size */
    ZN_BLOCK_BYTES_MAX = ZN_RECORD_BYTES_MAX + ZN_MIB,

    /* Names and texts on the wire. */
    ZN_NAME_BYTES_MAX = 255,
    ZN_ENDPOINT_BYTES_MAX = 512,
    ZN_PATH_BYTES_MAX = 4096,
    ZN_ERROR_TEXT_BYTES_MAX = 1024,

    /* Jobs, stages, tasks. */
    ZN_JOBS_MAX = 100000,
    ZN_STAGES_MAX = 10000,
    ZN_STAGE_TASKS_MAX = 1000000000,
    ZN_STAGE_OPS_MAX = 1000,       /* operators fused into one stage; they call each other */
    ZN_STAGE_BRANCHES_MAX = 10000, /* datasets united into one stage */
    ZN_STAGE_INPUTS_MAX = 2 * ZN_STAGE_BRANCHES_MAX, /* earlier stages that one reads */
    ZN_OUTCOME_PARTS_MAX = 16,                       /* partitions that one outcome names */
    ZN_STAGE_WEIGHED_MAX = 1000000,                  /* tasks; in a larger stage all are alike */
    ZN_STAGE_FIRST_MAX = 4096,                       /* large tasks that are handed out first */
    ZN_UNION_DEPTH_MAX = 40,             /* unions of unions with operators between them */
    ZN_RIGHT_DEPTH_MAX = 40,             /* joins on the right side of joins */
    ZN_BROADCAST_BYTES_MAX = 8 * ZN_MIB, /* of a right side that is broadcast unasked */
    ZN_WIDE_SHARDS_DEFAULT_MAX = 256,    /* that a wide operator makes unless it is told how many */
    ZN_STAGE_SHARED_MAX = 10000,         /* shared values of a job */
    ZN_AGGREGATE_EXPRS_MAX = 256,        /* expressions of one aggregate */
    ZN_TASK_COUNTERS_MAX = 256,          /* user counters of one task */
    ZN_ATTEMPTS_USER_MAX = 3,
    ZN_ATTEMPTS_INFRA_MAX = 20,
    ZN_ATTEMPTS_CRASH_MAX = 3,
    ZN_ATTEMPTS_MAX = 1000,      /* that a job may ask for, in each class */
    ZN_RETRY_WAIT_MS = 50,       /* before a task that failed is tried again; doubled every time, */
    ZN_RETRY_WAIT_MS_MAX = 5000, /* up to this */
    ZN_MEMBER_FAILED_MAX = 10,   /* tasks in a row that only failed there; see blame.h */
    ZN_ATTEMPTS_DISK_MIN = 3,    /* that find the disk full before it is given up everywhere */
    ZN_WORKERS_MAX = 20000,
    ZN_SURVEY_WORKERS_MAX = 64, /* with free credit that every step looks at */
    ZN_SLOTS_MAX = 4096,
    ZN_MEMBER_JOBS_MAX = 4096, /* of which a worker may hold something */
    ZN_HELLO_JOBS_MAX = 256,   /* of earlier registrations of a worker */

    ZN_ALLOWED_KEYS_MAX = 4096, /* public keys that may connect to a cluster */

    /* Batches. */
    ZN_RUNS_MAX = 4096,                        /* runs in one TASK */
    ZN_OUTCOMES_MAX = 16384,                   /* outcomes in one RESULT */
    ZN_BATCH_BYTES = 256 * ZN_KIB,             /* a RESULT or page is closed at this size */
    ZN_INLINE_BYTES_MAX = 4096,                /* a larger result goes into a segment */
    ZN_CREDIT_TASKS_MAX = 65536,               /* tasks that a worker may hold */
    ZN_UNACKNOWLEDGED_BYTES_MAX = 32 * ZN_MIB, /* of RESULTs, before a worker begins no more */
    ZN_ACKNOWLEDGE_MAX = 64, /* RESULTs after which they are acknowledged out of turn */

    /* Explanations. */
    ZN_EXPLAIN_STAGES_MAX = 1000,
    ZN_EXPLAIN_REASONS_MAX = 16,
    ZN_EXPLAIN_ATTEMPTS_MAX = 64,
    ZN_FAILURES_KEPT_MAX = 16,  /* failed attempts that a stage remembers */
    ZN_PAST_ATTEMPTS_MAX = 256, /* those of tasks that are not completed, in few words */

    /* Profiles. */
    ZN_PROFILE_SPANS_MAX = 1024,      /* in one PROFILE */
    ZN_PROFILE_PAGE_SPANS = 4096,     /* in one JOB_PROFILE, */
    ZN_PROFILE_PAGE_STAGES = 256,     /* and stages */
    ZN_PROFILE_SECTIONS_MAX = 32,     /* kinds of time */
    ZN_PROFILE_JOB_SPANS_MAX = 65536, /* that a coordinator keeps of a job; others are counted */

    /* History. */
    ZN_HISTORY_PAGE_MAX = 256, /* jobs in one answer */
    ZN_HISTORY_JOBS = 10000,   /* that are kept by default */

    /* Blobs. */
    ZN_BLOB_CHUNK_BYTES = ZN_MIB,
    ZN_BLOB_UNASKED_BYTES_MAX = 16 * ZN_KIB, /* sent without asking whether it is there */
    ZN_BLOB_SHARED_BYTES_MIN = 4 * ZN_MIB,   /* smaller ones are copied to slots */
    ZN_PLUGIN_BYTES_MAX = 256 * ZN_MIB,      /* one shared library */
    ZN_BLOB_BYTES_MAX = 1024 * ZN_MIB,
    ZN_BLOB_STORE_BYTES_MAX = 2047 * ZN_MIB, /* all blobs of a coordinator */

    /* Time. */
    ZN_HEARTBEAT_MS = 1000,
    ZN_WORKER_LOST_MS = 3000,
    ZN_DRAIN_MS = 60000, /* after which results of a drained worker are made again by others */
    ZN_DRIVER_GRACE_MS = 30000, /* after which the jobs of a driver that has gone end */
    ZN_JOURNAL_FAIL_MS =
        30000, /* a coordinator that cannot write its journal ends after this time */
    ZN_CALL_TIMEOUT_MS = 30000,
    ZN_CALL_RETRY_MS = 2000, /* a request is sent again after this silence */
    ZN_POLL_MS_MAX = 50,
    ZN_HANG_MS_MAX = 86400000,
    ZN_DISK_FULL_MS = 10000, /* a worker whose disk was full is tried again after this time */
    ZN_DRIVERS_MAX = 65536,  /* that are known to be connected */
    ZN_CLIENTS_MAX = 4096,   /* control clients whose last reply is kept */

    /* Memory. */
    ZN_MEMORY_BYTES_MIN = 8 * ZN_MIB,     /* of a slot: a few blocks and a run being written */
    ZN_MEMORY_WORKER_BYTES = 64 * ZN_MIB, /* left to the worker itself by default */
    ZN_MEMORY_SLOT_BYTES = 16 * ZN_MIB,   /* left to each slot besides its account by default */

    /* Lua. */
    ZN_SCRIPT_BYTES_MAX = 8 * ZN_MIB,
    ZN_LUA_MEMORY_BYTES = 256 * ZN_MIB,
    ZN_LUA_MEMORY_BYTES_MIN = 256 * ZN_KIB, /* a smaller limit has no room for the libraries */
    ZN_LUA_INSTRUCTIONS_MAX = 1000000000,
};

#define ZN_POLL_NS_MIN UINT64_C(1000000) /* the grain of polling; events cut it short */
#define ZN_SURVEY_NS UINT64_C(5000000)   /* between looks at all workers, if there are more */

#endif
