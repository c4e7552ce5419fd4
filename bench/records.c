/* SPDX-License-Identifier: MPL-2.0 */
/* The plug-in of the benchmarks of wide operators: makes records from numbers, the same everywhere,
 * and checks order. Keys are the numbers, scrambled, in hexadecimal; texts are half random, so that
 * compression has something to do and something to gain. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zonda/plugin.h>

enum {
    KEY_BYTES = 16,
    WIDE_TEXT_BYTES = 960, /* with the other fields about 1 KB */
    SHORT_TEXT_BYTES = 64  /* about 100 bytes */
};

/* splitmix64 (Steele, Lea, Flood 2014): a bijection. */
static uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void put_hex(char *out, uint64_t value) {
    for (int i = KEY_BYTES - 1; i >= 0; i--) {
        out[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

/* `bytes` is a multiple of 16. */
static void put_text(char *out, size_t bytes, uint64_t seed) {
    for (size_t i = 0; i < bytes; i += KEY_BYTES) {
        put_hex(out + i, scramble(seed + i));
    }
}

static void pack_text(msgpack_packer *out, const char *text, size_t bytes) {
    msgpack_pack_str(out, bytes);
    msgpack_pack_str_body(out, text, bytes);
}

static void pack_key(msgpack_packer *out, uint64_t key) {
    char text[KEY_BYTES];
    put_hex(text, key);
    pack_text(out, "k", 1);
    pack_text(out, text, sizeof text);
}

/* {k, n, t} */
static zonda_err pack_record(const msgpack_object *arg, size_t text_bytes, msgpack_packer *out) {
    char text[WIDE_TEXT_BYTES];
    uint64_t n = arg->via.u64;
    put_text(text, text_bytes, n);
    msgpack_pack_map(out, 3);
    pack_key(out, scramble(n));
    pack_text(out, "n", 1);
    msgpack_pack_uint64(out, n);
    pack_text(out, "t", 1);
    pack_text(out, text, text_bytes);
    return ZONDA_OK;
}

static zonda_err call_wide(zonda_task *task, const msgpack_object *args, size_t arg_count,
                           msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    return pack_record(&args[0], WIDE_TEXT_BYTES, out);
}

static zonda_err call_short(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    return pack_record(&args[0], SHORT_TEXT_BYTES, out);
}

/* The same as lines of text, for programs that sort lines. */
static zonda_err pack_line(const msgpack_object *arg, size_t text_bytes, msgpack_packer *out) {
    char line[KEY_BYTES + 32 + WIDE_TEXT_BYTES];
    uint64_t n = arg->via.u64;
    put_hex(line, scramble(n));
    int bytes = KEY_BYTES + snprintf(line + KEY_BYTES, 32, " %" PRIu64 " ", n);
    put_text(line + bytes, text_bytes, n);
    pack_text(out, line, (size_t)bytes + text_bytes);
    return ZONDA_OK;
}

static zonda_err call_wide_line(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    return pack_line(&args[0], WIDE_TEXT_BYTES, out);
}

static zonda_err call_short_line(zonda_task *task, const msgpack_object *args, size_t arg_count,
                                 msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    return pack_line(&args[0], SHORT_TEXT_BYTES, out);
}

/* {k, n}: a row of a join. */
static zonda_err call_pair(zonda_task *task, const msgpack_object *args, size_t arg_count,
                           msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_map(out, 2);
    pack_key(out, scramble(args[0].via.u64));
    pack_text(out, "n", 1);
    msgpack_pack_uint64(out, args[0].via.u64);
    return ZONDA_OK;
}

/* {k, n} with a million different numbers k: a row of an aggregate. */
static zonda_err call_million(zonda_task *task, const msgpack_object *args, size_t arg_count,
                              msgpack_packer *out) {
    (void)task;
    (void)arg_count;
    msgpack_pack_map(out, 2);
    pack_text(out, "k", 1);
    msgpack_pack_uint64(out, scramble(args[0].via.u64) % 1000000);
    pack_text(out, "n", 1);
    msgpack_pack_uint64(out, args[0].via.u64);
    return ZONDA_OK;
}

/* ---- the order of a shard ---- */

typedef struct seen {
    char first[KEY_BYTES];
    char last[KEY_BYTES];
    uint64_t count;
    uint64_t sum;
} seen;

static zonda_err open_seen(zonda_task *task, void **state) {
    *state = calloc(1, sizeof(seen));
    return *state != NULL ? ZONDA_OK : zonda_task_fail(task, "no memory");
}

static void close_seen(zonda_task *task, void *state) {
    (void)task;
    free(state);
}

static zonda_err call_check(zonda_task *task, const msgpack_object *args, size_t arg_count,
                            msgpack_packer *out) {
    (void)arg_count;
    (void)out;
    seen *state = zonda_task_state(task);
    const char *key = args[0].via.map.ptr[0].val.via.str.ptr;
    if (state->count > 0 && memcmp(state->last, key, KEY_BYTES) > 0) {
        return zonda_task_fail_permanent(task, "not sorted");
    }
    if (state->count == 0) {
        memcpy(state->first, key, KEY_BYTES);
    }
    memcpy(state->last, key, KEY_BYTES);
    state->count++;
    state->sum += args[0].via.map.ptr[1].val.via.u64;
    return ZONDA_OK;
}

/* [first key, last key, records, sum of n] */
static zonda_err finish_check(zonda_task *task, msgpack_packer *out) {
    const seen *state = zonda_task_state(task);
    size_t bytes = state->count > 0 ? KEY_BYTES : 0;
    msgpack_pack_array(out, 4);
    pack_text(out, state->first, bytes);
    pack_text(out, state->last, bytes);
    msgpack_pack_uint64(out, state->count);
    msgpack_pack_uint64(out, state->sum);
    return ZONDA_OK;
}

static const zonda_plugin_function functions[] = {
    { "wide", { .call = call_wide } },
    { "short", { .call = call_short } },
    { "wide_line", { .call = call_wide_line } },
    { "short_line", { .call = call_short_line } },
    { "pair", { .call = call_pair } },
    { "million", { .call = call_million } },
    { "check",
      { .call = call_check, .open = open_seen, .close = close_seen, .finish = finish_check } },
};
ZONDA_PLUGIN("bench-records", functions);
