/* SPDX-License-Identifier: MPL-2.0 */
/* Framers: where records end, whatever the pieces in which the bytes come. */
#include "test.h"

#include "base/alloc.h"
#include "store/framer.h"

/* Feeds `bytes` in pieces of `piece` bytes, with what was left from the piece before, and joins the
 * records as "<record>|"; what has no end comes last, behind a "~". */
static char *frame(zn_framer framer, zn_bytes bytes, size_t piece) {
    zn_buf joined = { 0 };
    size_t start = 0;
    size_t seen = 0;
    for (size_t end = piece < bytes.len ? piece : bytes.len; seen < bytes.len;) {
        bool whole = false;
        size_t used = framer.scan(&framer, (zn_bytes){ bytes.data + seen, end - seen }, &whole);
        seen += used;
        if (whole) {
            zn_buf_append(&joined, bytes.data + start, seen - start);
            zn_buf_append_byte(&joined, '|');
            start = seen;
        } else if (end == bytes.len) {
            break;
        } else {
            end = end + piece < bytes.len ? end + piece : bytes.len;
        }
    }
    if (start < bytes.len) {
        zn_buf_append_byte(&joined, '~');
        zn_buf_append(&joined, bytes.data + start, bytes.len - start);
    }
    zn_buf_append_byte(&joined, 0);
    return (char *)joined.data;
}

static void expect(zn_framer framer, const char *bytes, size_t len, const char *expected) {
    zn_bytes input = { (const uint8_t *)bytes, len };
    for (size_t piece = 1; piece <= len + 1; piece++) {
        char *got = frame(framer, input, piece);
        assert_string_equal(got, expected);
        free(got);
    }
}

#define EXPECT(framer, bytes, expected) expect((framer), (bytes), sizeof(bytes) - 1, (expected))

/* Newlines in quotes end nothing; doubled quotes stay inside; a stray quote opens nothing. */
static void test_framer_csv_table(void **state) {
    (void)state;
    zn_framer csv = zn_framer_csv(',', true);
    EXPECT(csv, "a,b\n1,2\n", "a,b\n|1,2\n|");
    EXPECT(csv, "a\r\nb", "a\r\n|~b");
    EXPECT(csv, "\"a\nb\",c\nd\n", "\"a\nb\",c\n|d\n|");
    EXPECT(csv, "\"a\"\"\n\",c\nd\n", "\"a\"\"\n\",c\n|d\n|");
    EXPECT(csv, "x,\"a\n\"\r\ny\n", "x,\"a\n\"\r\n|y\n|");
    EXPECT(csv, "a\"b\nc\n", "a\"b\n|c\n|");
    EXPECT(csv, "\"a\"b\"\nc\n", "\"a\"b\"\n|c\n|");
    EXPECT(csv, "\"open\nc\n", "~\"open\nc\n");
    EXPECT(csv, "\"\"\n\n", "\"\"\n|\n|");
    EXPECT(csv, "a\t\"b\nc\n", "a\t\"b\n|c\n|");
    EXPECT(zn_framer_csv('\t', true), "a\t\"b\nc\"\n", "a\t\"b\nc\"\n|");
}

/* A byte order mark at the start is no part of the first field, elsewhere it is. */
static void test_framer_csv_byte_order_mark(void **state) {
    (void)state;
    EXPECT(zn_framer_csv(',', true), "\xef\xbb\xbf\"a\nb\"\n", "\xef\xbb\xbf\"a\nb\"\n|");
    EXPECT(zn_framer_csv(',', false), "\xef\xbb\xbf\"a\nb\"\n", "\xef\xbb\xbf\"a\n|b\"\n|");
    EXPECT(zn_framer_csv(',', true), "\xef\xbb\"a\nb\"\n", "\xef\xbb\"a\n|b\"\n|");
}

/* Values of every form end where they end, also when their heads are cut. */
static void test_framer_msgpack_table(void **state) {
    (void)state;
    zn_framer values = zn_framer_msgpack();
    EXPECT(values, "\x01\x02", "\x01|\x02|");
    EXPECT(values, "\x92\x01\x92\x02\x03\x04", "\x92\x01\x92\x02\x03|\x04|");
    EXPECT(values,
           "\xa3"
           "abc\x81\xa1k\xa1v",
           "\xa3"
           "abc|\x81\xa1k\xa1v|");
    EXPECT(values, "\xd9\x03xyz\x90\x80", "\xd9\x03xyz|\x90|\x80|");
    EXPECT(values, "\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18\x05",
           "\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18|\x05|");
    EXPECT(values, "\xc1\x01\x91\xc1\x02", "\xc1|\x01|\x91\xc1|\x02|");
    EXPECT(values, "\x93\x01\x02", "~\x93\x01\x02");
    EXPECT(values,
           "\xdb\xff\xff\xff\xff"
           "abc",
           "~\xdb\xff\xff\xff\xff"
           "abc");
    EXPECT(values, "\xdb\xff", "~\xdb\xff");
    EXPECT(values, "\xdf\xff\xff\xff\xff\xdf\xff\xff\xff\xff",
           "~\xdf\xff\xff\xff\xff\xdf\xff\xff\xff\xff");
}

/* Nothing ends a record that is the whole file. */
static void test_framer_whole_never_ends(void **state) {
    (void)state;
    EXPECT(zn_framer_whole(), "a\nb", "~a\nb");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framer_csv_table),
        cmocka_unit_test(test_framer_csv_byte_order_mark),
        cmocka_unit_test(test_framer_msgpack_table),
        cmocka_unit_test(test_framer_whole_never_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
