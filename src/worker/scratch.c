/* SPDX-License-Identifier: MPL-2.0 */
/* Where a worker keeps what must not outlive it. Folders are made by mkdtemp, so their names are
 * not guessed and their mode is 0700: only the same user reaches the slots' socket and the
 * segments. A worker that is killed leaves its folder behind; names start with "zonda-". */
#include "worker/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    OPEN_FILES_MAX = 8,
    SOCKET_PATH_MAX = 90 /* of 107: room for the name of a socket */
};

static char *make_folder(const char *parent, zonda_error *error) {
    char *path = zn_format("%s/zonda-XXXXXX", parent);
    if (mkdtemp(path) == NULL) {
        zn_error_set(error, ZONDA_ERR_IO, "cannot make a folder in %s: %s", parent,
                     strerror(errno));
        free(path);
        return NULL;
    }
    return path;
}

zonda_err zn_scratch_make(const char *parent, zn_scratch *out, zonda_error *error) {
    zonda_error local = { 0 };
    if (parent == NULL) {
        parent = getenv("TMPDIR");
    }
    if (parent == NULL || parent[0] == '\0') {
        parent = "/tmp";
    }
    zn_scratch scratch = { .folder = make_folder(parent, &local) };
    if (scratch.folder != NULL) {
        char *absolute = realpath(scratch.folder, NULL);
        if (absolute != NULL) {
            free(scratch.folder);
            scratch.folder = absolute;
        }
        scratch.sockets = strlen(scratch.folder) <= SOCKET_PATH_MAX ? zn_strdup(scratch.folder)
                                                                    : make_folder("/tmp", &local);
    }
    if (scratch.folder == NULL || scratch.sockets == NULL) {
        zn_scratch_remove(&scratch);
        if (error != NULL) {
            *error = local;
        }
        return local.code;
    }
    *out = scratch;
    return ZONDA_OK;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
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

static void remove_folder(char **path) {
    if (*path != NULL) {
        nftw(*path, remove_entry, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS);
        free(*path);
        *path = NULL;
    }
}

void zn_scratch_remove(zn_scratch *scratch) {
    if (scratch->folder != NULL && scratch->sockets != NULL &&
        strcmp(scratch->folder, scratch->sockets) == 0) {
        free(scratch->sockets);
        scratch->sockets = NULL;
    }
    remove_folder(&scratch->sockets);
    remove_folder(&scratch->folder);
}
