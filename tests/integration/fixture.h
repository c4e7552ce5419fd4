/* SPDX-License-Identifier: MPL-2.0 */
/* Clusters for integration tests: the same test runs on a cluster in this process, and on real
 * processes over ipc and tcp. */
#ifndef ZN_TESTS_INTEGRATION_FIXTURE_H
#define ZN_TESTS_INTEGRATION_FIXTURE_H

#include "test.h"

#include <sys/types.h>
#include <zonda/zonda.h>

typedef enum test_transport {
    TRANSPORT_INPROC,
    TRANSPORT_IPC,
    TRANSPORT_TCP,
} test_transport;

enum {
    FIXTURE_WORKERS_MAX = 4
};

typedef struct test_cluster {
    test_transport transport;
    unsigned worker_count;
    unsigned slots;
    zonda_cluster *cluster;
    char folder[64];    /* new and empty, removed at the end; the output of tests goes here */
    char endpoint[256]; /* of the coordinator; empty for inproc */
    pid_t coordinator;
    pid_t workers[FIXTURE_WORKERS_MAX];
} test_cluster;

/* Starts a cluster and connects to it; fails the test if it cannot. */
void fixture_open(test_cluster *fixture, test_transport transport, unsigned workers,
                  unsigned slots);

/* Closes the connection, ends all processes in order, checks that they ended well, and removes the
 * folder with what is in it. */
void fixture_close(test_cluster *fixture);

/* Closes and opens the connection again, not the processes behind it. */
void fixture_reconnect(test_cluster *fixture);

/* Starts the zonda program with these words (NULL at the end); its standard output goes to a pipe
 * whose reading end is `*out` (NULL: it is left alone). Returns the process. */
pid_t fixture_spawn(int *out, const char *const *words);

/* Waits for a process; returns its exit status, or 1000 + the signal that ended it. */
int fixture_wait(pid_t process);

/* Executes (and destroys) a dataset; returns its records as JSON texts, each with a newline. Free
 * it. NULL and `error` if the execution failed. */
char *fixture_execute(test_cluster *fixture, zonda_dataset *dataset, zonda_error *error);

/* The same, expecting success with these records. */
void fixture_expect(test_cluster *fixture, zonda_dataset *dataset, const char *records);

/* The content of a file, terminated; fails the test if it is not there. Free it. */
char *fixture_read_file(const char *path);

/* Number of entries in a folder, hidden ones too, without the manifests of outputs. */
unsigned fixture_count_files(const char *folder);

#endif
