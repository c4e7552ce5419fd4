/* SPDX-License-Identifier: MPL-2.0 */
/* Assertions for bugs: broken contracts and impossible states. Always compiled in; never for
 * anything that comes from outside (wire, disk, user, environment). */
#ifndef ZN_BASE_ASSERT_H
#define ZN_BASE_ASSERT_H

#include <stdnoreturn.h>

noreturn void zn_assert_failed(const char *condition, const char *file, int line);

#define ZN_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            zn_assert_failed(#condition, __FILE__, __LINE__);                                      \
        }                                                                                          \
    } while (0)

#define ZN_UNREACHABLE() zn_assert_failed("unreachable", __FILE__, __LINE__)

#endif
