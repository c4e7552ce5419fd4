/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_KEYS_H
#define ZN_WIRE_KEYS_H

#include "base/buf.h"
#include "base/error.h"

enum {
    ZN_KEY_BYTES = 32,
    ZN_KEY_HEX = 2 * ZN_KEY_BYTES, /* characters of a key as hexadecimal text */
};

/* One half of a CURVE key pair. Plain data, comparable with zn_key_equal. */
typedef struct zn_key {
    uint8_t bytes[ZN_KEY_BYTES];
} zn_key;

/* What a process needs to show who it is, and to know whom it talks to. Plain data. */
typedef struct zn_keys {
    zn_key own;    /* public */
    zn_key secret; /* its other half */
    zn_key
        server; /* public key of the coordinator: connections to it are good only with this one */
} zn_keys;

/* The folder with keys that is meant: `given`, or what the environment variable ZONDA_KEYS says;
 * NULL: none, which is also what an empty text means. Borrowed. */
const char *zn_keys_folder(const char *given);

/* Reads the keys of the coordinator (coordinator.key), or those of a worker or driver (client.key
 * and coordinator.pub), from a folder that `zonda keygen` made. Errors: KEYS (a file is missing,
 * cannot be read, is no key, or others can read a secret), UNSUPPORTED (this libzmq has no CURVE).
 */
zonda_err zn_keys_load_coordinator(const char *folder, zn_keys *out, zonda_error *error);
zonda_err zn_keys_load_client(const char *folder, zn_keys *out, zonda_error *error);

/* Reads the public key in a file. Errors: KEYS. */
zonda_err zn_keys_read_public(const char *path, zn_key *out, zonda_error *error);

/* Forgets the secret. */
void zn_keys_wipe(zn_keys *keys);

/* Makes a folder with the keys of a coordinator and those of one client, "client". Nothing is
 * overwritten. Errors: IO, UNSUPPORTED. */
zonda_err zn_keygen_cluster(const char *folder, zonda_error *error);

/* Adds a client: makes FOLDER/clients/NAME, which is to be given to it, and allows its key. Errors:
 * INVALID (name), IO, KEYS (the folder has no coordinator's key), UNSUPPORTED. */
zonda_err zn_keygen_client(const char *folder, const char *name, zonda_error *error);

bool zn_key_equal(const zn_key *a, const zn_key *b);

/* A key as text, with a NUL behind it, and back: false if `text` does not begin with one. */
void zn_key_to_hex(const zn_key *key, char out[ZN_KEY_HEX + 1]);
bool zn_key_from_hex(const char *text, zn_key *out);

#endif
