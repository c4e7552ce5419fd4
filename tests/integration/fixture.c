/* SPDX-License-Identifier: MPL-2.0 */
/* Clusters for integration tests. Processes are the built program, named by $ZONDA_PROGRAM; what
 * they say on standard output is how the test knows that they are ready. */
#include "integration/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record/json.h"

extern char **environ;

pid_t fixture_spawn(int *out, const char *const *words) {
    const char *program = getenv("ZONDA_PROGRAM");
    assert_non_null(program);
    const char *argv[32] = { program };
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_true(i + 2 < 32);
        argv[i + 1] = words[i];
    }
    int ends[2] = { -1, -1 };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (out != NULL) {
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    }
    pid_t process = 0;
    int rc = posix_spawn(&process, program, &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(rc, 0);
    if (out != NULL) {
        close(ends[1]);
        *out = ends[0];
    }
    return process;
}

int fixture_wait(pid_t process) {
    int status = 0;
    assert_int_equal(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Reads "listening ENDPOINT\n" from the coordinator. */
static void read_endpoint(int fd, char *out, size_t size) {
    char line[256];
    size_t length = 0;
    while (length + 1 < sizeof line && read(fd, line + length, 1) == 1 && line[length] != '\n') {
        length++;
    }
    line[length] = '\0';
    close(fd);
    static const char words[] = "listening ";
    assert_memory_equal(line, words, strlen(words));
    snprintf(out, size, "%s", line + strlen(words));
}

static void start_processes(test_cluster *fixture) {
    char bind[128] = "tcp://127.0.0.1:*";
    if (fixture->transport == TRANSPORT_IPC) {
        snprintf(bind, sizeof bind, "ipc://%s/control", fixture->folder);
    }
    int out = -1;
    fixture->coordinator = fixture_spawn(
        &out, (const char *const[]){ "coordinator", "--quiet", "--bind", bind, NULL });
    read_endpoint(out, fixture->endpoint, sizeof fixture->endpoint);
    char slots[16];
    snprintf(slots, sizeof slots, "%u", fixture->slots);
    for (unsigned i = 0; i < fixture->worker_count; i++) {
        fixture->workers[i] =
            fixture_spawn(NULL, (const char *const[]){ "worker", "--quiet", "--connect",
                                                       fixture->endpoint, "--slots", slots, NULL });
    }
}

static void connect_cluster(test_cluster *fixture) {
    zonda_error error = { 0 };
    if (fixture->transport == TRANSPORT_INPROC) {
        zonda_local_options options = { .slots = fixture->slots, .workers = fixture->worker_count };
        fixture->cluster = zonda_cluster_open_local(&options, &error);
    } else {
        fixture->cluster = zonda_cluster_connect(fixture->endpoint, NULL, &error);
    }
    assert_ok(error.code, error);
    assert_non_null(fixture->cluster);
}

void fixture_open(test_cluster *fixture, test_transport transport, unsigned workers,
                  unsigned slots) {
    assert_true(workers <= FIXTURE_WORKERS_MAX);
    memset(fixture, 0, sizeof *fixture);
    fixture->transport = transport;
    fixture->worker_count = workers;
    fixture->slots = slots;
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/zonda-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    if (transport != TRANSPORT_INPROC) {
        start_processes(fixture);
    }
    connect_cluster(fixture);
}

void fixture_reconnect(test_cluster *fixture) {
    zonda_cluster_close(&fixture->cluster);
    assert_null(fixture->cluster);
    connect_cluster(fixture);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void fixture_close(test_cluster *fixture) {
    zonda_cluster_close(&fixture->cluster);
    for (unsigned i = 0; i < fixture->worker_count; i++) {
        if (fixture->workers[i] > 0) {
            kill(fixture->workers[i], SIGTERM);
            assert_int_equal(fixture_wait(fixture->workers[i]), 0);
        }
    }
    if (fixture->coordinator > 0) {
        kill(fixture->coordinator, SIGTERM);
        assert_int_equal(fixture_wait(fixture->coordinator), 0);
    }
    nftw(fixture->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

char *fixture_execute(test_cluster *fixture, zonda_dataset *dataset, zonda_error *error) {
    zonda_result *result = zonda_execute(fixture->cluster, dataset, NULL, error);
    zonda_dataset_destroy(&dataset);
    if (result == NULL) {
        return NULL;
    }
    zn_buf text = { 0 };
    const void *record = NULL;
    size_t bytes = 0;
    bool got = true;
    zonda_err code = ZONDA_OK;
    while ((code = zonda_result_next(result, &record, &bytes, &got, error)) == ZONDA_OK && got) {
        assert_ok(zn_json_write((zn_bytes){ record, bytes }, &text, error), *error);
        zn_buf_append_byte(&text, '\n');
    }
    zonda_result_destroy(&result);
    zn_buf_append_byte(&text, '\0');
    if (code != ZONDA_OK) {
        zn_buf_free(&text);
    }
    return (char *)text.data;
}

void fixture_expect(test_cluster *fixture, zonda_dataset *dataset, const char *records) {
    zonda_error error = { 0 };
    char *text = fixture_execute(fixture, dataset, &error);
    assert_ok(error.code, error);
    assert_string_equal(text, records);
    free(text);
}

char *fixture_read_file(const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fail_msg("%s is not there", path);
    }
    zn_buf text = { 0 };
    int byte = 0;
    while ((byte = fgetc(file)) != EOF) {
        zn_buf_append_byte(&text, (uint8_t)byte);
    }
    fclose(file);
    zn_buf_append_byte(&text, '\0');
    return (char *)text.data;
}

unsigned fixture_count_files(const char *folder) {
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    unsigned count = 0;
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 strstr(entry->d_name, ".zonda-manifest.json") == NULL;
    }
    closedir(stream);
    return count;
}
