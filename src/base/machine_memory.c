/* SPDX-License-Identifier: MPL-2.0 */
/* How much memory there is. A limit may be set for the control group of the process or for any
 * above it, so all of them are looked at; inside a container the path in /proc/self/cgroup may be
 * that of the host, of which only the root can be seen. Asked once by a worker that starts. */
#include "base/machine_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

/* The number in a file that holds nothing else; UINT64_MAX if there is none ("max"). */
static uint64_t read_limit(const char *path) {
    uint64_t value = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%" SCNu64, &value) != 1) {
            value = UINT64_MAX;
        }
        fclose(file);
    }
    return value;
}

/* The smallest limit of the group and of those above it. */
static uint64_t group_limit(const char *mount, const char *group, const char *file) {
    char *path = zn_strdup(group);
    uint64_t least = UINT64_MAX;
    for (bool more = true; more;) {
        char *whole = zn_format("%s%s/%s", mount, path, file);
        uint64_t limit = read_limit(whole);
        least = limit < least ? limit : least;
        free(whole);
        char *slash = strrchr(path, '/');
        more = slash != NULL;
        if (more) {
            *slash = '\0';
        }
    }
    free(path);
    return least;
}

/* Lines are "0::GROUP" of version 2 and "N:CONTROLLERS:GROUP" of version 1. */
static uint64_t line_limit(const char *root, char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL) {
        return UINT64_MAX;
    }
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    bool unified = controllers[1] == '\0';
    if (!unified && strstr(controllers, "memory") == NULL) {
        return UINT64_MAX;
    }
    char *mount = zn_format("%s/sys/fs/cgroup%s", root, unified ? "" : "/memory");
    uint64_t limit = group_limit(mount, group, unified ? "memory.max" : "memory.limit_in_bytes");
    free(mount);
    return limit;
}

static uint64_t all_groups_limit(const char *root) {
    char *path = zn_format("%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    free(path);
    uint64_t least = UINT64_MAX;
    char *line = NULL;
    size_t size = 0;
    while (file != NULL && getline(&line, &size, file) > 0) {
        uint64_t limit = line_limit(root, line);
        least = limit < least ? limit : least;
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return least;
}

static uint64_t machine_bytes(const char *root) {
    char *path = zn_format("%s/proc/meminfo", root);
    FILE *file = fopen(path, "re");
    free(path);
    uint64_t kib = 0;
    if (file != NULL) {
        if (fscanf(file, "MemTotal: %" SCNu64, &kib) != 1) {
            kib = 0;
        }
        fclose(file);
    }
    return kib * ZN_KIB;
}

uint64_t zn_machine_memory(const char *root) {
    uint64_t machine = machine_bytes(root);
    uint64_t group = all_groups_limit(root);
    return group < machine || machine == 0 ? (group == UINT64_MAX ? machine : group) : machine;
}

uint64_t zn_machine_memory_share(uint64_t bytes, uint64_t slots) {
    uint64_t needed = ZN_MEMORY_WORKER_BYTES + slots * ZN_MEMORY_SLOT_BYTES;
    uint64_t share = bytes > needed ? (bytes - needed) / slots : 0;
    return share > ZN_MEMORY_BYTES_MIN ? share : ZN_MEMORY_BYTES_MIN;
}
