/* SPDX-License-Identifier: MPL-2.0 */
/* For wire, and tests that use raw sockets: tells ThreadSanitizer what it cannot see, because
 * libzmq is not built with it: what was written into a message before it was sent is there after it
 * was received. Nothing in other builds. */
#ifndef ZN_WIRE_HANDOVER_H
#define ZN_WIRE_HANDOVER_H

#include "base/sanitizer.h"

#ifdef ZN_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define ZN_HANDOVER_GIVE(memory) __tsan_release(memory)
#define ZN_HANDOVER_TAKE(memory) __tsan_acquire(memory)
#else
#define ZN_HANDOVER_GIVE(memory) ((void)(memory))
#define ZN_HANDOVER_TAKE(memory) ((void)(memory))
#endif

#endif
