/* SPDX-License-Identifier: MPL-2.0 */
/* What tells machines apart. The id of the boot is random, so it would do alone, were it not shared
 * by all containers of a machine, which do not see each other's files: with the id of the system
 * and the name of the host most of them differ. Those that do not only try to open a file in vain.
 * Called by workers, slots and drivers. */
#include "base/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Appends what the file holds, up to a hundred bytes; false if that is nothing. */
static bool append_file(const char *path, zn_buf *out) {
    uint8_t bytes[100];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0) {
        close(fd);
    }
    if (got > 0) {
        zn_buf_append(out, bytes, (size_t)got);
    }
    return got > 0;
}

char *zn_machine_id(char out[ZN_MACHINE_TEXT]) {
    zn_buf words = { 0 };
    out[0] = '\0';
    if (append_file("/proc/sys/kernel/random/boot_id", &words)) {
        char host[256] = "";
        append_file("/etc/machine-id", &words);
        gethostname(host, sizeof host - 1);
        zn_buf_printf(&words, "%s", host);
        zn_digest_text(zn_digest_of(zn_buf_bytes(&words)), out);
    }
    zn_buf_free(&words);
    return out;
}
