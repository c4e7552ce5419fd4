/* SPDX-License-Identifier: MPL-2.0 */
/* The operators as data. The three faces (C, Lua, command line), the planner and the slots look
 * here for names, arguments and classes, so an operator is described exactly once: in its own file,
 * which op_list.h names. Operators without a runtime are turned into others when the plan is made:
 * folds into their halves, `write` into the writer of its format. */
#include "ops/op_table.h"

#include <string.h>

#include "ops/op_list.h"

static const zn_op_def *const table[] = {
#define ROW(name) &zn_op_##name,
    ZN_OP_LIST(ROW)
#undef ROW
};

enum {
    TABLE_COUNT = sizeof table / sizeof table[0]
};

const zn_op_def *const *zn_op_table(size_t *count) {
    *count = TABLE_COUNT;
    return table;
}

/* A user may write dashes for the underscores of a name. */
static bool names_op(zn_bytes name, const char *op) {
    for (size_t i = 0; i < name.len; i++) {
        char wanted = name.data[i] == '-' ? '_' : (char)name.data[i];
        if (op[i] == '\0' || op[i] != wanted) {
            return false;
        }
    }
    return op[name.len] == '\0';
}

const zn_op_def *zn_op_find(zn_bytes name) {
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (names_op(name, table[i]->name)) {
            return table[i];
        }
    }
    return NULL;
}

zn_bytes zn_op_user_name(const zn_op_def *op) {
    zn_bytes name = zn_bytes_of_text(op->name);
    const char *last = op->op_class == ZN_OP_INNER ? strrchr(op->name, '_') : NULL;
    if (last != NULL) {
        name.len = (size_t)(last - op->name);
    }
    return name;
}

const zn_op_def *zn_op_find_user(zn_bytes name, zonda_error *error) {
    const zn_op_def *op = zn_op_find(name);
    if (op != NULL && op->op_class != ZN_OP_INNER) {
        return op;
    }
    zn_buf known = { 0 };
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i]->op_class != ZN_OP_INNER) {
            zn_buf_printf(&known, "%s%s", known.len == 0 ? "" : ", ", table[i]->name);
        }
    }
    int shown = name.len < 64 ? (int)name.len : 64;
    zn_error_set(error, ZONDA_ERR_PLAN, "there is no operator \"%.*s\"; there are: %.*s", shown,
                 (const char *)name.data, (int)known.len, (const char *)known.data);
    zn_buf_free(&known);
    return NULL;
}

const zn_arg_def *zn_op_arg(const zn_op_def *op, zn_bytes name) {
    for (size_t i = 0; i < op->arg_count; i++) {
        if (zn_bytes_equal(name, zn_bytes_of_text(op->args[i].name))) {
            return &op->args[i];
        }
    }
    return NULL;
}
