/* SPDX-License-Identifier: MPL-2.0 */
/* A pipe and a thread for each slot process: a reader that is slow, or stopped, holds up the slots
 * that write and not the worker. */
#include "worker/slot_voice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "wire/actor.h"
#include "wire/text.h"

enum {
    CHUNK_BYTES = 4096,
    KEPT_BYTES = 480,
    LAST_CHUNKS_MAX = 32 /* after the end: twice what a pipe holds; who writes on is not the slot */
};

struct zn_slot_voice {
    int from;
    int to;
    zn_actor *actor;
    bool cut;         /* the first line is not whole */
    size_t kept_size; /* in `kept`; of the thread while it runs */
    char kept[KEPT_BYTES];
};

static void keep(zn_slot_voice *voice, const char *bytes, size_t size) {
    if (size > KEPT_BYTES) {
        bytes += size - KEPT_BYTES;
        size = KEPT_BYTES;
        voice->cut = true;
    }
    size_t over = voice->kept_size + size > KEPT_BYTES ? voice->kept_size + size - KEPT_BYTES : 0;
    memmove(voice->kept, voice->kept + over, voice->kept_size - over);
    voice->cut = voice->cut || over > 0;
    memcpy(voice->kept + voice->kept_size - over, bytes, size);
    voice->kept_size += size - over;
}

/* What cannot be written is lost, as it would be if the slot had written it. */
static void pass_on(const zn_slot_voice *voice, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(voice->to, bytes, size);
        if (written < 0 && errno != EINTR) {
            return;
        }
        size -= written > 0 ? (size_t)written : 0;
        bytes += written > 0 ? written : 0;
    }
}

/* Takes one chunk; false if there is none. `*ended`: nobody can write any more. */
static bool take_chunk(zn_slot_voice *voice, bool *ended) {
    char chunk[CHUNK_BYTES];
    ssize_t got = read(voice->from, chunk, sizeof chunk);
    *ended = got == 0;
    if (got <= 0) {
        return false;
    }
    keep(voice, chunk, (size_t)got);
    pass_on(voice, chunk, (size_t)got);
    return true;
}

static void listen_to_slot(zn_actor_pipe *pipe, void *context) {
    zn_slot_voice *voice = context;
    bool ended = false;
    zn_actor_ready(pipe);
    while (!zn_actor_stopping(pipe)) {
        zn_poll_item items[] = { { .kind = ZN_POLL_FD, .fd = zn_actor_pipe_fd(pipe) },
                                 { .kind = ZN_POLL_FD, .fd = voice->from } };
        zn_poll(items, ended ? 1 : 2, -1);
        if (!ended && items[1].ready) {
            take_chunk(voice, &ended);
        }
    }
    for (size_t i = 0; i < LAST_CHUNKS_MAX && take_chunk(voice, &ended); i++) {
    }
}

zn_slot_voice *zn_slot_voice_open(int to, int *write_end, zonda_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        zn_error_set(error, ZONDA_ERR_LIMIT, "cannot make a pipe: %s", strerror(errno));
        return NULL;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    zn_slot_voice *voice = ZN_NEW(zn_slot_voice);
    voice->from = ends[0];
    voice->to = to;
    voice->actor = zn_actor_start(listen_to_slot, voice, error);
    if (voice->actor == NULL) {
        close(ends[1]);
        zn_slot_voice_close(&voice);
        return NULL;
    }
    *write_end = ends[1];
    return voice;
}

/* The kept lines as one line of valid text: what is no text is "?", and lines are joined. */
static size_t tidy_up(const zn_slot_voice *voice, char out[KEPT_BYTES * 3]) {
    const uint8_t *at = (const uint8_t *)voice->kept;
    const uint8_t *end = at + voice->kept_size;
    const uint8_t *first = voice->cut ? memchr(at, '\n', voice->kept_size) : NULL;
    at = first != NULL && first + 1 < end ? first + 1 : at;
    while (end > at && end[-1] <= ' ') {
        end--;
    }
    size_t used = 0;
    while (at < end) {
        size_t size = zn_text_character((zn_bytes){ at, (size_t)(end - at) });
        if (*at == '\n') {
            memcpy(out + used, " / ", 3);
            used += 3;
        } else if (size == 0 || *at < ' ' || *at == 0x7f) {
            out[used++] = size == 0 ? '?' : ' ';
        } else {
            memcpy(out + used, at, size);
            used += size;
        }
        at += size == 0 ? 1 : size;
    }
    return used;
}

void zn_slot_voice_quote(zn_slot_voice *voice, zonda_error *how) {
    static const char before[] = "; it wrote last: ";
    char words[sizeof before + KEPT_BYTES * 3];
    zn_actor_stop(&voice->actor);
    memcpy(words, before, sizeof before - 1);
    size_t size = tidy_up(voice, words + sizeof before - 1);
    size_t used = strlen(how->text);
    if (size > 0) {
        zn_error_copy(how->text + used, sizeof how->text - used, words, sizeof before - 1 + size);
    }
}

void zn_slot_voice_close(zn_slot_voice **voice) {
    zn_slot_voice *self = *voice;
    if (self != NULL) {
        zn_actor_stop(&self->actor);
        close(self->from);
        free(self);
        *voice = NULL;
    }
}
