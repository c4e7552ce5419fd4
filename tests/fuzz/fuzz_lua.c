/* SPDX-License-Identifier: MPL-2.0 */
/* Where records and Lua meet: a record as Lua sees it, changed by Lua code, and written again. The
 * input is the form of the call, code up to a NUL, and the record. The code is either Lua text or,
 * because a fuzzer seldom finds that, a list of statements by number. What comes out is checked
 * values whatever the code did, and keys can be made of them. */
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "ops/lua_chunk.h"
#include "record/key.h"
#include "record/value.h"
#include "wire/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const statements[] = {
    "local x = r.a; ",
    "r.a = r.b; ",
    "r.b = r; ",
    "r.a = nil; ",
    "r[1] = nil; ",
    "r[1] = r[2]; ",
    "r[#r + 1] = r[1]; ",
    "r[#r] = nil; ",
    "for k, v in pairs(r) do r[k] = nil; break end; ",
    "for k, v in pairs(r) do r[k] = v end; ",
    "for i, v in ipairs(r) do r[i] = { v } end; ",
    "for k, v in pairs(r) do if type(v) == 'table' then v.z = k end end; ",
    "table.insert(r, 1, 'x'); ",
    "table.remove(r, 1); ",
    "table.sort(r, function(a, b) return tostring(a) < tostring(b) end); ",
    "r = { r, r }; ",
    "r = zonda.array(table.pack(table.unpack(r))); ",
    "r = r.a or r[1] or r; ",
    "emit(r); ",
    "emit({ a = r, b = zonda.null }); ",
    "r.a = setmetatable({}, { __index = r }); ",
    "r = tostring(r); ",
    "if r == r.a then emit(1) end; ",
    "collectgarbage(); ",
    "r.c = ('x'):rep(#r); ",
    "local f <close> = r.a; ",
    "pcall(error, r); ",
    "local c = coroutine.wrap(function() coroutine.yield(r) end); emit(c()); ",
    "emit(next(r)); ",
    "r[r.a or 1] = 0 / 0; ",
    "rawset(r, 'a', 1); ",
    "emit(string.format('%q %s', tostring(r.a), r.b)); ",
};

static void append_statements(zn_bytes numbers, zn_buf *text) {
    size_t count = sizeof statements / sizeof statements[0];
    for (size_t i = 0; i < numbers.len; i++) {
        zn_buf_append_text(text, "do ");
        zn_buf_append_text(text, statements[numbers.data[i] % count]);
        zn_buf_append_text(text, "end ");
    }
}

static void check_values(zn_bytes values) {
    zonda_error error = { 0 };
    zn_buf key = { 0 };
    while (values.len > 0) {
        size_t used = 0;
        ZN_ASSERT(zn_shape_check(values, ZN_RECORD_DEPTH_MAX, &used, &error) == ZONDA_OK);
        ZN_ASSERT(zn_value_check((zn_bytes){ values.data, used }, &error) == ZONDA_OK);
        zn_key_put(&key, (zn_bytes){ values.data, used }, &error);
        values = (zn_bytes){ values.data + used, values.len - used };
    }
    zn_buf_free(&key);
}

static void call(zn_lua_state *state, zn_call_form form, bool is_block, zn_bytes text,
                 zn_bytes record) {
    zonda_error error = { 0 };
    zn_lua_chunk *chunk = zn_lua_chunk_new(state, "map", is_block, form, text, &error);
    if (chunk == NULL) {
        ZN_ASSERT(error.code != ZONDA_OK && error.text[0] != '\0');
        return;
    }
    zn_bytes args[2] = { record, record };
    zn_buf out = { 0 };
    for (int i = 0; i < 2; i++) { /* the second call finds nothing of the first */
        bool truth = false;
        size_t before = out.len;
        zonda_err code = zn_lua_chunk_call(chunk, args, &out, &truth, &error);
        if (code != ZONDA_OK) {
            ZN_ASSERT(error.code == code && error.text[0] != '\0');
            out.len = before;
        }
    }
    check_values(zn_buf_bytes(&out));
    zn_buf_free(&out);
    zn_lua_chunk_destroy(&chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const zn_call_form forms[] = { ZN_CALL_MAP, ZN_CALL_FLAT_MAP, ZN_CALL_FILTER,
                                          ZN_CALL_FOLD };
    zonda_error error = { 0 };
    const uint8_t *nul = size < 2 ? NULL : memchr(data + 1, 0, size - 1);
    if (nul == NULL) {
        return 0;
    }
    zn_bytes code = { data + 1, (size_t)(nul - data - 1) };
    zn_bytes record = { nul + 1, (size_t)(data + size - nul - 1) };
    if (zn_value_check(record, &error) != ZONDA_OK) {
        return 0;
    }
    zn_lua_limits limits = { .memory_bytes = 4 * ZN_MIB, .instructions = 20000 };
    zn_lua_state *state = zn_lua_state_new(&limits, &error);
    ZN_ASSERT(state != NULL);
    zn_buf text = { 0 };
    bool listed = (data[0] & 4) != 0;
    if (listed) {
        append_statements(code, &text);
    } else {
        zn_buf_append(&text, code.data, code.len);
    }
    call(state, forms[data[0] & 3], listed || (data[0] & 8) != 0, zn_buf_bytes(&text), record);
    zn_buf_free(&text);
    zn_lua_state_destroy(&state);
    return 0;
}
