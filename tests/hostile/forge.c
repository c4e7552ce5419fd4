/* SPDX-License-Identifier: MPL-2.0 */
/* Makes and reads frames for hostile clients, which speak to sockets without our library.
 *   forge NAME KIND FIELD=NUMBER…   per line of standard input: a frame of the message NAME, filled
 *                                   as KIND says ("empty", "mixed", "full"), its unsigned fields
 *                                   changed; with "FIELD*=NUMBER" those in lists, too
 *   forge --print                   frames of standard input as lines of text
 * Frames on standard input and output are behind their length in 4 bytes, little-endian. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wire/sample.h"
#include "base/assert.h"
#include "base/digest.h"
#include "base/limits.h"
#include "wire/frame.h"

static void put(zn_bytes bytes) {
    uint8_t head[4];
    zn_put_u32(head, (uint32_t)bytes.len);
    bool written = fwrite(head, 1, sizeof head, stdout) == sizeof head &&
                   fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len;
    ZN_ASSERT(written && fflush(stdout) == 0);
}

static void change(const zn_layout *layout, uint8_t *base, const char *name, bool lists,
                   uint64_t value) {
    for (size_t i = 0; i < layout->field_count; i++) {
        const zn_field *field = &layout->fields[i];
        uint8_t *at = base + field->offset;
        if (field->kind == ZN_FIELD_UNSIGNED && strcmp(field->name, name) == 0) {
            *(uint64_t *)(void *)at = value < field->max ? value : field->max;
        } else if (field->kind == ZN_FIELD_LIST && lists) {
            const zn_layout *record = field->record();
            size_t count = *(size_t *)(void *)(base + field->count_offset);
            for (size_t item = 0; item < count; item++) {
                uint8_t *items = *(uint8_t **)(void *)at;
                change(record, items + item * record->struct_bytes, name, lists, value);
            }
        }
    }
}

static const zn_layout *find_layout(const char *name) {
    const zn_layout *layout = NULL;
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        if (strcmp(layout->name, name) == 0) {
            return layout;
        }
    }
    return NULL;
}

static sample_kind kind_of(const char *word) {
    return strcmp(word, "full") == 0    ? SAMPLE_FULL
           : strcmp(word, "mixed") == 0 ? SAMPLE_MIXED
                                        : SAMPLE_EMPTY;
}

static void forge(zn_framer *framer, char *line) {
    static sample_message sample;
    zn_buf body = { 0 };
    zn_buf frame = { 0 };
    char *rest = NULL;
    const char *name = strtok_r(line, " \n", &rest);
    const char *kind = strtok_r(NULL, " \n", &rest);
    const zn_layout *layout = name == NULL ? NULL : find_layout(name);
    ZN_ASSERT(layout != NULL && kind != NULL);
    sample_fill(&sample, layout, kind_of(kind));
    for (char *word = strtok_r(NULL, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest)) {
        char *equals = strchr(word, '=');
        ZN_ASSERT(equals != NULL && equals > word);
        bool lists = equals[-1] == '*';
        equals[lists ? -1 : 0] = '\0';
        change(layout, zn_message_fields(&sample.message), word, lists,
               strtoull(equals + 1, NULL, 10));
    }
    zn_message_encode(&sample.message, &body);
    zn_framer_pack(framer, zn_buf_bytes(&body), &frame);
    put(zn_buf_bytes(&frame));
    sample_free(&sample);
    zn_buf_free(&frame);
    zn_buf_free(&body);
}

static void print(zn_framer *framer, zn_decoder *decoder, zn_bytes frame) {
    zonda_error error = { 0 };
    zn_bytes body = { 0 };
    zn_message message;
    zn_buf text = { 0 };
    if (zn_framer_unpack(framer, frame, &body, &error) == ZONDA_OK &&
        zn_decoder_decode(decoder, body, &message, &error) == ZONDA_OK) {
        zn_message_print(&message, &text);
        printf("%.*s\n", (int)text.len, (const char *)text.data);
    } else {
        printf("? %s\n", error.text);
    }
    zn_buf_free(&text);
}

static void print_all(zn_framer *framer) {
    zn_decoder *decoder = zn_decoder_new();
    uint8_t head[4];
    static uint8_t frame[ZN_FRAME_BYTES_MAX];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t len = zn_get_u32(head);
        ZN_ASSERT(len <= sizeof frame && fread(frame, 1, len, stdin) == len);
        print(framer, decoder, (zn_bytes){ frame, len });
        fflush(stdout);
    }
    zn_decoder_destroy(&decoder);
}

int main(int argc, char **argv) {
    zn_framer *framer = zn_framer_new();
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_all(framer);
    } else {
        char line[4096];
        while (fgets(line, sizeof line, stdin) != NULL) {
            forge(framer, line);
        }
    }
    zn_framer_destroy(&framer);
    return 0;
}
