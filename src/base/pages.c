/* SPDX-License-Identifier: MPL-2.0 */
/* Ranges of pages. Buffers that take most of a slot's memory come from here and not from the heap:
 * there a large block that is freed may stay with the process for as long as a small one lies
 * behind it, and growing one copies it, so that old and new are there at once. Used by the buffer
 * of the sorter, and by the hash table of aggregate. */
#include "base/pages.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/sanitizer.h"

enum {
    LARGE_BYTES_MIN = 8 << 20 /* large pages of 2 MiB, of which the last one may be half empty */
};

#ifdef ZN_THREAD_SANITIZER
/* ThreadSanitizer does not see mremap, and takes what it moves for memory that other threads have
 * used before at the new place. */
static void *move(void *data, size_t before, size_t bytes) {
    void *moved = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (moved != MAP_FAILED) {
        memcpy(moved, data, before < bytes ? before : bytes);
        munmap(data, before);
    }
    return moved;
}
#else
static void *move(void *data, size_t before, size_t bytes) {
    return mremap(data, before, bytes, MREMAP_MAYMOVE);
}
#endif

void zn_pages_resize(zn_pages *pages, size_t bytes) {
    ZN_ASSERT(bytes % ZN_PAGES_STEP == 0);
    if (bytes == pages->bytes) {
        return;
    }
    void *data = NULL;
    if (bytes == 0) {
        munmap(pages->data, pages->bytes);
    } else if (pages->bytes == 0) {
        data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    } else {
        data = move(pages->data, pages->bytes, bytes);
    }
    ZN_ASSERT(data != MAP_FAILED);
    pages->data = data;
    pages->bytes = bytes;
}

void zn_pages_expect_random(const zn_pages *pages) {
    if (pages->bytes >= LARGE_BYTES_MIN) {
        (void)madvise(pages->data, pages->bytes, MADV_HUGEPAGE);
    }
}
