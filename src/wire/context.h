/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only. */
#ifndef ZN_WIRE_CONTEXT_H
#define ZN_WIRE_CONTEXT_H

#include <stdbool.h>

/* Prepares czmq's process-wide context. Before any other call of czmq; any thread, any number of
 * times. */
void zn_context_init(void);

/* Whether file descriptors for a few more sockets are left; czmq aborts where it gets none. Another
 * thread may take them in between, so this catches exhaustion and not a race for the last ones. */
bool zn_context_has_room(void);

#endif
