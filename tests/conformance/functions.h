/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_TESTS_FUNCTIONS_H
#define ZN_TESTS_FUNCTIONS_H

#include <zonda/zonda.h>

/* Registers all C functions of the cases. Errors: those of zonda_register. */
zonda_err functions_register(zonda_error *error);

#endif
