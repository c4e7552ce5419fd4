/* SPDX-License-Identifier: MPL-2.0 */
/* Inside wire only: the process answers libzmq's question who may connect. */
#ifndef ZN_WIRE_AUTH_H
#define ZN_WIRE_AUTH_H

#include "wire/allow_list.h"

/* From now on connections to sockets with the list's domain are let in if the list has their key.
 * Errors: KEYS (another library of the process answers already), LIMIT. Any thread. */
zonda_err zn_auth_add(zn_allow_list *list, zonda_error *error);

/* Ends that; no question about the list is under way any more. Safe if it was never added. */
void zn_auth_remove(zn_allow_list *list);

#endif
