/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_RUN_STREAM_H
#define ZN_STORE_RUN_STREAM_H

#include "store/merge.h"
#include "store/run_file.h"

/* The rows of a stretch of a temporary file, as a stream for a merge. The file must outlive it. */
zn_row_stream zn_run_stream_open(zn_run_file *file, zn_stretch stretch, zn_memory *memory);

#endif
