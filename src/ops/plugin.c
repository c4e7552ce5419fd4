/* SPDX-License-Identifier: MPL-2.0 */
/* Plug-ins on a worker. The bytes come as a blob and become a file in the scratch folder, named by
 * their digest, written under another name and renamed, so that the file is whole if it is there;
 * the other slots of the worker use the same one and need not ask for the blob. The folder is
 * readable by its user only.
 *
 * What can be said without running foreign code is said first, from the ELF header, because the
 * words of the dynamic loader help nobody. A process loads a plug-in once and keeps it to its end:
 * unloading code whose threads or exit handlers may still run is not worth the memory. The list of
 * those that are loaded only grows, at its head, so slot threads need no lock; two that load the
 * same file at once get the same library from the dynamic loader. */
#include "ops/plugin.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "record/value.h"
#include "store/file.h"

typedef struct loaded {
    zn_digest digest;
    const zonda_plugin_table *table;
    struct loaded *next;
} loaded;

static _Atomic(loaded *) all_loaded;

typedef struct machine {
    uint16_t number;
    const char *name;
} machine;

static const machine machines[] = {
    { EM_386, "x86 (32 bits)" }, { EM_X86_64, "x86-64" },       { EM_ARM, "ARM (32 bits)" },
    { EM_AARCH64, "AArch64" },   { EM_RISCV, "RISC-V" },        { EM_PPC64, "PowerPC 64" },
    { EM_S390, "s390x" },        { EM_LOONGARCH, "LoongArch" },
};

static uint16_t native_machine(void) {
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#elif defined(__i386__)
    return EM_386;
#elif defined(__arm__)
    return EM_ARM;
#elif defined(__riscv)
    return EM_RISCV;
#elif defined(__powerpc64__)
    return EM_PPC64;
#elif defined(__s390x__)
    return EM_S390;
#elif defined(__loongarch__)
    return EM_LOONGARCH;
#else
    return EM_NONE; /* the dynamic loader has to find out */
#endif
}

static const char *machine_name(uint16_t number) {
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        if (machines[i].number == number) {
            return machines[i].name;
        }
    }
    return "another processor";
}

/* No attempt elsewhere or later can help with a plug-in that is wrong. */
static zonda_err refuse(zonda_error *error) {
    if (error != NULL) {
        error->permanent = true;
        return error->code;
    }
    return ZONDA_ERR_PLAN;
}

static uint16_t read_half(const uint8_t *at, bool big_endian) {
    return (uint16_t)(big_endian ? at[0] << 8 | at[1] : at[1] << 8 | at[0]);
}

zonda_err zn_plugin_check(zn_bytes bytes, const char *file, bool native, zonda_error *error) {
    const uint8_t *head = bytes.data;
    zonda_error found = { 0 };
    bool long_enough = bytes.len >= sizeof(Elf32_Ehdr);
    if (bytes.len > ZN_PLUGIN_BYTES_MAX) {
        zn_error_set(&found, ZONDA_ERR_LIMIT, "plug-in %s has %zu bytes, more than the limit of %u",
                     file, bytes.len, (unsigned)ZN_PLUGIN_BYTES_MAX);
    } else if (!long_enough || memcmp(head, ELFMAG, SELFMAG) != 0) {
        zn_error_set(&found, ZONDA_ERR_PLAN, "plug-in %s is not a shared library (no ELF file)",
                     file);
    } else {
        bool big_endian = head[EI_DATA] == ELFDATA2MSB;
        bool big_host = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
        unsigned bits = head[EI_CLASS] == ELFCLASS64 ? 64 : 32;
        uint16_t type = read_half(head + offsetof(Elf32_Ehdr, e_type), big_endian);
        uint16_t for_machine = read_half(head + offsetof(Elf32_Ehdr, e_machine), big_endian);
        bool other = for_machine != native_machine() && native_machine() != EM_NONE;
        if (type != ET_DYN) {
            zn_error_set(&found, ZONDA_ERR_PLAN,
                         "plug-in %s is an ELF file, but not a shared library: compile it with "
                         "-shared -fPIC",
                         file);
        } else if (native && (other || bits != 8 * sizeof(void *) || big_endian != big_host)) {
            zn_error_set(&found, ZONDA_ERR_UNSUPPORTED,
                         "plug-in %s is for %s (%u bits), this worker runs on %s (%zu bits)", file,
                         machine_name(for_machine), bits, machine_name(native_machine()),
                         8 * sizeof(void *));
        }
    }
    if (found.code == ZONDA_OK) {
        return ZONDA_OK;
    }
    if (error != NULL) {
        *error = found;
    }
    refuse(error);
    return found.code;
}

static const zonda_plugin_table *find_loaded(zn_digest digest) {
    for (const loaded *one = atomic_load(&all_loaded); one != NULL; one = one->next) {
        if (zn_digest_equal(one->digest, digest)) {
            return one->table;
        }
    }
    return NULL;
}

static void note_loaded(zn_digest digest, const zonda_plugin_table *table) {
    loaded *one = ZN_NEW(loaded);
    *one = (loaded){ .digest = digest, .table = table, .next = atomic_load(&all_loaded) };
    while (!atomic_compare_exchange_weak(&all_loaded, &one->next, one)) {
    }
}

