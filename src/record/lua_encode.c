/* SPDX-License-Identifier: MPL-2.0 */
/* Lua values as MessagePack. Views that were not changed are copied byte for byte; everything else
 * is walked. The place of the walk is a list of frames on the C stack, from which the path in an
 * error is made and cycles are found; its depth is the depth limit of records, and the bytes
 * written are held against the size limit at every value, because a small table can contain itself
 * many times over without being a cycle.
 *
 * Errors are Lua errors: everything that this file allocates belongs to the Lua state. */
#include "record/lua_value.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "record/lua_view.h"
#include "record/utf8.h"
#include "wire/shape.h"

const char zn_lua_array_type = 0;

enum {
    KEYS_SMALL = 32
};

/* One step into the value. */
typedef struct place {
    const struct place *up;
    const void *object; /* the table or view that it is in; NULL for the whole */
    zn_bytes name;      /* no data: an element */
    lua_Integer number;
    unsigned depth;
} place;

struct encoder {
    lua_State *lua;
    zn_buf *out;
    size_t start;
};

static void encode(struct encoder *encoder, int index, const place *at);

/* "the value", "field a.b[3]". */
static void push_path(lua_State *lua, const place *at) {
    if (at->up == NULL) {
        lua_pushliteral(lua, "the value");
        return;
    }
    const place *steps[ZN_RECORD_DEPTH_MAX + 2];
    unsigned count = 0;
    for (; at->up != NULL && count < ZN_RECORD_DEPTH_MAX + 2; at = at->up) {
        steps[count++] = at;
    }
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    luaL_addstring(&buffer, steps[count - 1]->name.data != NULL ? "field " : "element ");
    for (unsigned i = count; i > 0; i--) {
        const place *step = steps[i - 1];
        if (step->name.data != NULL) {
            luaL_addstring(&buffer, i < count ? "." : "");
            luaL_addlstring(&buffer, (const char *)step->name.data, step->name.len);
        } else {
            lua_pushfstring(lua, "[%I]", step->number);
            luaL_addvalue(&buffer);
        }
    }
    luaL_pushresult(&buffer);
}

static void refuse(struct encoder *encoder, const place *at, const char *what) {
    push_path(encoder->lua, at);
    luaL_error(encoder->lua, "%s %s", lua_tostring(encoder->lua, -1), what);
}

