/* SPDX-License-Identifier: MPL-2.0 */
/* What is asked about files before they are read as data: their sizes, where they can be cut, how
 * many lines lie before a place. The planner gets these as callbacks, because it does no I/O
 * itself; the readers count lines when they report an error in the middle of a file. */
#include "store/file_lookup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/file.h"
#include "store/framer.h"

enum {
    PIECE_BYTES = 256 * ZN_KIB
};

zonda_err zn_file_size(const char *path, uint64_t *out, zonda_error *error) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return zn_file_failed(error, path, "cannot look up the size");
    }
    *out = (uint64_t)status.st_size;
    return ZONDA_OK;
}

/* Gets the file piece by piece, at most `bytes` of it; `take` sees them all. */
static zonda_err read_pieces(const char *path, uint64_t bytes,
                             void (*take)(void *context, zn_bytes piece), void *context,
                             zonda_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return zn_file_failed(error, path, "cannot open");
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    uint8_t *buffer = zn_alloc(PIECE_BYTES);
    long got = 1;
    while (bytes > 0 && got > 0) {
        got = zn_file_read(fd, buffer, bytes < PIECE_BYTES ? (size_t)bytes : PIECE_BYTES);
        if (got > 0) {
            take(context, (zn_bytes){ buffer, (size_t)got });
            bytes -= (uint64_t)got;
        }
    }
    zonda_err err = got < 0 ? zn_file_failed(error, path, "cannot read") : ZONDA_OK;
    free(buffer);
    zn_file_close(&fd);
    return err;
}

static void count_newlines(void *context, zn_bytes piece) {
    uint64_t *count = context;
    for (size_t i = 0; i < piece.len; i++) {
        *count += piece.data[i] == '\n';
    }
}

zonda_err zn_file_count_lines(const char *path, uint64_t bytes, uint64_t *out, zonda_error *error) {
    uint64_t count = 0;
    zonda_err err = read_pieces(path, bytes, count_newlines, &count, error);
    if (err == ZONDA_OK) {
        *out = count;
    }
    return err;
}

void zn_file_cuts_free(zn_file_cuts *cuts) {
    free(cuts->items);
    *cuts = (zn_file_cuts){ 0 };
}

typedef struct cutting {
    zn_framer framer;
    uint64_t every;
    uint64_t next; /* the multiple that the next cut is for */
    uint64_t position;
    bool in_records; /* the header has ended */
    zn_file_cuts cuts;
} cutting;

/* A record ends, so another may begin here. */
static void consider_cut(cutting *self) {
    if (!self->in_records) {
        self->in_records = true;
        while (self->next < self->position) {
            self->next += self->every; /* the header is in the first part, however long */
        }
        return;
    }
    if (self->position < self->next) {
        return;
    }
    ZN_GROW(self->cuts.items, self->cuts.count, self->cuts.capacity);
    self->cuts.items[self->cuts.count++] = self->position;
    self->next += (self->position - self->next) / self->every * self->every + self->every;
}

static void scan_piece(void *context, zn_bytes piece) {
    cutting *self = context;
    while (piece.len > 0) {
        bool whole = false;
        size_t used = self->framer.scan(&self->framer, piece, &whole);
        self->position += used;
        piece.data += used;
        piece.len -= used;
        if (whole) {
            consider_cut(self);
        }
    }
}

zonda_err zn_file_cut_csv(const char *path, char separator, uint64_t every, zn_file_cuts *out,
                          zonda_error *error) {
    cutting self = { .framer = zn_framer_csv(separator, true), .every = every, .next = every };
    zonda_err err = read_pieces(path, UINT64_MAX, scan_piece, &self, error);
    if (err != ZONDA_OK) {
        zn_file_cuts_free(&self.cuts);
        return err;
    }
    /* Nothing begins at the end of the file. */
    if (self.cuts.count > 0 && self.cuts.items[self.cuts.count - 1] == self.position) {
        self.cuts.count--;
    }
    *out = self.cuts;
    return ZONDA_OK;
}

char *zn_file_current_folder(zonda_error *error) {
    char *folder = getcwd(NULL, 0);
    if (folder == NULL) {
        zn_file_failed(error, NULL, "cannot look up the current folder");
    }
    return folder;
}
