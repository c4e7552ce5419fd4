/* SPDX-License-Identifier: MPL-2.0 */
/* Whether this is a build with ThreadSanitizer, which has to be told of some things. */
#ifndef ZN_BASE_SANITIZER_H
#define ZN_BASE_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZN_THREAD_SANITIZER 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define ZN_THREAD_SANITIZER 1
#endif

#endif
