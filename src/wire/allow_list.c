/* SPDX-License-Identifier: MPL-2.0 */
/* Who may connect. Two threads ask at the same time: that of ZAP when a connection begins (auth.c),
 * and the owner of a socket for each message that it takes. libzmq lets a connection live that was
 * good when it began, so the second question is what puts a key out that was taken back. Both need
 * one short look into a sorted array, and a message to and fro would cost each taken message a turn
 * of another thread; so this is the one place with a lock.
 *
 * The folder is known by the names, inodes, sizes and times of its files. It is looked at by the
 * thread of ZAP alone and outside the lock, so a slow disk holds up new connections and nothing
 * else. A file that cannot be read or is no key is logged and left out, as it may be one that is
 * being copied; a folder that is gone allows nobody, one that cannot be read for another reason
 * leaves the list as it was. */
#include "wire/allow_list.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "wire/auth.h"

struct zn_allow_list {
    char domain[40];      /* never changes */
    char *folder;         /* likewise; NULL: set by hand */
    uint64_t mark;        /* of the folder as it was read; 0: there was none */
    pthread_mutex_t lock; /* for what follows */
    uint64_t version;
    zn_key *keys; /* sorted */
    size_t count;
};

/* ---- the array ---- */

static int compare_keys(const void *a, const void *b) {
    return memcmp(a, b, sizeof(zn_key));
}

/* Sorts and installs keys; takes the array. */
static void install(zn_allow_list *list, zn_key *keys, size_t count) {
    qsort(keys, count, sizeof *keys, compare_keys);
    pthread_mutex_lock(&list->lock);
    bool same = list->version > 0 && count == list->count &&
                memcmp(keys, list->keys, count * sizeof *keys) == 0;
    zn_key *old = same ? keys : list->keys;
    if (!same) {
        list->keys = keys;
        list->count = count;
        list->version++;
    }
    pthread_mutex_unlock(&list->lock);
    free(old);
    if (!same) {
        zn_log(ZONDA_LOG_INFO, "keys-allowed", "domain=%s count=%zu", list->domain, count);
    }
}

/* ---- the folder ---- */

static bool is_key_file(const char *name) {
    size_t len = strlen(name);
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".pub") == 0;
}

/* What tells one state of the folder from another; independent of the order of the files. */
static uint64_t mark_of(DIR *dir) {
    uint64_t sum = 1;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct stat status;
        if (!is_key_file(entry->d_name) || fstatat(dirfd(dir), entry->d_name, &status, 0) != 0) {
            continue;
        }
        char text[512];
        int len = snprintf(text, sizeof text, "%s %ju %jd %jd.%09ld %o", entry->d_name,
                           (uintmax_t)status.st_ino, (intmax_t)status.st_size,
                           (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                           (unsigned)status.st_mode);
        sum += zn_checksum((zn_bytes){ (const uint8_t *)text, (size_t)len });
    }
    return sum;
}

static void read_keys(zn_allow_list *list, DIR *dir) {
    zn_key *keys = zn_calloc(ZN_ALLOWED_KEYS_MAX, sizeof *keys);
    size_t count = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!is_key_file(entry->d_name)) {
            continue;
        }
        zonda_error error = { 0 };
        char *path = zn_format("%s/%s", list->folder, entry->d_name);
        if (count == ZN_ALLOWED_KEYS_MAX) {
            zn_log(ZONDA_LOG_ERROR, "key-left-out", "file=%s text=\"more than %d keys\"", path,
                   ZN_ALLOWED_KEYS_MAX);
        } else if (zn_keys_read_public(path, &keys[count], &error) == ZONDA_OK) {
            count++;
        } else {
            zn_log(ZONDA_LOG_WARN, "key-left-out", "file=%s text=\"%s\"", path, error.text);
        }
        free(path);
    }
    install(list, keys, count);
}

/* Brings the list up to the folder. */
static zonda_err look(zn_allow_list *list, zonda_error *error) {
    DIR *dir = opendir(list->folder);
    if (dir == NULL && errno != ENOENT) {
        return zn_error_set(error, ZONDA_ERR_KEYS, "cannot read the folder of allowed keys %s: %s",
                            list->folder, strerror(errno));
    }
    uint64_t mark = dir == NULL ? 0 : mark_of(dir);
    if (mark != list->mark || list->version == 0) {
        list->mark = mark;
        if (dir == NULL) {
            install(list, zn_calloc(1, sizeof *list->keys), 0);
        } else {
            rewinddir(dir);
            read_keys(list, dir);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return ZONDA_OK;
}

void zn_allow_list_refresh(zn_allow_list *list) {
    if (list->folder == NULL) {
        return;
    }
    zonda_error error = { 0 };
    if (look(list, &error) != ZONDA_OK) {
        zn_log(ZONDA_LOG_ERROR, "keys-unreadable", "text=\"%s\"", error.text);
    }
}

/* ---- life ---- */

zn_allow_list *zn_allow_list_new(const char *folder, zonda_error *error) {
    zn_allow_list *list = ZN_NEW(zn_allow_list);
    int rc = pthread_mutex_init(&list->lock, NULL);
    ZN_ASSERT(rc == 0);
    snprintf(list->domain, sizeof list->domain, "zonda-%016" PRIx64, zn_random_id());
    zonda_err code = ZONDA_OK;
    if (folder == NULL) {
        install(list, zn_calloc(1, sizeof *list->keys), 0);
    } else {
        list->folder = zn_strdup(folder);
        code = look(list, error);
    }
    if (code != ZONDA_OK || zn_auth_add(list, error) != ZONDA_OK) {
        zn_allow_list_destroy(&list);
    }
    return list;
}

void zn_allow_list_destroy(zn_allow_list **list) {
    if (list == NULL || *list == NULL) {
        return;
    }
    zn_auth_remove(*list);
    pthread_mutex_destroy(&(*list)->lock);
    free((*list)->keys);
    free((*list)->folder);
    free(*list);
    *list = NULL;
}

/* ---- use ---- */

void zn_allow_list_set(zn_allow_list *list, zn_bytes bytes) {
    size_t count = bytes.len / sizeof(zn_key);
    count = count < ZN_ALLOWED_KEYS_MAX ? count : ZN_ALLOWED_KEYS_MAX;
    zn_key *keys = zn_calloc(count + 1, sizeof *keys);
    if (count > 0) {
        memcpy(keys, bytes.data, count * sizeof *keys);
    }
    install(list, keys, count);
}

void zn_allow_list_append(zn_allow_list *list, zn_buf *out) {
    pthread_mutex_lock(&list->lock);
    zn_buf_append(out, list->keys, list->count * sizeof *list->keys);
    pthread_mutex_unlock(&list->lock);
}

bool zn_allow_list_has(zn_allow_list *list, const zn_key *key) {
    pthread_mutex_lock(&list->lock);
    bool has = bsearch(key, list->keys, list->count, sizeof *key, compare_keys) != NULL;
    pthread_mutex_unlock(&list->lock);
    return has;
}

uint64_t zn_allow_list_version(zn_allow_list *list) {
    pthread_mutex_lock(&list->lock);
    uint64_t version = list->version;
    pthread_mutex_unlock(&list->lock);
    return version;
}

const char *zn_allow_list_domain(const zn_allow_list *list) {
    return list->domain;
}
