/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_MACHINE_MEMORY_H
#define ZN_BASE_MACHINE_MEMORY_H

#include <stdint.h>

/* Bytes of memory that this process may use: what the machine has, or the limit of its control
 * group or of one above it (Linux, versions 1 and 2) where that is less. Files are looked for below
 * `root`, which is "" but in tests. 0 where it cannot be known. */
uint64_t zn_machine_memory(const char *root);

/* What each of `slots` slots may use by default: the memory of the machine less what the processes
 * themselves need, in equal parts; never less than ZN_MEMORY_BYTES_MIN. */
uint64_t zn_machine_memory_share(uint64_t bytes, uint64_t slots);

#endif
