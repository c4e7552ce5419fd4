/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_COORDINATOR_REPLAY_H
#define ZN_COORDINATOR_REPLAY_H

#include "coordinator/scheduler.h"

/* Changes the state of a scheduler that has not begun as the note says: the change alone, nothing
 * is sent. Any note is safe. Errors: CORRUPT (it does not fit to the notes before it), LIMIT. */
zonda_err zn_replay_note(zn_scheduler *scheduler, const zn_message *note, zonda_error *error);

/* The same with a batch of notes as zn_notes has them. Also CORRUPT: it is not such a batch. */
zonda_err zn_replay_batch(zn_scheduler *scheduler, zn_decoder *decoder, zn_bytes notes,
                          zonda_error *error);

/* The scheduler begins: what was replayed is of a coordinator that has ended. Workers are away
 * until they say HELLO, and nothing is handed out before all have or are lost; open tasks may have
 * been handed out. To be called once, before the first step, also if there was nothing to replay.
 */
void zn_scheduler_begin(zn_scheduler *scheduler, uint64_t now_ns);

#endif
