/* SPDX-License-Identifier: MPL-2.0 */
/* Where the disk was full lately. Such a worker gets no more tasks of the stage as long as others
 * have room; after a while it is tried again, since what filled the disk may be gone. Called for
 * failed attempts and when tasks are handed out. */
#include "coordinator/full_disks.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

static zn_full_disk *find(const zn_full_disks *disks, uint64_t worker) {
    for (size_t i = 0; i < disks->count; i++) {
        if (disks->items[i].worker == worker) {
            return &disks->items[i];
        }
    }
    return NULL;
}

void zn_full_disks_note(zn_full_disks *disks, const char *host, uint64_t now_ns,
                        const zonda_error *error) {
    zn_full_disk *disk = find(disks, error->worker);
    if (disk == NULL) {
        ZN_GROW(disks->items, disks->count, disks->capacity);
        disk = &disks->items[disks->count++];
        *disk = (zn_full_disk){ .worker = error->worker };
    }
    free(disk->host);
    free(disk->text);
    disk->at_ns = now_ns;
    disk->host = zn_strdup(host);
    disk->text = error->file[0] != '\0' ? zn_format("%s (%s)", error->text, error->file)
                                        : zn_strdup(error->text);
}

bool zn_full_disks_has(const zn_full_disks *disks, uint64_t worker, uint64_t now_ns) {
    const zn_full_disk *disk = find(disks, worker);
    return disk != NULL && now_ns - disk->at_ns < ZN_DISK_FULL_MS * ZN_NS_PER_MS;
}

void zn_full_disks_describe(const zn_full_disks *disks, zonda_error *error) {
    zn_buf text = { 0 };
    zn_buf_append_text(&text, "no worker has room on its disk: ");
    for (size_t i = 0; i < disks->count && text.len < sizeof error->text; i++) {
        const zn_full_disk *disk = &disks->items[i];
        zn_buf_printf(&text, "%sworker %llu on %s: %s", i == 0 ? "" : "; ",
                      (unsigned long long)disk->worker, disk->host, disk->text);
    }
    zn_error_copy(error->text, sizeof error->text, (const char *)text.data, text.len);
    zn_error_at(error, "", 0, 0);
    zn_buf_free(&text);
}

void zn_full_disks_free(zn_full_disks *disks) {
    for (size_t i = 0; i < disks->count; i++) {
        free(disks->items[i].host);
        free(disks->items[i].text);
    }
    free(disks->items);
    *disks = (zn_full_disks){ 0 };
}
