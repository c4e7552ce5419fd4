/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_MANIFEST_H
#define ZN_STORE_MANIFEST_H

#include "base/buf.h"
#include "base/error.h"

/* The manifest beside the outputs of a pattern, ".<pattern>.zonda-manifest.json": of which plan and
 * which inputs they are, so that skip_existing keeps no others. One thread; any number of threads,
 * processes and runs may have one for the same pattern. */
typedef struct zn_manifest zn_manifest;

/* `document` (borrowed) is the MessagePack map that the planner makes: {"operators": names,
 * "plan": digest of all that decides what is in the outputs, "inputs": [[path, bytes, modified_ns],
 * …]}. Error: PLAN. */
zn_manifest *zn_manifest_new(const char *pattern, uint64_t shards, zn_bytes document,
                             zonda_error *error);
void zn_manifest_destroy(zn_manifest **manifest);

/* Makes the file say what this manifest says, before the first output is written. With `keep`,
 * outputs that are there must be of this plan and these inputs. Errors: REFUSED (permanent; names
 * what differs), IO, UNSUPPORTED (no local path, or a build without JSON). */
zonda_err zn_manifest_claim(zn_manifest *manifest, bool keep, zonda_error *error);

/* Whether the output of a shard is there and is of this manifest, which has been claimed. */
bool zn_manifest_covers(const zn_manifest *manifest, uint64_t shard);

/* Around the renaming of a finished output: while entered, the manifest cannot become another's.
 * Errors: REFUSED (another plan writes to the same pattern now), IO. */
zonda_err zn_manifest_enter(zn_manifest *manifest, zonda_error *error);
void zn_manifest_leave(zn_manifest *manifest);

#endif
