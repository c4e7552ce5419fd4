/* SPDX-License-Identifier: MPL-2.0 */
/* From the words of a command line to datasets: verbs give one, a script gives what it returns. */
#include "cli/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "cli/verbs.h"
#ifdef ZN_HAVE_LUA
#include "ops/lua_script.h"
#include "runtime/script.h"
#endif

static bool is_script(const char *word) {
    size_t length = strlen(word);
    return length > 4 && strcmp(word + length - 4, ".lua") == 0;
}

#ifdef ZN_HAVE_LUA
static zonda_err read_script(const char *path, zn_buf *out, zonda_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return zn_error_set(error, ZONDA_ERR_IO, "script %s: %s", path, strerror(errno));
    }
    char chunk[4096];
    size_t got = 0;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0 && out->len <= ZN_SCRIPT_BYTES_MAX) {
        zn_buf_append(out, chunk, got);
    }
    zonda_err code = ZONDA_OK;
    if (ferror(file)) {
        code = zn_error_set(error, ZONDA_ERR_IO, "script %s: %s", path, strerror(errno));
    } else if (out->len > ZN_SCRIPT_BYTES_MAX) {
        code = zn_error_set(error, ZONDA_ERR_LIMIT, "script %s is larger than %u bytes", path,
                            ZN_SCRIPT_BYTES_MAX);
    }
    fclose(file);
    return code;
}

/* zonda.plugin() of a script. */
static zonda_err load_plugin(void *context, const char *path, zn_digest *digest,
                             zonda_error *error) {
    zn_pipeline *pipeline = context;
    const zonda_plugin *plugin = NULL;
    zonda_err code = zn_plugin_list_load(&pipeline->plugins, path, &plugin, error);
    if (code == ZONDA_OK) {
        *digest = plugin->digest;
    }
    return code;
}

static zonda_err build_script(char *const *words, size_t count, zn_pipeline *out,
                              zonda_error *error) {
    zn_buf text = { 0 };
    zonda_err code = read_script(words[0], &text, error);
    if (code == ZONDA_OK) {
        zn_script_host host = { .limits = out->limits, .plugin = load_plugin, .context = out };
        out->script = zn_lua_script_new(words[0], zn_buf_bytes(&text),
                                        (const char *const *)words + 1, count - 1, &host, error);
        code = out->script == NULL ? error->code
                                   : zn_script_datasets(out->script, &out->plugins, &out->datasets,
                                                        &out->count, error);
    }
    zn_buf_free(&text);
    return code;
}

zonda_err zn_pipeline_put_shared(const zn_pipeline *pipeline, zonda_cluster *cluster,
                                 zonda_error *error) {
    if (pipeline->script == NULL) {
        return ZONDA_OK;
    }
    size_t count = 0;
    const zn_script_put *puts = zn_lua_script_puts(pipeline->script, &count);
    for (size_t i = 0; i < count; i++) {
        zonda_err code =
            zonda_cluster_put(cluster, puts[i].name, puts[i].value.data, puts[i].value.len, error);
        if (code != ZONDA_OK) {
            return code;
        }
    }
    return ZONDA_OK;
}

static void free_script(zn_pipeline *pipeline) {
    zn_lua_script_destroy(&pipeline->script);
}
#else
static zonda_err build_script(char *const *words, size_t count, zn_pipeline *out,
                              zonda_error *error) {
    (void)count;
    (void)out;
    return zn_error_set(error, ZONDA_ERR_UNSUPPORTED, "%s: this zonda was built without Lua",
                        words[0]);
}

zonda_err zn_pipeline_put_shared(const zn_pipeline *pipeline, zonda_cluster *cluster,
                                 zonda_error *error) {
    (void)pipeline;
    (void)cluster;
    (void)error;
    return ZONDA_OK;
}

static void free_script(zn_pipeline *pipeline) {
    (void)pipeline;
}
#endif

zonda_err zn_pipeline_build(char *const *words, size_t count, zn_pipeline *out,
                            zonda_error *error) {
    if (is_script(words[0])) {
        zonda_err code = build_script(words, count, out, error);
        if (code != ZONDA_OK) {
            zn_pipeline_free(out);
        }
        return code;
    }
    zonda_dataset *dataset = zn_verbs_parse(words, count, &out->plugins, error);
    if (dataset == NULL) {
        return error->code;
    }
    out->datasets = ZN_NEW(zonda_dataset *);
    out->datasets[0] = dataset;
    out->count = 1;
    return ZONDA_OK;
}

void zn_pipeline_free(zn_pipeline *pipeline) {
    for (size_t i = 0; i < pipeline->count; i++) {
        zonda_dataset_destroy(&pipeline->datasets[i]);
    }
    free(pipeline->datasets);
    free_script(pipeline);
    zn_plugin_list_free(&pipeline->plugins);
    *pipeline = (zn_pipeline){ 0 };
}
