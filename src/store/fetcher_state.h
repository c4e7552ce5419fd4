/* SPDX-License-Identifier: MPL-2.0 */
/* What a fetcher is, for block readers. */
#ifndef ZN_STORE_FETCHER_STATE_H
#define ZN_STORE_FETCHER_STATE_H

#include "base/machine.h"
#include "store/block.h"
#include "store/data_client.h"
#include "store/fetch.h"
#include "store/local_files.h"

struct zn_fetcher {
    zn_data_client *client;
    zn_local_files *files;
    zn_block_codec *codec;
    zn_buf stored; /* a block of a file while it is unpacked */
    char machine[ZN_MACHINE_TEXT];
};

#endif
