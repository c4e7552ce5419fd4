/* SPDX-License-Identifier: MPL-2.0 */
/* Any bytes as a message. What is accepted must survive encoding and decoding again, and be
 * printable; what is refused must say why. */
#include <stdlib.h>

#include "base/buf.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static zn_decoder *decoder;
    static zn_decoder *second;
    if (decoder == NULL) {
        decoder = zn_decoder_new();
        second = zn_decoder_new();
    }
    zonda_error error = { 0 };
    zn_message message;
    zonda_err code = zn_decoder_decode(decoder, (zn_bytes){ data, size }, &message, &error);
    if (code != ZONDA_OK) {
        require(error.code == code && error.text[0] != '\0');
        return 0;
    }
    zn_buf once = { 0 };
    zn_buf twice = { 0 };
    zn_message again;
    zn_message_encode(&message, &once);
    require(once.len <= size);
    require(zn_decoder_decode(second, zn_buf_bytes(&once), &again, &error) == ZONDA_OK);
    zn_message_encode(&again, &twice);
    require(zn_bytes_equal(zn_buf_bytes(&once), zn_buf_bytes(&twice)));
    once.len = 0;
    zn_message_print(&message, &once);
    require(once.len > 0);
    zn_buf_free(&once);
    zn_buf_free(&twice);
    return 0;
}
