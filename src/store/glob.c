/* SPDX-License-Identifier: MPL-2.0 */
/* Finding input files. The pattern is expanded to patterns without braces; each is cut into
 * components, and a list of (folder, component) that are still to be looked at replaces recursion.
 * A folder is read whole and closed before anything below it is opened, so one descriptor is
 * enough for any depth. "**" does not follow symbolic links to folders, so loops cannot catch it;
 * a link that the pattern reaches by a component of its own is followed.
 *
 * What vanishes while we look is no match. What cannot be read is an error: files that are silently
 * left out would be a wrong result. Called by the planner. */
#include "store/glob.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/braces.h"
#include "store/file.h"
#include "store/glob_match.h"

enum {
    PATHS_MAX = 10000000
};

/* A place in the tree from which the components from `component` on are still to be matched. */
typedef struct place {
    char *path; /* "" is where we are, else it ends in a slash */
    size_t component;
} place;

typedef struct search {
    zn_paths components;
    place *places;
    size_t count;
    size_t capacity;
    zn_paths *out;
    const char *pattern;
    zonda_error *error;
} search;

void zn_paths_free(zn_paths *paths) {
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->items[i]);
    }
    free(paths->items);
    *paths = (zn_paths){ 0 };
}

static void add_path(zn_paths *paths, char *owned) {
    ZN_GROW(paths->items, paths->count, paths->capacity);
    paths->items[paths->count++] = owned;
}

/* A copy without the backslashes that escape. */
static char *unescape(const char *text) {
    char *copy = zn_strdup(text);
    char *out = copy;
    for (const char *in = text; *in != '\0'; in++) {
        in += *in == '\\' && in[1] != '\0';
        *out++ = *in;
    }
    *out = '\0';
    return copy;
}

static zonda_err too_many(search *run) {
    return zn_error_set(run->error, ZONDA_ERR_LIMIT, "'%s' matches more than %d files",
                        run->pattern, PATHS_MAX);
}

static zonda_err add_place(search *run, const char *path, const char *name, size_t component) {
    size_t len = strlen(path) + strlen(name);
    if (len >= ZN_PATH_BYTES_MAX) {
        return zn_error_set(run->error, ZONDA_ERR_LIMIT,
                            "'%s' leads to a path of %zu bytes, above the limit of %d",
                            run->pattern, len, ZN_PATH_BYTES_MAX);
    }
    if (run->count >= PATHS_MAX) {
        return too_many(run);
    }
    ZN_GROW(run->places, run->count, run->capacity);
    run->places[run->count++] =
        (place){ .path = zn_format("%s%s/", path, name), .component = component };
    return ZONDA_OK;
}

static zonda_err add_file(search *run, const char *folder, const char *name) {
    if (run->out->count >= PATHS_MAX) {
        return too_many(run);
    }
    add_path(run->out, zn_format("%s%s", folder, name));
    return ZONDA_OK;
}

/* What an entry is; links are followed if `follow`. 0 if it is gone. */
static mode_t type_of(const char *folder, const struct dirent *entry, bool follow) {
    if (entry->d_type == DT_REG) {
        return S_IFREG;
    }
    if (entry->d_type == DT_DIR) {
        return S_IFDIR;
    }
    if (entry->d_type != DT_UNKNOWN && (entry->d_type != DT_LNK || !follow)) {
        return S_IFIFO;
    }
    char *path = zn_format("%s%s", folder, entry->d_name);
    struct stat status;
    int code = follow ? stat(path, &status) : lstat(path, &status);
    free(path);
    return code == 0 ? status.st_mode & S_IFMT : 0;
}

static zonda_err visit_entry(search *run, const place *here, const struct dirent *entry) {
    const char *component = run->components.items[here->component];
    const char *name = entry->d_name;
    bool last = here->component + 1 == run->components.count;
    if (strcmp(component, "**") == 0) {
        bool below = name[0] != '.' && type_of(here->path, entry, false) == S_IFDIR;
        return below ? add_place(run, here->path, name, here->component) : ZONDA_OK;
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !zn_glob_match(component, name)) {
        return ZONDA_OK;
    }
    mode_t type = type_of(here->path, entry, true);
    if (last) {
        return type == S_IFREG ? add_file(run, here->path, name) : ZONDA_OK;
    }
    return type == S_IFDIR ? add_place(run, here->path, name, here->component + 1) : ZONDA_OK;
}

static bool is_absent(int cause) {
    return cause == ENOENT || cause == ENOTDIR;
}

static zonda_err visit_folder(search *run, const place *here) {
    const char *path = here->path[0] == '\0' ? "." : here->path;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return is_absent(errno) ? ZONDA_OK
                                : zn_file_failed(run->error, path, "cannot read the folder");
    }
    zonda_err code = ZONDA_OK;
    while (code == ZONDA_OK) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0) {
            code = zn_file_failed(run->error, path, "cannot read the folder");
        }
        if (entry == NULL) {
            break;
        }
        code = visit_entry(run, here, entry);
    }
    closedir(folder);
    return code;
}

