/* SPDX-License-Identifier: MPL-2.0 */
/* `zonda keygen`: makes the keys of a cluster, or of one more client of it. */
#include <stdio.h>

#include "cli/cli.h"
#include "wire/keys.h"

enum {
    OPTION_CLIENT = 1000
};

typedef struct keygen_options {
    const char *folder;
    const char *client; /* NULL: the cluster itself */
} keygen_options;

static const struct argp_option options[] = {
    { "client", OPTION_CLIENT, "NAME", 0,
      "make keys for one more worker or driver of the cluster with keys in DIR: the folder "
      "DIR/clients/NAME, to be given to it, and DIR/allowed/NAME.pub, which lets it in",
      0 },
    { 0 },
};

static error_t parse(int key, char *word, struct argp_state *state) {
    keygen_options *parsed = state->input;
    switch (key) {
    case OPTION_CLIENT:
        parsed->client = word;
        return 0;
    case ARGP_KEY_ARG:
        if (parsed->folder != NULL) {
            argp_error(state, "unexpected word '%s'", word);
        }
        parsed->folder = word;
        return 0;
    case ARGP_KEY_END:
        if (parsed->folder == NULL) {
            argp_error(state, "the folder is missing");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void explain(const keygen_options *parsed) {
    if (parsed->client != NULL) {
        printf("%s/clients/%s  give this folder to %s alone, for its --keys\n"
               "%s/allowed/%s.pub  lets it in; remove it, and %s is out\n",
               parsed->folder, parsed->client, parsed->client, parsed->folder, parsed->client,
               parsed->client);
        return;
    }
    printf("%s  for --keys of the coordinator, and of workers and drivers of the same user here\n"
           "%s/allowed  public keys of those who get in; changes take effect at once\n"
           "Keys for others: zonda keygen %s --client NAME\n",
           parsed->folder, parsed->folder, parsed->folder);
}

int zn_cmd_keygen(int argc, char **argv) {
    static const struct argp argp = {
        options,
        parse,
        "DIR",
        "Makes the keys of a cluster in a new folder DIR, or those of one more client. With keys "
        "all "
        "connections are encrypted, only known keys get in, and nobody can pretend to be the "
        "coordinator. Nothing is overwritten."
        "\v"
        "Examples:\n"
        "  zonda keygen keys\n"
        "  zonda coordinator --bind tcp://0.0.0.0:7070 --keys keys\n"
        "  zonda keygen keys --client host1   # copy keys/clients/host1 to host1\n"
        "  zonda worker --connect tcp://HOST:7070 --keys host1",
        NULL,
        NULL,
        NULL
    };
    keygen_options parsed = { 0 };
    zn_cli_parse(&argp, argc, argv, &parsed);
    zonda_error error = { 0 };
    zonda_err code = parsed.client != NULL ? zn_keygen_client(parsed.folder, parsed.client, &error)
                                           : zn_keygen_cluster(parsed.folder, &error);
    if (code != ZONDA_OK) {
        return zn_cli_fail(&error);
    }
    explain(&parsed);
    return ZN_EXIT_DONE;
}