/* Makes the file `path` appear whole. */
static zonda_err write_file(const zn_task_host *host, const char *path, zn_bytes bytes,
                            zonda_error *error) {
    char *temporary = zn_format("%s.%s", path, host->owner);
    unlink(temporary); /* of a slot of this name that died */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    bool written = fd >= 0 && zn_file_write(fd, bytes);
    zonda_err err = ZONDA_OK;
    if (!written || close(fd) != 0 || rename(temporary, path) != 0) {
        err = zn_file_failed(error, temporary, "cannot keep a plug-in");
        unlink(temporary);
    }
    if (!written) {
        zn_file_close(&fd);
    }
    free(temporary);
    return err;
}

/* The file of the plug-in in the scratch folder, made if no slot of this worker did it before. */
static zonda_err keep_file(const zn_task_host *host, zn_digest digest, const char *file,
                           const char *path, zonda_error *error) {
    if (access(path, F_OK) == 0) {
        return ZONDA_OK;
    }
    zn_bytes bytes;
    zonda_err err = host->blob(host->context, digest, &bytes, error);
    if (err == ZONDA_OK) {
        err = zn_plugin_check(bytes, file, true, error);
    }
    return err == ZONDA_OK ? write_file(host, path, bytes, error) : err;
}

/* The version first, because only that has a fixed place. */
zonda_err zn_plugin_check_table(const zonda_plugin_table *table, const char *file,
                                zonda_error *error) {
    if (table == NULL) {
        zn_error_set(error, ZONDA_ERR_PLAN,
                     "plug-in %s has no symbol zonda_plugin_v1: end it with ZONDA_PLUGIN(\"name\", "
                     "functions);",
                     file);
        return refuse(error);
    }
    if (table->abi != ZONDA_PLUGIN_ABI) {
        zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                     "plug-in %s is made for version %" PRIu32
                     " of the plug-in interface, this worker has version %u: compile it again",
                     file, table->abi, (unsigned)ZONDA_PLUGIN_ABI);
        return refuse(error);
    }
    if (table->function_bytes > sizeof(zonda_plugin_function) ||
        table->function_bytes < offsetof(zonda_plugin_function, function.open) ||
        table->functions == NULL || table->count == 0) {
        zn_error_set(error, ZONDA_ERR_UNSUPPORTED,
                     "plug-in %s has functions that this worker cannot read: it is made with a "
                     "newer Zonda, or has none",
                     file);
        return refuse(error);
    }
    return ZONDA_OK;
}

/* The words of the dynamic loader, with the name that the user knows. */
static zonda_err refuse_loading(const char *path, const char *file, zonda_error *error) {
    const char *words = dlerror();
    words = words == NULL ? "unknown reason" : words;
    size_t length = strlen(path);
    if (strncmp(words, path, length) == 0 && strncmp(words + length, ": ", 2) == 0) {
        words += length + 2;
    }
    zn_error_set(error, ZONDA_ERR_PLAN, "plug-in %s cannot be loaded: %s", file, words);
    return refuse(error);
}

zonda_err zn_plugin_load(const zn_task_host *host, zn_digest digest, const char *file,
                         const zonda_plugin_table **out, zonda_error *error) {
    const zonda_plugin_table *table = find_loaded(digest);
    if (table != NULL) {
        *out = table;
        return ZONDA_OK;
    }
    char name[ZN_DIGEST_TEXT];
    char *path = zn_format("%s/plugin-%s.so", host->scratch, zn_digest_text(digest, name));
    zonda_err err = keep_file(host, digest, file, path, error);
    if (err == ZONDA_OK) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library == NULL) {
            err = refuse_loading(path, file, error);
        } else {
            table = dlsym(library, "zonda_plugin_v1");
            err = zn_plugin_check_table(table, file, error);
        }
    }
    free(path);
    if (err == ZONDA_OK) {
        note_loaded(digest, table);
        *out = table;
    }
    return err;
}

/* Function `index`; what an older plug-in does not know stays empty. */
static zonda_plugin_function function_at(const zonda_plugin_table *table, size_t index) {
    zonda_plugin_function function = { 0 };
    const uint8_t *first = (const uint8_t *)table->functions;
    memcpy(&function, first + index * table->function_bytes, table->function_bytes);
    return function;
}

zonda_err zn_plugin_find(const zonda_plugin_table *table, const char *file, zn_bytes name,
                         zonda_function *out, zonda_error *error) {
    zn_buf known = { 0 };
    for (size_t i = 0; i < table->count; i++) {
        zonda_plugin_function one = function_at(table, i);
        if (one.name == NULL || (one.function.call == NULL && one.function.group == NULL)) {
            continue;
        }
        if (zn_bytes_equal(name, zn_bytes_of_text(one.name))) {
            *out = one.function;
            zn_buf_free(&known);
            return ZONDA_OK;
        }
        if (known.len < ZN_ERROR_TEXT_BYTES_MAX) {
            zn_buf_printf(&known, "%s%s", known.len == 0 ? "" : ", ", one.name);
        }
    }
    int shown = name.len < ZN_NAME_BYTES_MAX ? (int)name.len : ZN_NAME_BYTES_MAX;
    zn_error_set(error, ZONDA_ERR_NOT_FOUND, "plug-in %s has no function \"%.*s\"; it has: %.*s",
                 file, shown, (const char *)name.data, (int)known.len, (const char *)known.data);
    zn_buf_free(&known);
    return refuse(error);
}

void zn_plugin_put_function(zn_buf *out, zn_digest digest, zn_bytes file, zn_bytes function) {
    zn_put_map(out, 4);
    zn_put_text(out, "kind");
    zn_put_text(out, "plugin");
    zn_put_text(out, "plugin");
    zn_put_binary(out, zn_digest_bytes(&digest));
    zn_put_text(out, "file");
    zn_put_string(out, file);
    zn_put_text(out, "name");
    zn_put_string(out, function);
}