static bool is_utf8(zn_bytes text) {
    const uint8_t *end = text.data + text.len;
    for (const uint8_t *at = text.data; at < end;) {
        unsigned len = zn_utf8_length(at, end);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

static void encode_string(struct encoder *encoder, int index) {
    zn_bytes text;
    text.data = (const uint8_t *)lua_tolstring(encoder->lua, index, &text.len);
    if (text.len > ZN_RECORD_BYTES_MAX) {
        luaL_error(encoder->lua, "a string of %I bytes is above the limit of %d bytes for a record",
                   (lua_Integer)text.len, (int)ZN_RECORD_BYTES_MAX);
    }
    if (is_utf8(text)) {
        zn_put_string(encoder->out, text);
    } else {
        zn_put_binary(encoder->out, text);
    }
}

/* Puts the head of a container of `count` before what was written since `start`. */
static void put_head(zn_buf *out, size_t start, uint32_t count, bool is_list) {
    size_t end = out->len;
    if (is_list) {
        zn_put_array(out, count);
    } else {
        zn_put_map(out, count);
    }
    uint8_t head[8];
    size_t head_len = out->len - end;
    memcpy(head, out->data + end, head_len);
    memmove(out->data + start + head_len, out->data + start, end - start);
    memcpy(out->data + start, head, head_len);
}

/* The bytes of an unchanged view; nested deeper than its own root it may be too deep. */
static void copy_view(struct encoder *encoder, const zn_lua_view *view, const place *at) {
    size_t used;
    if (at->depth > 0 &&
        zn_shape_check(view->bytes, ZN_RECORD_DEPTH_MAX - at->depth, &used, NULL) != ZONDA_OK) {
        refuse(encoder, at, "is nested too deep for a record");
    }
    zn_buf_append(encoder->out, view->bytes.data, view->bytes.len);
}

/* Elements 1 … count of the table on the top. */
static void encode_elements(struct encoder *encoder, uint32_t count, const place *at,
                            const void *object) {
    lua_State *lua = encoder->lua;
    zn_put_array(encoder->out, count);
    for (uint32_t i = 1; i <= count; i++) {
        place inner = { .up = at, .object = object, .number = i, .depth = at->depth + 1 };
        lua_rawgeti(lua, -1, i);
        encode(encoder, lua_gettop(lua), &inner);
        lua_pop(lua, 1);
    }
}

/* The value on the top as the value of field `name`. */
static void encode_field(struct encoder *encoder, zn_bytes name, const place *at,
                         const void *object) {
    place inner = { .up = at, .object = object, .name = name, .depth = at->depth + 1 };
    encode(encoder, lua_gettop(encoder->lua), &inner);
}

/* Fields of the bytes, with FIELDS on the top of the stack. Returns how many. */
static uint32_t encode_old_fields(struct encoder *encoder, const zn_lua_view *view,
                                  const place *at) {
    lua_State *lua = encoder->lua;
    zn_cursor cursor = zn_lua_view_begin(view);
    uint32_t count = 0;
    while (cursor.at < cursor.end) {
        zn_bytes key = zn_cursor_skip(&cursor);
        zn_bytes value = zn_cursor_skip(&cursor);
        zn_bytes name = { .data = (const uint8_t *)"?", .len = 1 };
        if (zn_lua_push_scalar(lua, key)) {
            if (lua_type(lua, -1) == LUA_TSTRING) {
                name.data = (const uint8_t *)lua_tolstring(lua, -1, &name.len);
            }
            lua_rawget(lua, -2);
        } else {
            lua_pushnil(lua);
        }
        if (lua_touserdata(lua, -1) != &zn_lua_removed) {
            count++;
            zn_buf_append(encoder->out, key.data, key.len);
            if (lua_isnil(lua, -1)) {
                zn_buf_append(encoder->out, value.data, value.len);
            } else {
                encode_field(encoder, name, at, view);
            }
        }
        lua_pop(lua, 1);
    }
    return count;
}

/* Fields that were added, with FIELDS on the top of the stack and ORDER below. */
static uint32_t encode_new_fields(struct encoder *encoder, const zn_lua_view *view,
                                  const place *at) {
    lua_State *lua = encoder->lua;
    uint32_t count = 0;
    lua_Integer number = (lua_Integer)lua_rawlen(lua, -2);
    for (lua_Integer i = 1; i <= number; i++) {
        zn_bytes name;
        lua_rawgeti(lua, -2, i);
        name.data = (const uint8_t *)lua_tolstring(lua, -1, &name.len);
        lua_pushvalue(lua, -1);
        lua_rawget(lua, -3);
        if (lua_touserdata(lua, -1) != &zn_lua_removed) {
            count++;
            if (!is_utf8(name)) {
                refuse(encoder, at, "has a field name that is not UTF-8");
            }
            zn_put_string(encoder->out, name);
            encode_field(encoder, name, at, view);
        }
        lua_pop(lua, 2);
    }
    return count;
}

static void encode_view(struct encoder *encoder, int index, const place *at) {
    lua_State *lua = encoder->lua;
    const zn_lua_view *view = lua_touserdata(lua, index);
    if (!view->changed) {
        copy_view(encoder, view, at);
        return;
    }
    if (view->is_list) {
        zn_lua_view_load(lua, index);
        lua_getiuservalue(lua, index, ZN_VIEW_FIELDS);
        encode_elements(encoder, view->count, at, view);
        lua_pop(lua, 1);
        return;
    }
    size_t start = encoder->out->len;
    int new_fields = lua_getiuservalue(lua, index, ZN_VIEW_ORDER);
    lua_getiuservalue(lua, index, ZN_VIEW_FIELDS);
    uint32_t count = encode_old_fields(encoder, view, at);
    if (new_fields == LUA_TTABLE) {
        count += encode_new_fields(encoder, view, at);
    }
    lua_pop(lua, 2);
    put_head(encoder->out, start, count, false);
}

static int compare_names(const void *left, const void *right) {
    const zn_bytes *a = left;
    const zn_bytes *b = right;
    int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Collects the keys of the table at `index`, all strings, sorted. */
static void sort_names(struct encoder *encoder, int index, zn_bytes *names, uint32_t count,
                       const place *at) {
    lua_State *lua = encoder->lua;
    uint32_t used = 0;
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            lua_pushfstring(lua, "has a key of type %s; fields need names, lists the keys 1 to n",
                            zn_lua_type_name(lua, -2));
            refuse(encoder, at, lua_tostring(lua, -1));
        }
        if (used < count) {
            names[used].data = (const uint8_t *)lua_tolstring(lua, -2, &names[used].len);
            if (!is_utf8(names[used])) {
                refuse(encoder, at, "has a field name that is not UTF-8");
            }
            used++;
        }
        lua_pop(lua, 1);
    }
    qsort(names, used, sizeof *names, compare_names);
}

static void encode_map(struct encoder *encoder, int index, uint32_t count, const place *at) {
    lua_State *lua = encoder->lua;
    zn_bytes small[KEYS_SMALL];
    zn_bytes *names = small;
    int top = lua_gettop(lua);
    if (count > KEYS_SMALL) {
        names = lua_newuserdatauv(lua, count * sizeof *names, 0);
    }
    sort_names(encoder, index, names, count, at);
    zn_put_map(encoder->out, count);
    for (uint32_t i = 0; i < count; i++) {
        lua_pushlstring(lua, (const char *)names[i].data, names[i].len);
        lua_rawget(lua, index);
        zn_put_string(encoder->out, names[i]);
        encode_field(encoder, names[i], at, lua_topointer(lua, index));
        lua_pop(lua, 1);
    }
    lua_settop(lua, top);
}

static bool is_marked(lua_State *lua, int index) {
    if (lua_getmetatable(lua, index) == 0) {
        return false;
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &zn_lua_array_type);
    bool same = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return same;
}

/* What the keys of a table are. */
struct keys {
    uint32_t count;
    uint32_t integers;
    uint32_t elements; /* integers of 1 … max */
};

static struct keys count_keys(lua_State *lua, int index, lua_Unsigned max) {
    struct keys keys = { 0 };
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        keys.count++;
        if (lua_isinteger(lua, -1)) {
            lua_Integer number = lua_tointeger(lua, -1);
            keys.integers++;
            keys.elements += number >= 1 && (lua_Unsigned)number <= max;
        }
    }
    return keys;
}

