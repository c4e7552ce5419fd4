/* SPDX-License-Identifier: MPL-2.0 */
/* The frame of the C examples of the reference: builds dataset N of those that the test has put
 * into examples.c, executes it in this process, and prints its records as JSON lines. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zonda/zonda.h>

extern zonda_dataset *(*const examples[])(void);

static void print_value(const msgpack_object *value);

/* The shortest text that reads back the same, with a point. */
static void print_double(double value) {
    char text[40];
    int precision = 1;
    do {
        snprintf(text, sizeof text, "%.*g", precision++, value);
    } while (precision <= 17 && strtod(text, NULL) != value);
    printf("%s%s", text, strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void print_text(const msgpack_object_str *text) {
    putchar('"');
    for (uint32_t i = 0; i < text->size; i++) {
        if (text->ptr[i] == '\n') {
            fputs("\\n", stdout);
        } else {
            printf("%s%c", strchr("\"\\", text->ptr[i]) != NULL ? "\\" : "", text->ptr[i]);
        }
    }
    putchar('"');
}

static void print_map(const msgpack_object_map *map) {
    for (uint32_t i = 0; i < map->size; i++) {
        putchar(i == 0 ? '{' : ',');
        print_value(&map->ptr[i].key);
        putchar(':');
        print_value(&map->ptr[i].val);
    }
    fputs(map->size == 0 ? "{}" : "}", stdout);
}

static void print_array(const msgpack_object_array *array) {
    for (uint32_t i = 0; i < array->size; i++) {
        putchar(i == 0 ? '[' : ',');
        print_value(&array->ptr[i]);
    }
    fputs(array->size == 0 ? "[]" : "]", stdout);
}

static void print_value(const msgpack_object *value) {
    switch (value->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        fputs(value->via.boolean ? "true" : "false", stdout);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        printf("%" PRIu64, value->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        printf("%" PRId64, value->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        print_double(value->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        print_text(&value->via.str);
        break;
    case MSGPACK_OBJECT_ARRAY:
        print_array(&value->via.array);
        break;
    case MSGPACK_OBJECT_MAP:
        print_map(&value->via.map);
        break;
    default:
        fputs("null", stdout);
        break;
    }
}

static zonda_err print_record(void *context, const void *record, size_t bytes) {
    (void)context;
    msgpack_unpacked value;
    msgpack_unpacked_init(&value);
    msgpack_unpack_next(&value, record, bytes, NULL);
    print_value(&value.data);
    putchar('\n');
    msgpack_unpacked_destroy(&value);
    return ZONDA_OK;
}

int main(int argc, char **argv) {
    zonda_error error = { 0 };
    zonda_dataset *dataset = examples[argc > 1 ? strtoul(argv[1], NULL, 10) : 0]();
    zonda_cluster *cluster = zonda_cluster_open_local(&(zonda_local_options){ .slots = 2 }, &error);
    zonda_execute_options options = { .on_record = print_record };
    zonda_result *result =
        cluster == NULL ? NULL : zonda_execute(cluster, dataset, &options, &error);
    if (result == NULL) {
        char text[2048];
        fprintf(stderr, "%s\n", zonda_error_format(&error, text, sizeof text));
    }
    zonda_result_destroy(&result);
    zonda_dataset_destroy(&dataset);
    zonda_cluster_close(&cluster);
    return error.code == ZONDA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
