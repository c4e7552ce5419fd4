/* SPDX-License-Identifier: MPL-2.0 */
/* Makes keys. Every file is new and its owner's alone from its first byte on; a file that is there
 * is an error and stays as it is. What was made before an error is removed again, so that a second
 * try finds what the first one found. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/keys.h"

enum {
    Z85_CHARS = 40,
    NAME_BYTES_MAX = 64,
    MADE_MAX = 8
};

/* A key pair as text, with its name. */
typedef struct key_pair {
    const char *name;
    char public_key[Z85_CHARS + 1];
    char secret_key[Z85_CHARS + 1];
} key_pair;

/* What was made: files and folders, to be removed again after an error. */
typedef struct key_work {
    zonda_error *error;
    zonda_err code;
    char *made[MADE_MAX];
    size_t count;
} key_work;

static void fail(key_work *work, const char *what, const char *path) {
    work->code = zn_error_set(work->error, ZONDA_ERR_IO, "cannot make %s %s: %s", what, path,
                              errno == EEXIST ? "it exists already, and keys are never overwritten"
                                              : strerror(errno));
}

static void note_made(key_work *work, char *path) {
    ZN_ASSERT(work->count < MADE_MAX);
    work->made[work->count++] = path;
}

/* Makes the folder unless it is there. Takes `path`. */
static void make_folder(key_work *work, char *path) {
    if (work->code == ZONDA_OK && mkdir(path, S_IRWXU) == 0) {
        note_made(work, path);
        return;
    }
    if (work->code == ZONDA_OK && errno != EEXIST) {
        fail(work, "the folder", path);
    }
    free(path);
}

static bool write_all(int fd, const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t step = written < 0 ? 0 : (size_t)written;
        text += step;
        left -= step;
    }
    return fsync(fd) == 0;
}

/* Takes `path`. */
static void make_file(key_work *work, char *path, const char *text) {
    int fd =
        work->code == ZONDA_OK
            ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)
            : -1;
    if (fd < 0) {
        if (work->code == ZONDA_OK) {
            fail(work, "the file", path);
        }
        free(path);
        return;
    }
    note_made(work, path);
    if (!write_all(fd, text)) {
        fail(work, "the file", path);
    }
    close(fd);
}

static void make_secret_file(key_work *work, char *path, const key_pair *keys) {
    char *text = zn_format("# A secret key of Zonda: whoever has it is \"%s\". Keep it.\n"
                           "metadata\n    name = \"%s\"\n"
                           "curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
                           keys->name, keys->name, keys->public_key, keys->secret_key);
    make_file(work, path, text);
    explicit_bzero(text, strlen(text));
    free(text);
}

static void make_public_file(key_work *work, char *path, const key_pair *keys) {
    char *text = zn_format("# A public key of Zonda.\n"
                           "metadata\n    name = \"%s\"\n"
                           "curve\n    public-key = \"%s\"\n",
                           keys->name, keys->public_key);
    make_file(work, path, text);
    free(text);
}

/* Removes what was made if anything failed; the last first, so that folders are empty. */
static zonda_err finish(key_work *work) {
    while (work->count > 0) {
        char *path = work->made[--work->count];
        if (work->code != ZONDA_OK) {
            remove(path);
        }
        free(path);
    }
    return work->code;
}

static zonda_err make_pair(const char *name, key_pair *out, zonda_error *error) {
    *out = (key_pair){ .name = name };
    if (zmq_curve_keypair(out->public_key, out->secret_key) != 0) {
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                            "the ZeroMQ library of this machine cannot make keys (it was built "
                            "without libsodium)");
    }
    return ZONDA_OK;
}

zonda_err zn_keygen_cluster(const char *folder, zonda_error *error) {
    key_pair coordinator;
    key_pair client;
    zonda_err code = make_pair("coordinator", &coordinator, error);
    if (code == ZONDA_OK) {
        code = make_pair("client", &client, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    key_work work = { .error = error };
    make_folder(&work, zn_strdup(folder));
    make_secret_file(&work, zn_format("%s/coordinator.key", folder), &coordinator);
    make_public_file(&work, zn_format("%s/coordinator.pub", folder), &coordinator);
    make_secret_file(&work, zn_format("%s/client.key", folder), &client);
    make_folder(&work, zn_format("%s/allowed", folder));
    make_public_file(&work, zn_format("%s/allowed/client.pub", folder), &client);
    explicit_bzero(&coordinator, sizeof coordinator);
    explicit_bzero(&client, sizeof client);
    return finish(&work);
}

static bool is_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len <= NAME_BYTES_MAX && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

zonda_err zn_keygen_client(const char *folder, const char *name, zonda_error *error) {
    if (!is_name(name)) {
        return zn_error_set(error, ZONDA_ERR_INVALID,
                            "\"%.100s\" cannot name a client: 1 to %d letters, digits, _ - and . "
                            "inside",
                            name, NAME_BYTES_MAX);
    }
    key_pair client;
    key_pair coordinator = { .name = "coordinator" };
    zn_key key;
    char *path = zn_format("%s/coordinator.pub", folder);
    zonda_err code = zn_keys_read_public(path, &key, error);
    free(path);
    if (code == ZONDA_OK) {
        code = make_pair(name, &client, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    zmq_z85_encode(coordinator.public_key, key.bytes, sizeof key.bytes);
    key_work work = { .error = error };
    make_folder(&work, zn_format("%s/clients", folder));
    make_folder(&work, zn_format("%s/clients/%s", folder, name));
    make_secret_file(&work, zn_format("%s/clients/%s/client.key", folder, name), &client);
    make_public_file(&work, zn_format("%s/clients/%s/coordinator.pub", folder, name), &coordinator);
    make_folder(&work, zn_format("%s/allowed", folder));
    make_public_file(&work, zn_format("%s/allowed/%s.pub", folder, name), &client);
    explicit_bzero(&client, sizeof client);
    return finish(&work);
}
