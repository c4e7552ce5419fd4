/* SPDX-License-Identifier: MPL-2.0 */
/* Records and filters that meet often: few names, few values, and those at which the types of
 * numbers differ. */
#include "random_filter.h"

#include <math.h>
#include <stdio.h>

#include "base/digest.h"
#include "record/value.h"

enum {
    DEPTH_MAX = 5,
    TOKENS_MAX = 9
};

static uint64_t next_random(uint64_t *seed) {
    *seed += 1;
    return zn_checksum((zn_bytes){ .data = (const uint8_t *)seed, .len = sizeof *seed });
}

static uint32_t below(uint64_t *seed, uint32_t limit) {
    return (uint32_t)(next_random(seed) % limit);
}

#define PICK(seed, array) (array)[below(seed, sizeof(array) / sizeof(array)[0])]

/* ---- records ---- */

/* Numbers around which integers and doubles differ, and those that expressions have. */
static void put_random_number(zn_buf *out, uint64_t *seed) {
    static const int64_t integers[] = {
        0,
        1,
        -1,
        2,
        7,
        100000,
        INT64_MAX,
        INT64_MIN,
        INT64_C(9007199254740993),
        INT64_C(9007199254740992),
        999999999999999999,
        -999999999999999999,
    };
    static const double doubles[] = {
        0.0,       -0.0,
        1.0,       0.1,
        0.5,       -1.5,
        100000.5,  9007199254740992.0,
        0x1p63,    -0x1p63,
        1e18,      1e300,
        5e-324,    INFINITY,
        -INFINITY, NAN,
        2.0,       999999999999999.0,
    };
    uint32_t kind = below(seed, 3);
    if (kind == 0) {
        zn_put_int(out, PICK(seed, integers));
    } else if (kind == 1) {
        zn_put_double(out, PICK(seed, doubles));
    } else {
        zn_put_uint(out, UINT64_MAX - below(seed, 3));
    }
}

static const char *const texts[] = { "", "a", "b", "ab", "a b", "1", "\xc3\xa9", "A", "true", "]" };

static void put_random_value(zn_buf *out, uint64_t *seed) {
    static const uint8_t zero[] = { 'a', 0, 'b' };
    static const uint8_t ext[] = { 0xd4, 1, 2 };
    switch (below(seed, 12)) {
    case 0:
        zn_put_nil(out);
        break;
    case 1:
        zn_put_bool(out, below(seed, 2) == 0);
        break;
    case 2:
        zn_put_array(out, 1);
        zn_put_int(out, 1);
        break;
    case 3:
        zn_put_map(out, 1);
        zn_put_text(out, "a");
        zn_put_int(out, 1);
        break;
    case 4:
        zn_put_binary(out, zn_bytes_of_text(PICK(seed, texts)));
        break;
    case 5:
        zn_put_string(out, (zn_bytes){ zero, sizeof zero });
        break;
    case 6:
        zn_buf_append(out, ext, sizeof ext);
        break;
    case 7:
    case 8:
        zn_put_text(out, PICK(seed, texts));
        break;
    default:
        put_random_number(out, seed);
        break;
    }
}

static const char *const names[] = {
    "a", "b", "size", "x1", "math", "type", "r", "_G", "emit", "é"
};

static void put_random_key(zn_buf *out, uint64_t *seed) {
    uint32_t kind = below(seed, 30);
    if (kind == 0) {
        zn_put_binary(out, zn_bytes_of_text(PICK(seed, names)));
    } else if (kind == 1) {
        zn_put_int(out, 1);
    } else {
        zn_put_text(out, PICK(seed, names));
    }
}

void put_random_record(zn_buf *out, uint64_t *seed) {
    if (below(seed, 6) == 0) {
        put_random_value(out, seed);
        return;
    }
    uint32_t count = below(seed, 8);
    zn_put_map(out, count);
    for (uint32_t i = 0; i < count; i++) {
        put_random_key(out, seed);
        put_random_value(out, seed);
    }
}

/* ---- expressions ---- */

