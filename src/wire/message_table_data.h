/* SPDX-License-Identifier: MPL-2.0 */
/* Part of message_table.h: bulk, and events. */
#ifndef ZN_WIRE_MESSAGE_TABLE_DATA_H
#define ZN_WIRE_MESSAGE_TABLE_DATA_H

#include "base/digest.h"
#include "base/limits.h"

#define ZN_GET_BLOB_FIELDS(U, I, S, B, L)                                                          \
    B(digest, ZN_DIGEST_BYTES, "content address")                                                  \
    U(offset, ZN_BLOB_BYTES_MAX, "first byte wanted")

#define ZN_BLOB_FIELDS(U, I, S, B, L)                                                              \
    B(digest, ZN_DIGEST_BYTES, "content address")                                                  \
    U(found, 1, "0: there is no such blob")                                                        \
    U(size, ZN_BLOB_BYTES_MAX, "bytes of the whole blob")                                          \
    U(offset, ZN_BLOB_BYTES_MAX, "where these bytes belong")                                       \
    B(bytes, ZN_BLOB_CHUNK_BYTES, "a part")

#define ZN_FETCH_FIELDS(U, I, S, B, L)                                                             \
    U(request, UINT64_MAX, "chosen by the reader")                                                 \
    S(segment, ZN_NAME_BYTES_MAX, "name of the segment")                                           \
    U(offset, INT64_MAX, "first byte")                                                             \
    U(length, ZN_MIB, "bytes wanted, at most")

#define ZN_DATA_FIELDS(U, I, S, B, L)                                                              \
    U(request, UINT64_MAX, "the FETCH that this answers")                                          \
    B(bytes, ZN_MIB, "from the offset on; shorter only at the end")                                \
    L(failure, failure, 1, "why there are no bytes")

#define ZN_EVENT_FIELDS(U, I, S, B, L)                                                             \
    U(job, UINT64_MAX, "job in which something changed")                                           \
    U(stage, ZN_STAGES_MAX, "stage in which something changed")

#endif
