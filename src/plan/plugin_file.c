/* SPDX-License-Identifier: MPL-2.0 */
/* Plug-ins as the driver knows them: bytes of a file with a digest, and how people name their
 * functions. Nothing of a plug-in is loaded here, because the driver may run on another kind of
 * machine than the workers do. Datasets, which may be built on several threads, hold counted
 * references, so a large library is in memory once. */
#include "plan/plugin_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "ops/plugin.h"
#include "wire/text.h"

static zonda_err read_open_file(int fd, zn_buf *out) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return ZONDA_ERR_IO;
    }
    if (!S_ISREG(status.st_mode)) {
        errno = EISDIR; /* or a pipe, a device: nothing to load a library from */
        return ZONDA_ERR_IO;
    }
    while (out->len <= ZN_PLUGIN_BYTES_MAX) {
        zn_buf_reserve(out, 64 * ZN_KIB);
        ssize_t got = read(fd, out->data + out->len, 64 * ZN_KIB);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return ZONDA_ERR_IO;
        }
        out->len += got > 0 ? (size_t)got : 0;
    }
    return ZONDA_OK;
}

static zonda_err read_file(const char *path, zn_buf *out, zonda_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    zonda_err err = fd < 0 ? ZONDA_ERR_IO : read_open_file(fd, out);
    if (err != ZONDA_OK) {
        zn_error_set(error, err, "plug-in %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

zonda_plugin *zonda_plugin_open(const char *path, zonda_error *error) {
    if (path == NULL || !zn_text_is_valid(zn_bytes_of_text(path))) {
        zn_error_set(error, ZONDA_ERR_INVALID, "the path of a plug-in is NULL or not UTF-8");
        return NULL;
    }
    const char *slash = strrchr(path, '/');
    zonda_plugin *plugin = ZN_NEW(zonda_plugin);
    atomic_init(&plugin->references, 1);
    plugin->file = zn_strdup(slash == NULL ? path : slash + 1);
    if (read_file(path, &plugin->bytes, error) != ZONDA_OK ||
        zn_plugin_check(zn_buf_bytes(&plugin->bytes), path, false, error) != ZONDA_OK) {
        zonda_plugin_close(&plugin);
        return NULL;
    }
    plugin->digest = zn_digest_of(zn_buf_bytes(&plugin->bytes));
    return plugin;
}

zonda_plugin *zn_plugin_file_share(const zonda_plugin *plugin) {
    zonda_plugin *mine = (zonda_plugin *)(uintptr_t)plugin;
    atomic_fetch_add(&mine->references, 1);
    return mine;
}

void zonda_plugin_close(zonda_plugin **plugin) {
    if (plugin == NULL || *plugin == NULL) {
        return;
    }
    zonda_plugin *self = *plugin;
    *plugin = NULL;
    if (atomic_fetch_sub(&self->references, 1) == 1) {
        zn_buf_free(&self->bytes);
        free(self->file);
        free(self);
    }
}

zonda_err zn_plugin_list_load(zn_plugin_list *list, const char *path, const zonda_plugin **out,
                              zonda_error *error) {
    zonda_plugin *plugin = zonda_plugin_open(path, error);
    if (plugin == NULL) {
        return error == NULL ? ZONDA_ERR_IO : error->code;
    }
    size_t at = 0;
    while (at < list->count && !zn_digest_equal(list->items[at]->digest, plugin->digest)) {
        at++;
    }
    if (at < list->count) {
        zonda_plugin_close(&plugin);
    } else {
        ZN_GROW(list->items, list->count, list->capacity);
        list->items[list->count++] = plugin;
    }
    if (out != NULL) {
        *out = list->items[at];
    }
    return ZONDA_OK;
}

static bool is_called(const zonda_plugin *plugin, zn_bytes name) {
    zn_bytes file = zn_bytes_of_text(plugin->file);
    zn_bytes stem = file;
    if (file.len > 3 && memcmp(file.data + file.len - 3, ".so", 3) == 0) {
        stem.len -= 3;
    }
    return zn_bytes_equal(name, file) || zn_bytes_equal(name, stem);
}

static const zonda_plugin *refuse(const zn_plugin_list *list, const char *word,
                                  zonda_error *error) {
    zn_buf known = { 0 };
    for (size_t i = 0; i < list->count; i++) {
        zn_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", list->items[i]->file);
    }
    if (list->count == 0) {
        zn_error_set(error, ZONDA_ERR_PLAN,
                     "'%s' is a function of a plug-in, but none is given: --plugin FILE", word);
    } else if (strchr(word, ':') == NULL) {
        zn_error_set(error, ZONDA_ERR_PLAN,
                     "'%s' does not say which plug-in is meant: write @FILE:NAME; there are: %.*s",
                     word, (int)known.len, (const char *)known.data);
    } else {
        zn_error_set(error, ZONDA_ERR_PLAN, "'%s' names no plug-in that is given; there are: %.*s",
                     word, (int)known.len, (const char *)known.data);
    }
    zn_buf_free(&known);
    return NULL;
}

const zonda_plugin *zn_plugin_list_resolve(const zn_plugin_list *list, const char *word,
                                           const char **function, zonda_error *error) {
    const char *name = word + 1;
    const char *colon = strchr(name, ':');
    if (colon == NULL && list->count == 1 && name[0] != '\0') {
        *function = name;
        return list->items[0];
    }
    zn_bytes file = { (const uint8_t *)name, colon == NULL ? 0 : (size_t)(colon - name) };
    for (size_t i = 0; colon != NULL && colon[1] != '\0' && i < list->count; i++) {
        if (is_called(list->items[i], file)) {
            *function = colon + 1;
            return list->items[i];
        }
    }
    return refuse(list, word, error);
}

void zn_plugin_list_free(zn_plugin_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        zonda_plugin_close(&list->items[i]);
    }
    free(list->items);
    *list = (zn_plugin_list){ 0 };
}
