/* SPDX-License-Identifier: MPL-2.0 */
/* Arguments of joins that only make sense together. Keys of both sides must be made alike, or
 * nothing would ever match: as many names on the left as on the right. */
#include "ops/join_check.h"

#include "record/value.h"

static bool has(zn_bytes args, const char *name) {
    zn_bytes value;
    return zn_value_field(args, zn_bytes_of_text(name), &value);
}

bool zn_join_broadcast_of(zn_bytes args, zn_join_broadcast *out) {
    bool given = false;
    zn_bytes text = { 0 };
    *out = ZN_JOIN_BROADCAST_AUTO;
    if (!has(args, "broadcast")) {
        return true;
    }
    if (!zn_value_field_bool(args, "broadcast", &given)) {
        zn_value_field_text(args, "broadcast", &text);
        if (zn_bytes_equal(text, zn_bytes_of_text("auto"))) {
            return true;
        }
        given = zn_bytes_equal(text, zn_bytes_of_text("true"));
        if (!given && !zn_bytes_equal(text, zn_bytes_of_text("false"))) {
            return false;
        }
    }
    *out = given ? ZN_JOIN_BROADCAST_ALWAYS : ZN_JOIN_BROADCAST_NEVER;
    return true;
}

void zn_join_keys(zn_bytes args, zn_bytes *left, zn_bytes *right) {
    if (zn_value_field(args, zn_bytes_of_text("on"), left)) {
        *right = *left;
        return;
    }
    zn_value_field(args, zn_bytes_of_text("left_on"), left);
    zn_value_field(args, zn_bytes_of_text("right_on"), right);
}

bool zn_join_key_name(zn_bytes key, uint32_t place, zn_bytes *out) {
    zn_cursor cursor = zn_cursor_of(key);
    zn_value head = zn_cursor_read(&cursor);
    if (head.type == ZN_VALUE_STRING && place == 0) {
        *out = head.bytes;
        return true;
    }
    if (head.type != ZN_VALUE_ARRAY || place >= head.count) {
        return false;
    }
    for (uint32_t i = 0; i < place; i++) {
        zn_cursor_skip(&cursor);
    }
    *out = zn_cursor_read(&cursor).bytes;
    return true;
}

/* How many names a key is made of; 0: it is made by a function. */
static uint32_t count_names(zn_bytes key) {
    zn_value head = zn_value_head(key);
    return head.type == ZN_VALUE_STRING ? 1 : head.type == ZN_VALUE_ARRAY ? head.count : 0;
}

static zonda_err check_keys(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    bool on = has(args, "on");
    bool left_on = has(args, "left_on");
    bool right_on = has(args, "right_on");
    if (on ? left_on || right_on : !left_on || !right_on) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s needs the key: either \"on\", or \"left_on\" and \"right_on\"",
                            op->name);
    }
    zn_bytes left = { 0 };
    zn_bytes right = { 0 };
    zn_join_keys(args, &left, &right);
    uint32_t left_names = count_names(left);
    uint32_t right_names = count_names(right);
    if (left_names > 0 && right_names > 0 && left_names != right_names) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "the key of %s has %u fields on the left and %u on the right", op->name,
                            (unsigned)left_names, (unsigned)right_names);
    }
    return ZONDA_OK;
}

zonda_err zn_join_check(const zn_op_def *op, zn_bytes args, zonda_error *error) {
    zn_bytes name = { 0 };
    zn_join_how how = ZN_JOIN_INNER;
    zn_value_field_text(args, "how", &name);
    zn_join_how_find(name, &how);
    if (has(args, "combine") && has(args, "suffix")) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s takes \"combine\" or \"suffix\", not both: a suffix has no meaning "
                            "where a function makes the records",
                            op->name);
    }
    if (has(args, "combine") && !zn_join_how_has_pairs(how)) {
        return zn_error_set(error, ZONDA_ERR_PLAN,
                            "%s of kind \"%.*s\" gives records of the left side as they are, so it "
                            "takes no \"combine\"",
                            op->name, (int)name.len, (const char *)name.data);
    }
    return check_keys(op, args, error);
}
