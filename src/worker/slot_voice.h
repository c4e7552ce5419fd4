/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_WORKER_SLOT_VOICE_H
#define ZN_WORKER_SLOT_VOICE_H

#include "base/error.h"

/* What a slot process writes to its standard output and error. A thread passes it on as it comes;
 * the end of it is kept, because the last words of a process often say why it died. */
typedef struct zn_slot_voice zn_slot_voice;

/* Everything goes on to the open file `to`. `*write_end` is for the slot; the caller closes it.
 * Errors: LIMIT (no file, no thread). */
zn_slot_voice *zn_slot_voice_open(int to, int *write_end, zonda_error *error);

/* When the slot has died: waits until what it has written has been passed on, and adds the last
 * lines to `how`, if there are any. Once. */
void zn_slot_voice_quote(zn_slot_voice *voice, zonda_error *how);

/* NULL-safe, clears the pointer. What was not read yet is passed on. */
void zn_slot_voice_close(zn_slot_voice **voice);

#endif
