/* SPDX-License-Identifier: MPL-2.0 */
/* JSON texts to MessagePack records: the limits and the errors around simdjson, which does the
 * work. A text that simdjson refuses is scanned again, slowly, to tell where and why; good texts
 * never pay for that. Sources call this once per line. */
#include "record/json.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/json_locate.h"
#include "record/json_simdjson.h"

struct zn_json_reader {
    zn_simdjson *parser;
};

zn_json_reader *zn_json_reader_new(void) {
    zn_json_reader *reader = ZN_NEW(zn_json_reader);
    reader->parser = zn_simdjson_new();
    return reader;
}

void zn_json_reader_destroy(zn_json_reader **reader) {
    if (*reader == NULL) {
        return;
    }
    zn_simdjson_destroy(&(*reader)->parser);
    free(*reader);
    *reader = NULL;
}

static zonda_err too_large(zonda_error *error, const char *what, size_t bytes) {
    return zn_error_set(error, ZONDA_ERR_LIMIT, "%s has %zu bytes, more than the limit of %u", what,
                        bytes, ZN_RECORD_BYTES_MAX);
}

/* Why simdjson refused the text. Its own reason is the last resort, should the scanner see none. */
static zonda_err explain(zn_bytes text, const char *reason, zonda_error *error) {
    zonda_err err = zn_json_locate(text, error);
    if (err == ZONDA_OK) {
        err = zn_error_set(error, ZONDA_ERR_BAD_RECORD, "%s", reason);
        if (error != NULL) {
            error->column = 1;
        }
    }
    return err;
}

static zonda_err read_text(zn_json_reader *reader, zn_bytes text, bool padded,
                           const zn_json_names *names, zn_buf *out, zonda_error *error) {
    if (text.len > ZN_RECORD_BYTES_MAX) {
        return too_large(error, "the JSON text", text.len);
    }
    size_t start = out->len;
    const char *reason = "";
    zonda_err err = ZONDA_OK;
    switch (zn_simdjson_convert(reader->parser, text, padded, names, out, &reason)) {
    case ZN_SIMDJSON_REJECTED:
        err = explain(text, reason, error);
        break;
    case ZN_SIMDJSON_NO_MEMORY:
        err = zn_error_set(error, ZONDA_ERR_LIMIT, "no memory to parse a JSON text of %zu bytes",
                           text.len);
        break;
    case ZN_SIMDJSON_OK:
        if (out->len - start > ZN_RECORD_BYTES_MAX) {
            err = too_large(error, "the record", out->len - start);
        }
        break;
    }
    if (err != ZONDA_OK) {
        out->len = start;
    }
    return err;
}

zonda_err zn_json_read(zn_json_reader *reader, zn_bytes text, zn_buf *out, zonda_error *error) {
    return read_text(reader, text, false, NULL, out, error);
}

zonda_err zn_json_read_padded(zn_json_reader *reader, zn_bytes text, const zn_json_names *names,
                              zn_buf *out, zonda_error *error) {
    return read_text(reader, text, true, names, out, error);
}
