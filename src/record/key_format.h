/* SPDX-License-Identifier: MPL-2.0 */
/* The bytes of a key encoding. The first byte of a value is its tag; tags ascend as kinds of values
 * do, and all are below 0x80, so that no encoding begins as the inverse of another one.
 *
 *   nil, false, true   the tag alone
 *   zero               the tag alone
 *   number > 0         2^e × 1.m in binary: a tag for e, then the bits m behind the point, seven to
 *                      a byte, highest first; the lowest bit of a byte says that more follow, and
 *                      what does not follow is zero. 0 <= e < 64 has a tag of its own, other e come
 *                      in two bytes behind the tags "tiny" and "huge", infinity as e = 1024
 *   number < 0         a tag, then the inverse of the encoding of the number without its sign
 *   string, binary     the tag, the bytes, KEY_END; bytes 0 and 1 as KEY_ESCAPE and 1 more than
 *                      the byte
 *   array              the tag, the elements, KEY_END
 *   map                the tag, keys and values in turn, by key, each key once, KEY_END
 *
 * A continued number is larger than one that ends with the same bits, as its last bits are not all
 * zero; an ended text, array or map is smaller than a continued one, as no byte is below KEY_END.
 */
#ifndef ZN_RECORD_KEY_FORMAT_H
#define ZN_RECORD_KEY_FORMAT_H

enum {
    KEY_END = 0x00,
    KEY_ESCAPE = 0x01,

    KEY_NIL = 0x02,
    KEY_FALSE = 0x03,
    KEY_TRUE = 0x04,
    KEY_NEGATIVE = 0x05,
    KEY_ZERO = 0x06,
    KEY_TINY = 0x07, /* e < 0 */
    KEY_ONE = 0x08,  /* e = 0, and so on up to e = 63 */
    KEY_HUGE = 0x48, /* e > 63 */
    KEY_STRING = 0x50,
    KEY_BINARY = 0x51,
    KEY_ARRAY = 0x58,
    KEY_MAP = 0x59,

    KEY_EXPONENT_BIAS = 0x4000, /* added to an e of two bytes */
    KEY_EXPONENT_INFINITE = 1024,
    KEY_EXPONENT_MIN = -1074, /* of the smallest double */
    KEY_PRECISION_BITS = 52,  /* behind the point, of a double that is no integer of 64 bits */
};

#endif
