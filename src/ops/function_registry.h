/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_OPS_FUNCTION_REGISTRY_H
#define ZN_OPS_FUNCTION_REGISTRY_H

#include <zonda/function.h>

#include "base/buf.h"
#include "base/error.h"

/* The C function that zonda_register made known as `name`. Error: NOT_FOUND, listing what there is.
 * Any thread. */
zonda_err zn_registry_find(zn_bytes name, zonda_function *out, zonda_error *error);

#endif
