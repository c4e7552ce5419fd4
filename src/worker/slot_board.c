/* SPDX-License-Identifier: MPL-2.0 */
/* Boards of slot processes live in a file in the scratch folder, mapped by both sides. A slot that
 * dies by a signal cannot send anything any more; from the board its worker still learns which task
 * it was in, so that only that one counts as crashed. Boards of thread slots are plain memory. */
#include "worker/slot_board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "wire/text.h"

static zn_slot_board *map_file(int fd, const char *path, size_t count, zonda_error *error) {
    size_t bytes = count * sizeof(zn_slot_board);
    struct stat status;
    if (fstat(fd, &status) != 0) {
        zn_error_set(error, ZONDA_ERR_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (status.st_size < (off_t)bytes) {
        zn_error_set(error, ZONDA_ERR_INVALID, "%s: %lld bytes, %zu are needed", path,
                     (long long)status.st_size, bytes);
        return NULL;
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        zn_error_set(error, ZONDA_ERR_IO, "%s: mmap: %s", path, strerror(errno));
        return NULL;
    }
    return memory;
}

static zn_slot_board *open_file(const char *path, int flags, size_t count, zonda_error *error) {
    int fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        zn_error_set(error, ZONDA_ERR_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    zn_slot_board *boards = NULL;
    if ((flags & O_CREAT) != 0 && ftruncate(fd, (off_t)(count * sizeof *boards)) != 0) {
        zn_error_set(error, ZONDA_ERR_IO, "%s: %s", path, strerror(errno));
    } else {
        boards = map_file(fd, path, count, error);
    }
    close(fd);
    return boards;
}

zn_slot_board *zn_slot_board_create(const char *path, size_t count, zonda_error *error) {
    return open_file(path, O_CREAT | O_EXCL, count, error);
}

zn_slot_board *zn_slot_board_open(const char *path, size_t count, zonda_error *error) {
    return open_file(path, 0, count, error);
}

void zn_slot_board_unmap(zn_slot_board **boards, size_t count) {
    if (*boards != NULL) {
        munmap(*boards, count * sizeof **boards);
        *boards = NULL;
    }
}

void zn_slot_board_enter_function(zn_slot_board *board, const char *op, const char *function) {
    board->op[0] = '\0';
    if (op != NULL) {
        zn_error_copy(board->function, sizeof board->function, function, strlen(function));
        zn_error_copy(board->op, sizeof board->op, op, strlen(op));
    }
}

/* The slot may have written anything over its board: the texts are not trusted to end. */
void zn_slot_board_blame(const zn_slot_board *board, zonda_error *how) {
    size_t op_bytes = strnlen(board->op, sizeof board->op);
    size_t function_bytes = strnlen(board->function, sizeof board->function);
    zn_bytes op = { (const uint8_t *)board->op, op_bytes };
    zn_bytes function = { (const uint8_t *)board->function, function_bytes };
    if (op_bytes == 0 || !zn_text_is_valid(op) || !zn_text_is_valid(function)) {
        return;
    }
    char words[sizeof board->function + 8];
    snprintf(words, sizeof words, " in %.*s", (int)function_bytes, board->function);
    size_t used = strlen(how->text);
    zn_error_copy(how->text + used, sizeof how->text - used, words, strlen(words));
    zn_error_copy(how->op, sizeof how->op, board->op, op_bytes);
}

void zn_slot_board_clear(zn_slot_board *board) {
    board->op[0] = '\0';
    atomic_store(&board->running, 0);
    for (size_t i = 0; i < sizeof board->cancelled / sizeof *board->cancelled; i++) {
        atomic_store(&board->cancelled[i], 0);
    }
}
