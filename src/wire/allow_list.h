/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WIRE_ALLOW_LIST_H
#define ZN_WIRE_ALLOW_LIST_H

#include "base/buf.h"
#include "base/error.h"
#include "wire/keys.h"

/* The public keys of those who may use the sockets of a cluster. It can be changed at any time:
 * keys that are not in it any more are refused when they connect, and what comes over connections
 * that stand is refused too. Any thread, at the same time. */
typedef struct zn_allow_list zn_allow_list;

/* Makes a list and begins to answer for it. With a folder the keys are those in its files NAME.pub;
 * NULL: nobody yet. Errors: KEYS (the folder cannot be read, or another library of this process
 * answers for connections already), LIMIT. */
zn_allow_list *zn_allow_list_new(const char *folder, zonda_error *error);

/* After all channels that were bound with it. NULL-safe, clears the pointer. */
void zn_allow_list_destroy(zn_allow_list **list);

/* Looks whether the folder has changed, and if so reads it. For the thread of auth.c alone, which
 * does so twice a second and when an unknown key comes. */
void zn_allow_list_refresh(zn_allow_list *list);

/* Replaces the keys by those in `bytes`, one behind the other; what is too much is left out. */
void zn_allow_list_set(zn_allow_list *list, zn_bytes bytes);

/* Appends the keys, one behind the other. */
void zn_allow_list_append(zn_allow_list *list, zn_buf *out);

bool zn_allow_list_has(zn_allow_list *list, const zn_key *key);

/* Counts the changes; starts at 1. */
uint64_t zn_allow_list_version(zn_allow_list *list);

/* Names the list in questions of libzmq. Borrowed. */
const char *zn_allow_list_domain(const zn_allow_list *list);

#endif