static const char *const constants[] = {
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "- 2",
    "100000",
    "1.0",
    "0.1",
    "-1.5",
    "0.5",
    "\"\"",
    "'a'",
    "\"ab\"",
    "'a b'",
    "'\xc3\xa9'",
    "\"true\"",
    "'1'",
    "999999999999999999",
    "-999999999999999999",
    "999999999999999.0",
    "-0.0",
    "007",
    "9007199254740993",
    "100000.500000000",
    "']'",
};

static const char *const operators[] = { "==", "~=", "<", "<=", ">", ">=" };

static void put_field(zn_buf *out, uint64_t *seed) {
    static const char *const forms[] = { "%s", "%s", "r.%s", "r . %s", "r[\"%s\"]", "r[ '%s' ]" };
    const char *form = PICK(seed, forms);
    const char *name = names[below(seed, strchr(form, '[') != NULL ? 10 : 9)];
    for (const char *at = form; *at != '\0'; at++) {
        if (*at == '%') {
            zn_buf_append_text(out, name);
            at++;
        } else {
            zn_buf_append_byte(out, (uint8_t)*at);
        }
    }
}

static void put_search(zn_buf *out, uint64_t *seed) {
    static const char *const calls[] = { ":find('a')",          ":find(\"b\", 1)",
                                         ":find('', 1, true)",  " : find ( ' ' , 1 , true )",
                                         ":find('%a')",         ":find('ab', 1, true)",
                                         ":find('.', 1, true)", ":find('\xa9')" };
    if (below(seed, 3) == 0) {
        zn_buf_append_byte(out, 'r');
    } else {
        put_field(out, seed);
    }
    zn_buf_append_text(out, PICK(seed, calls));
}

static void put_comparison(zn_buf *out, uint64_t *seed) {
    const char *space = below(seed, 4) == 0 ? "" : " ";
    if (below(seed, 3) == 0) {
        zn_buf_append_text(out, PICK(seed, constants));
        zn_buf_printf(out, "%s%s%s", space, PICK(seed, operators), space);
        put_field(out, seed);
    } else {
        put_field(out, seed);
        zn_buf_printf(out, "%s%s%s", space, PICK(seed, operators), space);
        zn_buf_append_text(out, PICK(seed, constants));
    }
}

static void put_expression(zn_buf *out, uint64_t *seed, unsigned depth) {
    switch (depth == DEPTH_MAX ? below(seed, 4) : below(seed, 10)) {
    case 0:
        put_field(out, seed);
        break;
    case 1:
        zn_buf_append_text(out, PICK(seed, constants));
        break;
    case 2:
        put_search(out, seed);
        break;
    case 4:
        zn_buf_append_text(out, "not ");
        put_expression(out, seed, depth + 1);
        break;
    case 5:
        zn_buf_append_byte(out, '(');
        put_expression(out, seed, depth + 1);
        zn_buf_append_byte(out, ')');
        break;
    case 6:
    case 7:
        put_expression(out, seed, depth + 1);
        zn_buf_append_text(out, below(seed, 2) == 0 ? " and " : "\nor\t");
        put_expression(out, seed, depth + 1);
        break;
    default:
        put_comparison(out, seed);
        break;
    }
}

void put_random_tokens(zn_buf *out, uint64_t *seed) {
    static const char *const tokens[] = {
        "a",    "b",   "r",   "r.a", "1",    "2.5",   "'a'",  "==",  "~=",  "<",   ">=",
        "and",  "or",  "not", "(",   ")",    "-",     "--",   "..",  ".",   "[",   "]",
        "nil",  "end", "#",   "*",   ",",    "\n",    "true", "\"b", "'",   "1e5", "0x10",
        "1.",   "\\",  "[[",  "]]",  "_ENV", "r[",    "{",    "}",   ":",   "=",   ";",
        "goto", "::",  "//",  "<<",  "&",    ":find", "1..2", ".5",  "3.a",
    };
    for (uint32_t i = below(seed, TOKENS_MAX) + 1; i > 0; i--) {
        zn_buf_append_text(out, PICK(seed, tokens));
        zn_buf_append_text(out, below(seed, 3) == 0 ? "" : " ");
    }
}

void put_random_expression(zn_buf *out, uint64_t *seed) {
    put_expression(out, seed, 0);
}
