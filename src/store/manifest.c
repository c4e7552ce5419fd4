/* SPDX-License-Identifier: MPL-2.0 */
/* Manifests on disk. What they are for: an output that is there may be kept only if it would be the
 * same if it were made again. So whoever writes to a pattern says first of which plan and inputs
 * its outputs will be, and outputs that were there at that time are listed as old: a run that
 * replaces them and dies on the way leaves a mixture, in which every file can still be told apart.
 *
 * The rules, which any number of slots, workers and runs follow at once:
 * - a manifest appears whole (link or rename) and before the first output of its plan;
 * - it is replaced by that of another plan only under an exclusive lock on it;
 * - an output gets its name only under a shared lock on the manifest, which must still say the
 * same. Thus no output of a plan can appear under the manifest of another. A lock is worth
 * something only on the file that has the name now, which is looked at once the lock is there.
 * Where locks do not exist, all this still holds for runs that follow each other. Called by the
 * sinks of a task; the words come from the planner, through manifest_text.c. */
#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/manifest_text.h"
#include "store/pattern.h"

enum {
    TRIES_MAX = 1000, /* others that replace the manifest under our hands */
    TEMPORARY_BYTES = 32
};

static const char suffix[] = ".zonda-manifest.json";

struct zn_manifest {
    char *pattern;
    char *folder; /* "." where the pattern has none */
    char *path;
    zn_manifest_words words;
    zn_manifest_olds olds;
    int entered; /* holds the shared lock; -1: none */
};

/* ".<what is behind the folder>" with its slashes escaped, or its digest where that is too long. */
static char *file_name(const char *rest) {
    zn_buf name = { 0 };
    for (const char *at = rest; *at != '\0'; at++) {
        if (*at == '/' || *at == '%') {
            zn_buf_printf(&name, "%%%02X", (unsigned)*at);
        } else {
            zn_buf_append_byte(&name, (uint8_t)*at);
        }
    }
    char digest[ZN_DIGEST_TEXT];
    bool fits = name.len + sizeof suffix + 1 + TEMPORARY_BYTES <= NAME_MAX;
    zn_digest_text(zn_digest_of(zn_bytes_of_text(rest)), digest);
    char *out = zn_format(".%.*s%s", fits ? (int)name.len : ZN_DIGEST_TEXT - 1,
                          fits ? (const char *)name.data : digest, suffix);
    zn_buf_free(&name);
    return out;
}

zn_manifest *zn_manifest_new(const char *pattern, uint64_t shards, zn_bytes document,
                             zonda_error *error) {
    zn_manifest_words words;
    if (zn_manifest_words_set(document, shards, &words, error) != ZONDA_OK) {
        return NULL;
    }
    zn_manifest *self = ZN_NEW(zn_manifest);
    const char *rest = NULL;
    char *folder = zn_pattern_folder(pattern, &rest);
    char *name = file_name(rest);
    self->pattern = zn_strdup(pattern);
    self->path = zn_format("%s%s", folder, name);
    self->folder = zn_strdup(folder[0] == '\0' ? "." : folder);
    self->words = words;
    self->entered = -1;
    free(name);
    free(folder);
    return self;
}

static void drop_olds(zn_manifest *self) {
    free(self->olds.items);
    self->olds = (zn_manifest_olds){ 0 };
}

void zn_manifest_destroy(zn_manifest **manifest) {
    zn_manifest *self = *manifest;
    if (self == NULL) {
        return;
    }
    zn_manifest_leave(self);
    drop_olds(self);
    free(self->pattern);
    free(self->folder);
    free(self->path);
    free(self);
    *manifest = NULL;
}

static zonda_err too_busy(const zn_manifest *self, zonda_error *error) {
    zn_error_set(error, ZONDA_ERR_IO, "other runs replace the manifest all the time");
    zn_error_at(error, self->path, 0, 0);
    return ZONDA_ERR_IO;
}

/* Opens the manifest that is there and locks it; `*out` is -1 if there is none. */
static zonda_err lock_current(const zn_manifest *self, int operation, int *out,
                              zonda_error *error) {
    for (int i = 0; i < TRIES_MAX; i++) {
        int fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno != ENOENT) {
            return zn_file_failed(error, self->path, "cannot open the manifest");
        }
        if (fd < 0) {
            *out = -1;
            return ZONDA_OK;
        }
        while (flock(fd, operation) != 0 && errno == EINTR) {
        }
        struct stat locked;
        struct stat named;
        if (fstat(fd, &locked) == 0 && stat(self->path, &named) == 0 &&
            locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) {
            *out = fd;
            return ZONDA_OK;
        }
        zn_file_close(&fd);
    }
    return too_busy(self, error);
}

