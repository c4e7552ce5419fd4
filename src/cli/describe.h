/* SPDX-License-Identifier: MPL-2.0 */
#ifndef ZN_CLI_DESCRIBE_H
#define ZN_CLI_DESCRIBE_H

#include "cli/cli.h"

/* The hidden option that prints what the program knows about itself as JSON: for the program its
 * commands, verbs and exit statuses, for a command its arguments and options. */
#define ZN_DESCRIBE_OPTION "--dump-cli"

void zn_describe_program(const zn_command *commands, size_t count, FILE *out);
void zn_describe_command(const struct argp *argp, FILE *out);

#endif
