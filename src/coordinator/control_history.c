/* SPDX-License-Identifier: MPL-2.0 */
/* LIST_HISTORY: a page of the jobs that ended last. Entries are decoded into decoders of their own,
 * because a reply borrows from all of them. */
#include "coordinator/control_internal.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
    PAGE_JOBS = 32,
    PAGE_BYTES = ZN_MIB
};

struct zn_history_page {
    zn_decoder *decoders[PAGE_JOBS];
    zn_past_job jobs[PAGE_JOBS];
};

zonda_err zn_control_history(zn_control *control, const zn_message *request,
                             zn_control_reply *reply) {
    const zn_msg_list_history *list = &request->list_history;
    const zn_history *history = &control->scheduler->history;
    if (control->history == NULL) {
        control->history = ZN_NEW(zn_history_page);
    }
    zn_history_page *page = control->history;
    size_t max = list->count > 0 && list->count < PAGE_JOBS ? (size_t)list->count : PAGE_JOBS;
    size_t count = 0;
    size_t bytes = 0;
    const zn_buf *encoded;
    for (size_t i = 0;
         count < max && bytes < PAGE_BYTES && (encoded = zn_history_get(history, i)) != NULL; i++) {
        if (page->decoders[count] == NULL) {
            page->decoders[count] = zn_decoder_new();
        }
        zn_message note;
        zonda_err err =
            zn_decoder_decode(page->decoders[count], zn_buf_bytes(encoded), &note, &reply->error);
        if (err != ZONDA_OK) {
            return err;
        }
        if (list->before == 0 || note.note_past_job.job[0].place < list->before) {
            page->jobs[count++] = note.note_past_job.job[0];
            bytes += encoded->len;
        }
    }
    reply->message.number = ZN_MSG_HISTORY;
    reply->message.history =
        (zn_msg_history){ .request = list->request, .jobs = page->jobs, .jobs_count = count };
    return ZONDA_OK;
}

void zn_control_history_free(zn_history_page **page) {
    for (size_t i = 0; *page != NULL && i < PAGE_JOBS; i++) {
        zn_decoder_destroy(&(*page)->decoders[i]);
    }
    free(*page);
    *page = NULL;
}