static bool is_ours(const zn_manifest *self, int fd) {
    uint8_t head[ZN_MANIFEST_HEAD_BYTES];
    long got = zn_file_read_at(fd, head, sizeof head, 0);
    return got > 0 && zn_manifest_text_is(&self->words, (zn_bytes){ head, (size_t)got });
}

static zonda_err read_all(const zn_manifest *self, int fd, zn_buf *out, zonda_error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size > (off_t)ZN_RECORD_BYTES_MAX) {
        zn_error_set(error, ZONDA_ERR_LIMIT, "the manifest is larger than %u bytes",
                     (unsigned)ZN_RECORD_BYTES_MAX);
        zn_error_at(error, self->path, 0, 0);
        return ZONDA_ERR_LIMIT;
    }
    zn_buf_reserve(out, (size_t)status.st_size);
    long got = zn_file_read_at(fd, out->data, (size_t)status.st_size, 0);
    if (got < 0) {
        return zn_file_failed(error, self->path, "cannot read the manifest");
    }
    out->len = (size_t)got;
    return ZONDA_OK;
}

static bool look_at(const zn_manifest *self, uint64_t shard, zn_file_info *info) {
    char *path = zn_pattern_path(self->pattern, shard, self->words.shards);
    struct stat status;
    zonda_error ignored;
    bool found = stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
                 zn_file_info_of(path, info, &ignored) == ZONDA_OK;
    free(path);
    return found;
}

/* Refuses to keep an output that is there. `text` is the manifest; NULL: none. */
static zonda_err refuse(const zn_manifest *self, uint64_t shard, const zn_buf *text,
                        zonda_error *error) {
    char *output = zn_pattern_path(self->pattern, shard, self->words.shards);
    zn_buf why = { 0 };
    if (text == NULL) {
        zn_buf_append_text(&why, "there is no manifest that says of which plan it is");
    } else {
        zn_manifest_text_compare(&self->words, zn_buf_bytes(text), &why);
    }
    zn_error_set(error, ZONDA_ERR_REFUSED,
                 "skip_existing cannot keep the outputs that are there: %.*s; remove them, or run "
                 "without skip_existing",
                 (int)why.len, (const char *)why.data);
    zn_error_at(error, output, 0, 0);
    error->permanent = true;
    zn_buf_free(&why);
    free(output);
    return ZONDA_ERR_REFUSED;
}

/* Finds the outputs that are there and of another plan. With `keep` one is too many. */
static zonda_err find_olds(zn_manifest *self, bool keep, const zn_buf *text, zonda_error *error) {
    drop_olds(self);
    for (uint64_t shard = 0; shard < self->words.shards; shard++) {
        zn_file_info info;
        if (!look_at(self, shard, &info)) {
            continue;
        }
        if (keep) {
            return refuse(self, shard, text, error);
        }
        ZN_GROW(self->olds.items, self->olds.count, self->olds.capacity);
        self->olds.items[self->olds.count++] = (zn_manifest_old){ .shard = shard, .info = info };
    }
    return ZONDA_OK;
}

/* Writes the manifest beside its place. */
static zonda_err write_temporary(const zn_manifest *self, const char *temporary,
                                 zonda_error *error) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        return zn_file_failed(error, self->path, "cannot create the manifest");
    }
    zn_buf text = { 0 };
    zn_manifest_text_write(&self->words, &self->olds, &text);
    zonda_err err = ZONDA_OK;
    if (!zn_file_write(fd, zn_buf_bytes(&text)) || (fsync(fd) != 0 && errno != EINVAL)) {
        err = zn_file_failed(error, self->path, "cannot write the manifest");
        unlink(temporary);
    }
    zn_buf_free(&text);
    zn_file_close(&fd);
    return err;
}

/* Gives the manifest its name; `*lost` if it must be new and another was faster. */
static zonda_err put_in_place(const zn_manifest *self, bool is_new, bool *lost,
                              zonda_error *error) {
    char *temporary = zn_format("%s.%016" PRIx64 ".tmp", self->path, zn_random_id());
    zonda_err err = write_temporary(self, temporary, error);
    if (err == ZONDA_OK) {
        bool linked = is_new && link(temporary, self->path) == 0;
        *lost = is_new && !linked && errno == EEXIST;
        /* Some file systems have no links. */
        if (!linked && !*lost && rename(temporary, self->path) != 0) {
            err = zn_file_failed(error, self->path, "cannot rename the manifest to its name");
        } else if (!zn_file_sync_folder(self->folder)) {
            err = zn_file_failed(error, self->folder, "cannot write the folder to the disk");
        }
        unlink(temporary);
    }
    free(temporary);
    return err;
}

