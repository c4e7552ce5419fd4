/* SPDX-License-Identifier: MPL-2.0 */
/* Where records end, format by format. A framer keeps no bytes, only what it must know of those it
 * has seen: whether it is in quotes, or how many values and bytes a MessagePack record still wants.
 * So records of any size can be passed in bounded memory, and whether a record is valid is not
 * decided here: a framer finds an end in any bytes, and always the same one however they are cut.
 * MessagePack needs no stack for that: the values that are still to come are one sum. Used by the
 * splitter, and for cutting CSV files when a plan is made. */
#include "store/framer.h"

#include <string.h>

#include "wire/shape.h"

enum {
    MARK_BYTES = 3,
    VALUES_MAX_LOG = 62
};

enum {
    CSV_FIELD,  /* at the start of a field */
    CSV_PLAIN,  /* in a field without quotes */
    CSV_QUOTED, /* between quotes */
    CSV_CLOSED  /* behind a quote that was between quotes */
};

static size_t scan_line(zn_framer *framer, zn_bytes bytes, bool *whole) {
    const uint8_t *newline = bytes.len == 0 ? NULL : memchr(bytes.data, '\n', bytes.len);
    if (newline == NULL) {
        return bytes.len;
    }
    framer->lines++;
    *whole = true;
    return (size_t)(newline - bytes.data) + 1;
}

zn_framer zn_framer_lines(void) {
    return (zn_framer){ .scan = scan_line };
}

/* Passes what there is of a byte order mark. */
static size_t pass_mark(zn_framer *framer, zn_bytes bytes) {
    static const uint8_t mark[MARK_BYTES] = { 0xef, 0xbb, 0xbf };
    size_t at = 0;
    while (framer->mark < MARK_BYTES && at < bytes.len) {
        if (bytes.data[at] != mark[framer->mark]) {
            framer->state = framer->mark > 0 ? CSV_PLAIN : CSV_FIELD;
            framer->mark = MARK_BYTES;
            return at;
        }
        framer->mark++;
        at++;
    }
    return at;
}

static uint8_t next_state(const zn_framer *framer, uint8_t byte) {
    switch (framer->state) {
    case CSV_QUOTED:
        return byte == '"' ? CSV_CLOSED : CSV_QUOTED;
    case CSV_CLOSED:
        if (byte == '"') {
            return CSV_QUOTED;
        }
        break;
    case CSV_FIELD:
        if (byte == '"') {
            return CSV_QUOTED;
        }
        break;
    default:
        break;
    }
    return byte == framer->separator ? CSV_FIELD : CSV_PLAIN;
}

static size_t scan_csv(zn_framer *framer, zn_bytes bytes, bool *whole) {
    size_t at = pass_mark(framer, bytes);
    for (; at < bytes.len; at++) {
        uint8_t byte = bytes.data[at];
        framer->lines += byte == '\n';
        if (byte == '\n' && framer->state != CSV_QUOTED) {
            framer->state = CSV_FIELD;
            *whole = true;
            return at + 1;
        }
        framer->state = next_state(framer, byte);
    }
    return at;
}

zn_framer zn_framer_csv(char separator, bool at_start) {
    return (zn_framer){ .scan = scan_csv,
                        .separator = (uint8_t)separator,
                        .mark = at_start ? 0 : MARK_BYTES };
}

/* Takes the head of the next value; false if it is cut off. */
static bool take_head(zn_framer *framer, zn_bytes bytes, size_t *at) {
    zn_shape_head head = { .bytes = 1 };
    if (bytes.data[*at] != 0xc1 && !zn_shape_read_head(bytes, *at, &head)) {
        return false;
    }
    framer->values += head.values - 1;
    if (framer->values >> VALUES_MAX_LOG != 0) {
        framer->values = UINT64_C(1) << VALUES_MAX_LOG;
    }
    framer->payload = head.payload;
    *at += head.bytes;
    return true;
}

static size_t scan_msgpack(zn_framer *framer, zn_bytes bytes, bool *whole) {
    size_t at = 0;
    while (at < bytes.len) {
        if (framer->payload > 0) {
            size_t left = bytes.len - at;
            size_t step = framer->payload < left ? (size_t)framer->payload : left;
            framer->payload -= step;
            at += step;
        } else if (!take_head(framer, bytes, &at)) {
            break;
        }
        if (framer->payload == 0 && framer->values == 0) {
            framer->values = 1;
            *whole = true;
            return at;
        }
    }
    return at;
}

zn_framer zn_framer_msgpack(void) {
    return (zn_framer){ .scan = scan_msgpack, .values = 1 };
}

static size_t scan_whole(zn_framer *framer, zn_bytes bytes, bool *whole) {
    (void)framer;
    (void)whole;
    return bytes.len;
}

zn_framer zn_framer_whole(void) {
    return (zn_framer){ .scan = scan_whole };
}
