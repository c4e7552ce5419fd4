/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only. */
#ifndef ZN_WIRE_CONTEXT_H
#define ZN_WIRE_CONTEXT_H

/* Prepares czmq's process-wide context. Before any other call of czmq; any thread, any number of
 * times. */
void zn_context_init(void);

#endif
