/* SPDX-License-Identifier: MPL-2.0 */
/* Builds datasets through the public C functions from the description of a chain of operators. */
#ifndef ZN_TESTS_CHAIN_H
#define ZN_TESTS_CHAIN_H

#include <zonda/zonda.h>

#include "base/buf.h"

/* `steps`: MessagePack list of {op, args: list, options: map}; a function among the arguments is
 * {function: "expression", "block" or "c", text}, a dataset {steps}. Never fails in the way that
 * datasets do not: what the description asks for and C cannot express ends the process with words,
 * because it is the suite that is wrong then. The caller destroys the result. */
zonda_dataset *chain_build(zn_bytes steps);

/* Ends the process with status 70: the description makes no sense. */
__attribute__((noreturn, format(printf, 1, 2))) void chain_give_up(const char *format, ...);

#endif
