/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_STORE_RESULT_PLACE_H
#define ZN_STORE_RESULT_PLACE_H

#include "store/place.h"
#include "wire/message.h"

/* Where the reference of a result leads, with the texts that the place borrows. */
typedef struct zn_result_place {
    zn_place place;
    zn_stretch stretch;
    char *texts; /* owned */
} zn_result_place;

/* Reads a result that has a reference; `machine` is that of the reader (NULL or "": unknown). The
 * place has the folder only if that is on the same machine. The caller frees. */
zn_result_place zn_result_place_of(const zn_result *result, const char *machine);
/* Who made a result: this task of its run of tasks. */
zn_origin zn_result_origin(uint64_t stage, uint64_t task, const zn_result *result);

void zn_result_place_free(zn_result_place *place);

#endif