/* A component without wildcards needs no folder to be read. */
static zonda_err visit_literal(search *run, const place *here) {
    char *name = unescape(run->components.items[here->component]);
    zonda_err code = ZONDA_OK;
    if (here->component + 1 < run->components.count) {
        code = add_place(run, here->path, name, here->component + 1);
        free(name);
        return code;
    }
    char *path = zn_format("%s%s", here->path, name);
    struct stat status;
    if (stat(path, &status) != 0) {
        code = is_absent(errno) ? ZONDA_OK : zn_file_failed(run->error, path, "cannot look at");
    } else if (S_ISREG(status.st_mode)) {
        code = add_file(run, here->path, name);
    }
    free(path);
    free(name);
    return code;
}

static zonda_err visit(search *run, const place *here) {
    const char *component = run->components.items[here->component];
    if (!zn_glob_is_wild(component)) {
        return visit_literal(run, here);
    }
    if (strcmp(component, "**") == 0) {
        /* No folder at all is one of the possibilities. */
        place below = { .path = here->path, .component = here->component + 1 };
        zonda_err code = visit(run, &below);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    return visit_folder(run, here);
}

/* Cuts at slashes; several count as one, and so do several "**". A last "**" means all files. */
static void cut_components(const char *pattern, zn_paths *out) {
    const char *at = pattern + strspn(pattern, "/");
    while (*at != '\0') {
        size_t len = strcspn(at, "/");
        bool star_star = len == 2 && memcmp(at, "**", 2) == 0;
        bool again = star_star && out->count > 0 && strcmp(out->items[out->count - 1], "**") == 0;
        if (!again) {
            add_path(out, zn_strndup(at, len));
        }
        at += len;
        at += strspn(at, "/");
    }
    if (out->count > 0 && strcmp(out->items[out->count - 1], "**") == 0) {
        add_path(out, zn_strdup("*"));
    }
}

static zonda_err search_pattern(const char *pattern, zn_paths *out, zonda_error *error) {
    size_t len = strlen(pattern);
    if (len == 0 || pattern[len - 1] == '/') {
        return ZONDA_OK; /* names folders, and those are no input */
    }
    search run = { .out = out, .pattern = pattern, .error = error };
    cut_components(pattern, &run.components);
    zonda_err code = add_place(&run, "", "", 0);
    if (code == ZONDA_OK && pattern[0] != '/') {
        run.places[0].path[0] = '\0';
    }
    while (run.count > 0) {
        place here = run.places[--run.count];
        if (code == ZONDA_OK) {
            code = visit(&run, &here);
        }
        free(here.path);
    }
    free(run.places);
    zn_paths_free(&run.components);
    return code;
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(zn_paths *paths) {
    if (paths->count < 2) {
        return;
    }
    qsort(paths->items, paths->count, sizeof *paths->items, compare_paths);
    size_t kept = 1;
    for (size_t i = 1; i < paths->count; i++) {
        if (strcmp(paths->items[i], paths->items[kept - 1]) == 0) {
            free(paths->items[i]);
        } else {
            paths->items[kept++] = paths->items[i];
        }
    }
    paths->count = kept;
}

static zonda_err take_literal(const char *pattern, zn_paths *out, zonda_error *error) {
    char *path = unescape(pattern);
    struct stat status;
    zonda_err code = ZONDA_OK;
    if (stat(path, &status) != 0) {
        bool absent = is_absent(errno);
        code = zn_file_failed(error, path, "cannot find the file");
        if (absent) {
            code = ZONDA_ERR_NO_MATCH;
        }
    } else if (S_ISDIR(status.st_mode)) {
        code = zn_error_set(error, ZONDA_ERR_IO,
                            "it is a folder, not a file ('%s/*' stands for its files)", path);
    } else if (!S_ISREG(status.st_mode)) {
        code = zn_error_set(error, ZONDA_ERR_IO, "it is not a regular file");
    }
    if (code == ZONDA_OK) {
        add_path(out, path);
        return ZONDA_OK;
    }
    if (error != NULL) {
        error->code = code;
    }
    zn_error_at(error, path, 0, 0);
    free(path);
    return code;
}

zonda_err zn_glob(const char *pattern, zn_paths *out, zonda_error *error) {
    if (strlen(pattern) >= ZN_PATH_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT, "the pattern of %zu bytes is longer than %d",
                            strlen(pattern), ZN_PATH_BYTES_MAX);
    }
    zn_paths patterns = { 0 };
    zn_paths found = { 0 };
    zonda_err code = zn_braces_expand(pattern, &patterns, error);
    bool literal = code == ZONDA_OK && patterns.count == 1 && !zn_glob_is_wild(patterns.items[0]);
    if (literal && pattern[0] != '\0') {
        code = take_literal(patterns.items[0], &found, error);
    } else {
        for (size_t i = 0; i < patterns.count && code == ZONDA_OK; i++) {
            code = search_pattern(patterns.items[i], &found, error);
        }
    }
    zn_paths_free(&patterns);
    sort_unique(&found);
    if (code == ZONDA_OK && found.count == 0) {
        code = zn_error_set(error, ZONDA_ERR_NO_MATCH, "no file matches '%s'", pattern);
    }
    if (code != ZONDA_OK) {
        zn_paths_free(&found);
        return code;
    }
    *out = found;
    return ZONDA_OK;
}