static void encode_table(struct encoder *encoder, int index, const place *at) {
    lua_State *lua = encoder->lua;
    bool marked = is_marked(lua, index);
    lua_Unsigned max = lua_rawlen(lua, index);
    struct keys keys = count_keys(lua, index, max);
    if (keys.elements == keys.count && keys.count == max && (marked || max > 0)) {
        lua_pushvalue(lua, index);
        encode_elements(encoder, keys.count, at, lua_topointer(lua, index));
        lua_pop(lua, 1);
        return;
    }
    if (keys.integers > 0 && keys.integers < keys.count) {
        refuse(encoder, at, "is neither a list nor a map: it has elements and other keys");
    }
    if (marked || keys.integers > 0) {
        refuse(encoder, at, "is a list with holes or with other keys than 1 to n");
    }
    encode_map(encoder, index, keys.count, at);
}

static void check_cycle(struct encoder *encoder, const void *object, const place *at) {
    for (const place *step = at; step != NULL; step = step->up) {
        if (step->object == object) {
            refuse(encoder, at, "contains itself");
        }
    }
    if (at->depth >= ZN_RECORD_DEPTH_MAX) {
        refuse(encoder, at, "is nested too deep for a record");
    }
}

static void encode_container(struct encoder *encoder, int index, const place *at) {
    lua_State *lua = encoder->lua;
    luaL_checkstack(lua, 12, "a value is nested too deep");
    check_cycle(encoder, lua_topointer(lua, index), at);
    if (lua_type(lua, index) == LUA_TTABLE) {
        encode_table(encoder, index, at);
    } else {
        encode_view(encoder, index, at);
    }
}

static void encode_userdata(struct encoder *encoder, int index, const place *at) {
    lua_State *lua = encoder->lua;
    uint64_t *number = zn_lua_test(lua, index, &zn_lua_uint64_type);
    void *extension = zn_lua_test(lua, index, &zn_lua_ext_type);
    if (zn_lua_is_view(lua, index)) {
        encode_container(encoder, index, at);
    } else if (zn_lua_is_null(lua, index)) {
        zn_put_nil(encoder->out);
    } else if (number != NULL) {
        zn_put_uint(encoder->out, *number);
    } else if (extension != NULL) {
        zn_buf_append(encoder->out, extension, lua_rawlen(lua, index));
    } else {
        lua_pushfstring(lua, "is a %s, which no record can hold", zn_lua_type_name(lua, index));
        refuse(encoder, at, lua_tostring(lua, -1));
    }
}

static void encode(struct encoder *encoder, int index, const place *at) {
    lua_State *lua = encoder->lua;
    switch (lua_type(lua, index)) {
    case LUA_TNIL:
        zn_put_nil(encoder->out);
        break;
    case LUA_TBOOLEAN:
        zn_put_bool(encoder->out, lua_toboolean(lua, index) != 0);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(lua, index)) {
            zn_put_int(encoder->out, (int64_t)lua_tointeger(lua, index));
        } else {
            zn_put_double(encoder->out, lua_tonumber(lua, index));
        }
        break;
    case LUA_TSTRING:
        encode_string(encoder, index);
        break;
    case LUA_TTABLE:
        encode_container(encoder, index, at);
        break;
    case LUA_TUSERDATA:
        encode_userdata(encoder, index, at);
        break;
    default:
        lua_pushfstring(lua, "is a %s, which no record can hold", zn_lua_type_name(lua, index));
        refuse(encoder, at, lua_tostring(lua, -1));
    }
    if (encoder->out->len - encoder->start > ZN_RECORD_BYTES_MAX) {
        luaL_error(lua, "the record is above the limit of %d bytes", (int)ZN_RECORD_BYTES_MAX);
    }
}

void zn_lua_encode(lua_State *lua, int index, zn_buf *out) {
    struct encoder encoder = { .lua = lua, .out = out, .start = out->len };
    place whole = { 0 };
    encode(&encoder, lua_absindex(lua, index), &whole);
}

void zn_lua_mark_array(lua_State *lua, int index) {
    index = lua_absindex(lua, index);
    if (is_marked(lua, index)) {
        return;
    }
    if (lua_getmetatable(lua, index) != 0) {
        luaL_error(lua, "a table with a metatable cannot be marked as a list");
    }
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &zn_lua_array_type);
    lua_setmetatable(lua, index);
}