static zonda_err create(zn_manifest *self, bool keep, bool *lost, zonda_error *error) {
    zonda_err err = find_olds(self, keep, NULL, error);
    return err == ZONDA_OK ? put_in_place(self, true, lost, error) : err;
}

/* Replaces the manifest of another plan, or of other inputs. */
static zonda_err replace(zn_manifest *self, bool keep, bool *again, zonda_error *error) {
    int fd = -1;
    zonda_err err = lock_current(self, LOCK_EX, &fd, error);
    *again = err == ZONDA_OK && (fd < 0 || is_ours(self, fd));
    zn_buf text = { 0 };
    if (err == ZONDA_OK && !*again) {
        err = keep ? read_all(self, fd, &text, error) : ZONDA_OK;
    }
    if (err == ZONDA_OK && !*again) {
        err = find_olds(self, keep, &text, error);
    }
    if (err == ZONDA_OK && !*again) {
        bool lost = false;
        err = put_in_place(self, false, &lost, error);
    }
    zn_buf_free(&text);
    zn_file_close(&fd);
    return err;
}

/* Takes from our own manifest what it says about old outputs. */
static zonda_err read_olds(zn_manifest *self, int fd, zonda_error *error) {
    zn_buf text = { 0 };
    drop_olds(self);
    zonda_err err = read_all(self, fd, &text, error);
    if (err == ZONDA_OK) {
        err = zn_manifest_text_olds(zn_buf_bytes(&text), &self->olds, error);
        if (err != ZONDA_OK) {
            zn_error_at(error, self->path, 0, 0);
        }
    }
    zn_buf_free(&text);
    return err;
}

zonda_err zn_manifest_claim(zn_manifest *manifest, bool keep, zonda_error *error) {
    if (strstr(manifest->path, "://") != NULL) {
        zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "only local files can be written");
        zn_error_at(error, manifest->pattern, 0, 0);
        return ZONDA_ERR_UNSUPPORTED;
    }
    zonda_err err = zn_file_make_folders(manifest->folder, error);
    bool again = err == ZONDA_OK;
    for (int i = 0; i < TRIES_MAX && again; i++) {
        int fd = -1;
        again = false;
        err = lock_current(manifest, LOCK_SH, &fd, error);
        if (err == ZONDA_OK && fd < 0) {
            err = create(manifest, keep, &again, error);
        } else if (err == ZONDA_OK && is_ours(manifest, fd)) {
            err = keep ? read_olds(manifest, fd, error) : ZONDA_OK;
        } else if (err == ZONDA_OK) {
            zn_file_close(&fd);
            err = replace(manifest, keep, &again, error);
        }
        zn_file_close(&fd);
    }
    return again ? too_busy(manifest, error) : err;
}

static int compare_shards(const void *a, const void *b) {
    uint64_t left = ((const zn_manifest_old *)a)->shard;
    uint64_t right = ((const zn_manifest_old *)b)->shard;
    return (left > right) - (left < right);
}

bool zn_manifest_covers(const zn_manifest *manifest, uint64_t shard) {
    zn_file_info info;
    if (!look_at(manifest, shard, &info)) {
        return false;
    }
    const zn_manifest_old key = { .shard = shard };
    const zn_manifest_olds *olds = &manifest->olds;
    const zn_manifest_old *old = olds->count == 0 ? NULL
                                                  : bsearch(&key, olds->items, olds->count,
                                                            sizeof *olds->items, compare_shards);
    return old == NULL || old->info.bytes != info.bytes ||
           old->info.modified_ns != info.modified_ns;
}

zonda_err zn_manifest_enter(zn_manifest *manifest, zonda_error *error) {
    int fd = -1;
    ZN_ASSERT(manifest->entered < 0);
    zonda_err err = lock_current(manifest, LOCK_SH, &fd, error);
    if (err == ZONDA_OK && fd < 0) {
        /* Somebody has removed it. What is there now may be anybody's. */
        err = zn_manifest_claim(manifest, false, error);
        err = err == ZONDA_OK ? lock_current(manifest, LOCK_SH, &fd, error) : err;
    }
    if (err == ZONDA_OK && (fd < 0 || !is_ours(manifest, fd))) {
        zn_file_close(&fd);
        err = zn_error_set(error, ZONDA_ERR_REFUSED,
                           "another run, of another plan, writes to '%s' now", manifest->pattern);
        zn_error_at(error, manifest->path, 0, 0);
        error->permanent = true;
    }
    manifest->entered = fd;
    return err;
}

void zn_manifest_leave(zn_manifest *manifest) {
    zn_file_close(&manifest->entered);
}
