/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_BASE_PAGES_H
#define ZN_BASE_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* A large range of memory straight from the system: it grows without being copied, costs nothing
 * until it is touched, and what it gives back is gone from the process at once. All zero is an
 * empty one. */
typedef struct zn_pages {
    uint8_t *data; /* may move when it grows */
    size_t bytes;  /* a multiple of ZN_PAGES_STEP */
} zn_pages;

enum {
    ZN_PAGES_STEP = 4096
};

/* `bytes` rounded up to what a range can have. */
static inline size_t zn_pages_round(size_t bytes) {
    return (bytes + ZN_PAGES_STEP - 1) / ZN_PAGES_STEP * ZN_PAGES_STEP;
}

/* Grows or shrinks it to `bytes` (a rounded number), keeping what is in both. 0 frees it. Running
 * out of memory aborts. */
void zn_pages_resize(zn_pages *pages, size_t bytes);

/* Says that the range, if it is a large one, will be touched all over at random: then large pages
 * spare the processor much looking up. A hint; to be given again when it has grown. */
void zn_pages_expect_random(const zn_pages *pages);

#endif
