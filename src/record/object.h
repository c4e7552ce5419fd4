/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_RECORD_OBJECT_H
#define ZN_RECORD_OBJECT_H

#include <msgpack.h>

#include "base/buf.h"
#include "base/error.h"

/* Turns checked values into msgpack-c's objects, which is what C functions get. Keeps its memory
 * for the next record. One thread. */
typedef struct zn_object_decoder zn_object_decoder;
zn_object_decoder *zn_object_decoder_new(void);
void zn_object_decoder_destroy(zn_object_decoder **decoder);

/* Decodes one checked value. The object is valid until the next call and as long as `value` is: its
 * texts and binaries are not copied. Errors: LIMIT (more values than ZN_OBJECT_VALUES_MAX). */
zonda_err zn_object_decode(zn_object_decoder *decoder, zn_bytes value, const msgpack_object **out,
                           zonda_error *error);

#endif
