/* SPDX-License-Identifier: MPL-2.0 */
/* Keys in files. A folder that `zonda keygen` made has coordinator.key (secret), coordinator.pub,
 * client.key (secret) and allowed/, the public keys of those who may connect; what a client is
 * given has client.key and coordinator.pub only. The format is that of CZMQ's certificates: lines
 * `public-key = "…"` and `secret-key = "…"` with Z85 text. A secret that others than its owner can
 * read is refused, as ssh does, and not used with a warning that nobody sees. Used by whoever binds
 * or connects; keygen.c writes what is read here. */
#include "wire/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "base/alloc.h"

enum {
    FILE_BYTES_MAX = 4096,
    Z85_CHARS = 40
};

const char *zn_keys_folder(const char *given) {
    const char *folder = given != NULL ? given : getenv("ZONDA_KEYS");
    return folder == NULL || folder[0] == '\0' ? NULL : folder;
}

bool zn_key_equal(const zn_key *a, const zn_key *b) {
    return memcmp(a->bytes, b->bytes, ZN_KEY_BYTES) == 0;
}

void zn_key_to_hex(const zn_key *key, char out[ZN_KEY_HEX + 1]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < ZN_KEY_BYTES; i++) {
        out[2 * i] = digits[key->bytes[i] >> 4];
        out[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    out[ZN_KEY_HEX] = '\0';
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool zn_key_from_hex(const char *text, zn_key *out) {
    zn_key key;
    for (size_t i = 0; i < ZN_KEY_BYTES; i++) {
        int high = digit_of(text[2 * i]);
        int low = high < 0 ? -1 : digit_of(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        key.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = key;
    return true;
}

void zn_keys_wipe(zn_keys *keys) {
    explicit_bzero(keys, sizeof *keys);
}

/* ---- files ---- */

/* Whether the file may be used: that others can read a secret is worse than not having it. */
static zonda_err check_mode(int fd, const char *path, bool secret, zonda_error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return zn_error_set(error, ZONDA_ERR_KEYS, "%s is not a file with a key", path);
    }
    if (secret && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return zn_error_set(error, ZONDA_ERR_KEYS,
                            "%s has mode %04o, so that others can reach the secret key in it; make "
                            "it its owner's alone: chmod 600 %s",
                            path, (unsigned)(status.st_mode & 07777), path);
    }
    return ZONDA_OK;
}

/* Reads a small file; ends it with NUL. */
static zonda_err read_file(const char *path, bool secret, char out[FILE_BYTES_MAX + 1],
                           zonda_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return zn_error_set(error, ZONDA_ERR_KEYS, "cannot read the key %s: %s", path,
                            strerror(errno));
    }
    zonda_err code = check_mode(fd, path, secret, error);
    size_t len = 0;
    ssize_t got = code == ZONDA_OK ? 1 : 0;
    while (got > 0 && len < FILE_BYTES_MAX) {
        got = read(fd, out + len, FILE_BYTES_MAX - len);
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    out[len] = '\0';
    if (got < 0) {
        code = zn_error_set(error, ZONDA_ERR_KEYS, "cannot read the key %s", path);
    }
    return code;
}

static bool is_z85(const char *text) {
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    return strspn(text, alphabet) == Z85_CHARS;
}

/* Finds `name = "KEY"`. */
static zonda_err find_key(const char *path, const char *text, const char *name, zn_key *out,
                          zonda_error *error) {
    const char *at = strstr(text, name);
    at = at == NULL ? NULL : at + strlen(name);
    at = at == NULL ? NULL : at + strspn(at, " \t");
    at = at == NULL || *at != '=' ? NULL : at + 1;
    at = at == NULL ? NULL : at + strspn(at, " \t");
    char z85[Z85_CHARS + 1] = "";
    if (at != NULL && at[0] == '"' && is_z85(at + 1) && at[1 + Z85_CHARS] == '"') {
        memcpy(z85, at + 1, Z85_CHARS);
    }
    bool good = z85[0] != '\0' && zmq_z85_decode(out->bytes, z85) != NULL;
    explicit_bzero(z85, sizeof z85);
    return good ? ZONDA_OK
                : zn_error_set(error, ZONDA_ERR_KEYS, "%s has no line %s = \"KEY\"", path, name);
}

zonda_err zn_keys_read_public(const char *path, zn_key *out, zonda_error *error) {
    char text[FILE_BYTES_MAX + 1];
    zonda_err code = read_file(path, false, text, error);
    return code == ZONDA_OK ? find_key(path, text, "public-key", out, error) : code;
}

static zonda_err read_pair(const char *path, zn_keys *out, zonda_error *error) {
    char text[FILE_BYTES_MAX + 1];
    zonda_err code = read_file(path, true, text, error);
    if (code == ZONDA_OK) {
        code = find_key(path, text, "public-key", &out->own, error);
    }
    if (code == ZONDA_OK) {
        code = find_key(path, text, "secret-key", &out->secret, error);
    }
    explicit_bzero(text, sizeof text);
    return code;
}

static zonda_err check_support(zonda_error *error) {
    if (zmq_has("curve") == 0) {
        return zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                            "the ZeroMQ library of this machine has no CURVE (it was built without "
                            "libsodium), so keys cannot be used");
    }
    return ZONDA_OK;
}

zonda_err zn_keys_load_coordinator(const char *folder, zn_keys *out, zonda_error *error) {
    zn_keys keys;
    char *path = zn_format("%s/coordinator.key", folder);
    zonda_err code = check_support(error);
    if (code == ZONDA_OK) {
        code = read_pair(path, &keys, error);
    }
    if (code == ZONDA_OK) {
        *out = keys;
        out->server = keys.own;
    }
    zn_keys_wipe(&keys);
    free(path);
    return code;
}

zonda_err zn_keys_load_client(const char *folder, zn_keys *out, zonda_error *error) {
    zn_keys keys;
    char *pair = zn_format("%s/client.key", folder);
    char *server = zn_format("%s/coordinator.pub", folder);
    zonda_err code = check_support(error);
    if (code == ZONDA_OK) {
        code = read_pair(pair, &keys, error);
    }
    if (code == ZONDA_OK) {
        code = zn_keys_read_public(server, &keys.server, error);
    }
    if (code == ZONDA_OK) {
        *out = keys;
    }
    zn_keys_wipe(&keys);
    free(server);
    free(pair);
    return code;
}
