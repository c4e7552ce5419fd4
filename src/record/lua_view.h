/* SPDX-License-Identifier: MPL-2.0 */
/* The inside of Lua values made from data; for the lua_*.c files of this folder only. */
#ifndef ZN_RECORD_LUA_VIEW_H
#define ZN_RECORD_LUA_VIEW_H

#include <stdbool.h>

#include "record/lua_value.h"
#include "record/value.h"

/* A map or list in the bytes of a record, with its changes in user values. */
typedef struct zn_lua_view {
    struct zn_lua_view *parent; /* alive as long as this one; NULL: the whole record */
    zn_bytes bytes;             /* the value; of the root view, of a parent, or frozen */
    uint32_t count; /* elements of a list, with its changes; pairs of `bytes` of a map */
    bool is_list;
    bool frozen;       /* may not be changed */
    bool changed;      /* it, or a view in it; then so are all parents */
    bool loaded;       /* list: FIELDS has all elements and `bytes` is history */
    unsigned searches; /* map: walks over `bytes` so far, until there is an INDEX */
    const uint8_t *at; /* the element (or key) that was read last; NULL: none */
    uint32_t at_index; /* list: its number, from 0; map: number of the last new field, from 1 */
} zn_lua_view;

/* User values of a view; nil until they are needed. */
enum {
    ZN_VIEW_PARENT = 1,
    ZN_VIEW_FIELDS, /* table: key → changed value, inner view, or REMOVED */
    ZN_VIEW_ORDER,  /* map: list of the names of new fields */
    ZN_VIEW_INDEX,  /* map: key → offset of the key in `bytes` */
    ZN_VIEW_VALUES = ZN_VIEW_INDEX,
};

/* Metatables in the registry, by address. */
extern const char zn_lua_view_type;
extern const char zn_lua_null_type;
extern const char zn_lua_uint64_type;
extern const char zn_lua_ext_type;
extern const char zn_lua_array_type;

/* What FIELDS has for a field that was removed: a light userdata with this address. */
extern const char zn_lua_removed;

/* The userdata at `index` if its metatable is `type`, else NULL. */
void *zn_lua_test(lua_State *lua, int index, const char *type);

/* Pushes a new metatable of that name, protected, and makes it known as `type`. */
void zn_lua_new_type(lua_State *lua, const char *type, const char *name);

void zn_lua_scalar_open(lua_State *lua);
void zn_lua_view_open(lua_State *lua);

/* Pushes the value `bytes` that lies in the view at `index` under the key at `key`: a scalar, or
 * the inner view, always the same one. */
void zn_lua_view_push_inner(lua_State *lua, int index, zn_bytes bytes, int key);

/* Where in `view->bytes` the key at `key` is (the last one if it is there twice), or NULL. */
const uint8_t *zn_lua_view_find(lua_State *lua, int index, int key);

/* Reads a key of a map and moves behind it. */
zn_value zn_lua_view_read_key(zn_cursor *cursor);

/* A cursor before the first element or key. */
zn_cursor zn_lua_view_begin(const zn_lua_view *view);

/* Moves all elements of a list to FIELDS, so that it can be changed. */
void zn_lua_view_load(lua_State *lua, int index);

#endif
