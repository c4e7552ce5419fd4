/* SPDX-License-Identifier: MPL-2.0 */
/* Where a worker keeps what must not outlive it. Folders are made by mkdtemp, so their names are
 * not guessed and their mode is 0700: only the same user reaches the slots' socket and the
 * segments.
 *
 * A worker that is killed leaves its folder behind. The system releases its lock on the file "lock"
 * in it, whatever becomes of its process id, and the next worker that starts in the same place
 * removes the folder. The file gets its name when it is locked already, so a folder without it is
 * one that is being made, or one of somebody else, and is left alone, as is a folder of another
 * user or with another mode. */
#include "worker/scratch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
    OPEN_FILES_MAX = 8,
    RANDOM_CHARACTERS = 6,
    SOCKET_PATH_MAX = 90 /* of 107: room for the name of a socket */
};

static const char prefix[] = "zonda-";

/* Puts the lock into a folder. Without locks the folder just stays if its owner is killed. */
static int make_lock(const char *folder) {
    char *early = zn_format("%s/lock.new", folder);
    char *name = zn_format("%s/lock", folder);
    int fd = open(early, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) != 0 || rename(early, name) != 0)) {
        unlink(early);
        close(fd);
        fd = -1;
    }
    free(early);
    free(name);
    return fd;
}

static zn_scratch_folder make_folder(const char *parent, zonda_error *error) {
    zn_scratch_folder out = { .path = zn_format("%s/%sXXXXXX", parent, prefix), .lock = -1 };
    if (mkdtemp(out.path) == NULL) {
        zn_error_set(error, ZONDA_ERR_IO, "cannot make a folder in %s: %s", parent,
                     strerror(errno));
        free(out.path);
        out.path = NULL;
        return out;
    }
    char *absolute = realpath(out.path, NULL);
    if (absolute != NULL) {
        free(out.path);
        out.path = absolute;
    }
    out.lock = make_lock(out.path);
    return out;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

static void remove_all(const char *path) {
    nftw(path, remove_entry, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS);
}

/* "zonda-" and what mkdtemp puts behind it. */
static bool is_our_name(const char *name) {
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0 || strlen(name) != len + RANDOM_CHARACTERS) {
        return false;
    }
    for (const char *at = name + len; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at) == 0) {
            return false;
        }
    }
    return true;
}

/* Removes a folder if it is ours and its owner is gone. */
static void sweep_folder(const char *path) {
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & 07777) != 0700) {
        return;
    }
    char *name = zn_format("%s/lock", path);
    int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        zn_log(ZONDA_LOG_INFO, "scratch-swept", "folder=\"%s\"", path);
        remove_all(path);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(name);
}

static void sweep(const char *parent) {
    DIR *stream = opendir(parent);
    if (stream == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (is_our_name(entry->d_name)) {
            char *path = zn_format("%s/%s", parent, entry->d_name);
            sweep_folder(path);
            free(path);
        }
    }
    closedir(stream);
}

zonda_err zn_scratch_make(const char *parent, zn_scratch *out, zonda_error *error) {
    zonda_error local = { 0 };
    if (parent == NULL) {
        parent = getenv("TMPDIR");
    }
    if (parent == NULL || parent[0] == '\0') {
        parent = "/tmp";
    }
    sweep(parent);
    zn_scratch scratch = { .main = make_folder(parent, &local), .apart = { .lock = -1 } };
    scratch.folder = scratch.main.path;
    scratch.sockets = scratch.folder;
    if (scratch.folder != NULL && strlen(scratch.folder) > SOCKET_PATH_MAX) {
        sweep("/tmp");
        scratch.apart = make_folder("/tmp", &local);
        scratch.sockets = scratch.apart.path;
    }
    if (local.code != ZONDA_OK) {
        zn_scratch_remove(&scratch);
        if (error != NULL) {
            *error = local;
        }
        return local.code;
    }
    *out = scratch;
    return ZONDA_OK;
}

static int remove_segment(const char *path, const struct stat *status, int kind,
                          struct FTW *place) {
    (void)status;
    size_t len = strlen(path);
    if (kind == FTW_F && place->level == 1 && len > 4 && strcmp(path + len - 4, ".seg") == 0) {
        remove(path);
    }
    return 0;
}

void zn_scratch_remove_segments(const zn_scratch *scratch) {
    nftw(scratch->folder, remove_segment, OPEN_FILES_MAX, FTW_PHYS);
}

static void remove_folder(zn_scratch_folder *folder) {
    if (folder->path == NULL) {
        return;
    }
    remove_all(folder->path);
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    free(folder->path);
    *folder = (zn_scratch_folder){ .lock = -1 };
}

void zn_scratch_remove(zn_scratch *scratch) {
    remove_folder(&scratch->apart);
    remove_folder(&scratch->main);
    scratch->folder = NULL;
    scratch->sockets = NULL;
}
