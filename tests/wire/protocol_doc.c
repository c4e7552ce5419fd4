/* SPDX-License-Identifier: MPL-2.0 */
/* The generated part of docs/PROTOCOL.md. `check FILE` fails if the part between the markers is not
 * what the message table says; `update FILE` writes it (the build target update-protocol). The
 * prose around the markers is written by hand and kept. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/message_def.h"

static const char begin_marker[] = "<!-- begin: generated from src/wire/message_table.h -->\n";
static const char end_marker[] = "<!-- end: generated -->\n";

static void print_limit(const zn_field *field, zn_buf *out) {
    const char *unit = "";
    if (field->kind == ZN_FIELD_TEXT || field->kind == ZN_FIELD_BINARY) {
        unit = " bytes";
    } else if (field->kind == ZN_FIELD_LIST) {
        unit = field->max == 1 ? " element" : " elements";
    }
    if (field->kind == ZN_FIELD_SIGNED) {
        zn_buf_append_text(out, "−2⁶³ … 2⁶³−1");
    } else if (field->max == UINT64_MAX) {
        zn_buf_append_text(out, "2⁶⁴−1");
    } else if (field->max == INT64_MAX) {
        zn_buf_append_text(out, "2⁶³−1");
    } else if (field->max == UINT32_MAX) {
        zn_buf_append_text(out, "2³²−1");
    } else {
        zn_buf_printf(out, "%" PRIu64 "%s", field->max, unit);
    }
}

static void print_fields(const zn_layout *layout, zn_buf *out) {
    static const char *const kinds[] = { "unsigned", "signed", "text", "binary" };
    zn_buf_append_text(out, "| field | type | at most | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < layout->field_count; i++) {
        const zn_field *field = &layout->fields[i];
        zn_buf_printf(out, "| `%s` | ", field->name);
        if (field->kind == ZN_FIELD_LIST) {
            const char *record = field->record()->name;
            zn_buf_printf(out, "list of [%s](#record-%s)", record, record);
        } else {
            zn_buf_append_text(out, kinds[field->kind]);
        }
        zn_buf_append_text(out, " | ");
        print_limit(field, out);
        zn_buf_printf(out, " | %s |\n", field->doc);
    }
    zn_buf_append_text(out, "\n");
}

static void generate(zn_buf *out) {
    const zn_layout *layout = NULL;
    zn_buf_append_text(out, "\n## Messages\n\n| number | message | from, to | what it is |\n"
                            "|---|---|---|---|\n");
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        zn_buf_printf(out, "| %" PRIu64 " | %s | %s | %s |\n", layout->number, layout->name,
                      layout->way, layout->doc);
    }
    zn_buf_append_text(out, "\n");
    for (size_t i = 0; (layout = zn_layout_message_at(i)) != NULL; i++) {
        zn_buf_printf(out, "### %s (%" PRIu64 ")\n\n%s: %s.\n\n", layout->name, layout->number,
                      layout->way, layout->doc);
        print_fields(layout, out);
    }
    zn_buf_append_text(out, "## Records\n\n");
    for (size_t i = 0; (layout = zn_layout_record_at(i)) != NULL; i++) {
        zn_buf_printf(out, "### Record %s\n\n", layout->name);
        print_fields(layout, out);
    }
}

/* Reads the whole file as a terminated string. */
static bool read_file(const char *path, zn_buf *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    char block[4096];
    size_t got = 0;
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        zn_buf_append(out, block, got);
    }
    fclose(file);
    zn_buf_append_byte(out, '\0');
    return true;
}

static int write_file(const char *path, const zn_buf *text) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(text->data, 1, text->len, file) != text->len || fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3 || (strcmp(argv[1], "check") != 0 && strcmp(argv[1], "update") != 0)) {
        fprintf(stderr, "usage: protocol_doc check|update FILE\n");
        return 2;
    }
    int status = 1;
    zn_buf file = { 0 };
    zn_buf wanted = { 0 };
    if (!read_file(argv[2], &file)) {
        goto out;
    }
    const char *text = (const char *)file.data;
    const char *begin = strstr(text, begin_marker);
    const char *end = begin == NULL ? NULL : strstr(begin, end_marker);
    if (end == NULL) {
        fprintf(stderr, "%s: the markers are missing\n", argv[2]);
        goto out;
    }
    begin += strlen(begin_marker);
    zn_buf_append(&wanted, text, (size_t)(begin - text));
    generate(&wanted);
    zn_buf_append_text(&wanted, end);
    if (strcmp(argv[1], "update") == 0) {
        status = write_file(argv[2], &wanted);
    } else if (wanted.len == file.len - 1 && memcmp(wanted.data, text, wanted.len) == 0) {
        status = 0;
    } else {
        fprintf(stderr,
                "%s is not what src/wire/message_table.h says; run: ninja -C BUILD "
                "update-protocol\n",
                argv[2]);
    }
out:
    zn_buf_free(&file);
    zn_buf_free(&wanted);
    return status;
}
