/* SPDX-License-Identifier: MPL-2.0 */
/* From what the coordinator says about a result to what readers of segments take. Texts of messages
 * are not terminated; here they become so. Used by whoever reads results: tasks and drivers. */
#include "store/result_place.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

/* Appends the text to `*at`, terminated, and moves it. */
static char *keep(char **at, zn_bytes text) {
    char *kept = *at;
    if (text.len > 0) {
        memcpy(kept, text.data, text.len);
    }
    kept[text.len] = '\0';
    *at += text.len + 1;
    return kept;
}

zn_result_place zn_result_place_of(const zn_result *result, const char *machine) {
    ZN_ASSERT(result->reference_count > 0);
    const zn_reference *reference = &result->reference[0];
    bool here = machine != NULL && machine[0] != '\0' &&
                zn_bytes_equal(result->machine, zn_bytes_of_text(machine));
    zn_bytes folder = here ? result->folder : (zn_bytes){ 0 };
    zn_result_place out = {
        .stretch = { .offset = reference->offset, .length = reference->length },
        .texts = zn_alloc(result->endpoint.len + folder.len + reference->segment.len + 3),
    };
    char *at = out.texts;
    out.place.endpoint = keep(&at, result->endpoint);
    out.place.folder = folder.len > 0 ? keep(&at, folder) : NULL;
    out.place.segment = zn_bytes_of_text(keep(&at, reference->segment));
    return out;
}

zn_origin zn_result_origin(uint64_t stage, uint64_t task, const zn_result *result) {
    return (zn_origin){
        .known = true, .stage = (uint32_t)stage, .task = task, .attempt = (uint32_t)result->attempt
    };
}

void zn_result_place_free(zn_result_place *place) {
    free(place->texts);
    *place = (zn_result_place){ 0 };
}
