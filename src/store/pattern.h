/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_PATTERN_H
#define ZN_STORE_PATTERN_H

#include "base/buf.h"
#include "base/error.h"

/* Output patterns: "out/{shard:05d}-of-{total:05d}.jsonl". Placeholders {shard}, {total},
 * {basename}, with an optional width ":5d" or ":05d"; "{{" and "}}" are braces. Runs of slashes
 * collapse, except after a scheme ("s3://"). */

/* Checks a pattern for `shards` shards. Errors: PLAN (unknown placeholder, bad width, unbalanced
 * brace, NUL, no {shard} although there are several shards). */
zonda_err zn_pattern_check(const char *pattern, uint64_t shards, zonda_error *error);

/* The path of one shard; the pattern has been checked. {basename} is "shard_<n>". Owned by the
 * caller. */
char *zn_pattern_path(const char *pattern, uint64_t shard, uint64_t total);

/* The folder that the paths of all shards have in common ("" : the current one), with its slash,
 * and in `*rest` (borrowed from the pattern) what is behind it. Owned by the caller. */
char *zn_pattern_folder(const char *pattern, const char **rest);

#endif
