/* SPDX-License-Identifier: MPL-2.0 */
/* What every test file includes first: cmocka with the headers that it needs. */
#ifndef ZN_TESTS_TEST_H
#define ZN_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"

#define TEST_TEXT(bytes) ((int)(bytes).len), (const char *)(bytes).data

/* Fails the test with the text of the error unless `code` is OK. */
#define assert_ok(code, error)                                                                     \
    do {                                                                                           \
        zonda_err code_ = (code);                                                                  \
        if (code_ != ZONDA_OK) {                                                                   \
            fail_msg("%s: %s", zonda_err_name(code_), (error).text);                               \
        }                                                                                          \
    } while (0)

#define assert_err(code, expected) assert_string_equal(zonda_err_name(code), #expected)

#endif
