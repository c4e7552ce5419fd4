/* SPDX-License-Identifier: MPL-2.0 */
/* What records are in the files of each format, and which patterns and levels are accepted. */
#include "test.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "fake_host.h"
#include "ops/sink_args.h"
#include "ops/writer.h"
#include "record/value.h"
#include "store/stream.h"

/* Writes the elements of a JSON array as one file, which the caller frees. */
static zonda_err write_all(const zn_writer *writer, void *state, zn_bytes records, zn_buf *out,
                           zonda_error *error) {
    if (writer->begin != NULL) {
        writer->begin(state);
    }
    zn_cursor cursor = zn_cursor_of(records);
    uint32_t count = zn_cursor_read(&cursor).count;
    zonda_err err = ZONDA_OK;
    for (uint32_t i = 0; i < count && err == ZONDA_OK; i++) {
        err = writer->put(state, zn_cursor_skip(&cursor), out, error);
    }
    return err;
}

typedef struct format_row {
    const zn_writer *writer;
    const char *records;
    const char *bytes; /* NULL: an error */
    const char *problem;
} format_row;

static const format_row format_rows[] = {
    { &zn_writer_jsonl, "[{\"b\":1,\"a\":null},2.5]", "{\"b\":1,\"a\":null}\n2.5\n", NULL },
    { &zn_writer_text, "[\"a\",\"\",\"\u00e9 b\"]", "a\n\n\u00e9 b\n", NULL },
    { &zn_writer_text, "[\"a\",1]", NULL, "write_text needs a string as record, not integer" },
    { &zn_writer_msgpack, "[1,\"a\",[true]]",
      "\x01\xa1"
      "a\x91\xc3",
      NULL },
    { &zn_writer_binary, "[\"ab\",\"\",\"c\\n\"]", "abc\n", NULL },
    { &zn_writer_binary, "[{}]", NULL,
      "write_binary needs a binary or a string as record, not map" },
    /* The header is the first record's, in its order; later ones may lack fields. */
    { &zn_writer_csv, "[{\"b\":1,\"a\":\"x\"},{\"a\":\"y\",\"b\":2},{\"a\":\"z\"},{}]",
      "b,a\n1,x\n2,y\n,z\n,\n", NULL },
    { &zn_writer_tsv, "[{\"b\":1,\"a\":\"x,y\"},{\"a\":\"t\\tt\"}]", "b\ta\n1\tx,y\n\t\"t\tt\"\n",
      NULL },
    /* Scalars as text. */
    { &zn_writer_csv,
      "[{\"n\":null,\"t\":true,\"f\":false,\"i\":-9223372036854775808,\"u\":18446744073709551615,"
      "\"d\":1.0,\"e\":1e300,\"s\":\" s \"}]",
      "n,t,f,i,u,d,e,s\nnull,true,false,-9223372036854775808,18446744073709551615,1.0,1e+300, s \n",
      NULL },
    /* Quotes where they are needed, in names too. */
    { &zn_writer_csv,
      "[{\"a,b\":\"say \\\"hi\\\"\",\"c\":\"two\\nlines\",\"d\":\"cr\\r\",\"e\":\"t\\t\"}]",
      "\"a,b\",c,d,e\n\"say \"\"hi\"\"\",\"two\nlines\",\"cr\r\",t\t\n", NULL },
    /* One empty field is no blank line. */
    { &zn_writer_csv, "[{\"a\":\"\"},{},{\"a\":\"x\"}]", "a\n\"\"\n\"\"\nx\n", NULL },
    { &zn_writer_csv, "[{\"\":1}]", "\"\"\n1\n", NULL },
    { &zn_writer_csv, "[]", "", NULL },
    { &zn_writer_csv, "[{\"a\":1},{\"a\":2,\"new\":3}]", NULL,
      "the field \"new\" is not in the header, which has the fields of the first record" },
    { &zn_writer_csv, "[{\"a\":[1]}]", NULL,
      "the field \"a\" must be text, a number, a boolean or null, not array" },
    { &zn_writer_csv, "[{\"a\":1,\"b\":{}}]", NULL,
      "the field \"b\" must be text, a number, a boolean or null, not map" },
    { &zn_writer_csv, "[7]", NULL, "a row of a table needs a map as record, not integer" },
    { &zn_writer_csv, "[{}]", NULL, "the first record has no fields, so there is no header" },
};

/* Each row of the table gives its bytes or its error, also as the second file of a writer. */
static void test_writers_records_have_their_bytes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof format_rows / sizeof format_rows[0]; i++) {
        const format_row *row = &format_rows[i];
        zn_buf records = { 0 };
        fake_json(row->records, &records);
        void *writing = row->writer->open == NULL ? NULL : row->writer->open();
        for (int file = 0; file < 2; file++) {
            zn_buf out = { 0 };
            zonda_error error = { 0 };
            zonda_err err = write_all(row->writer, writing, zn_buf_bytes(&records), &out, &error);
            if (row->bytes == NULL) {
                assert_err(err, BAD_RECORD);
                assert_string_equal(error.text, row->problem);
            } else {
                assert_ok(err, error);
                zn_buf_append_byte(&out, 0);
                assert_string_equal((char *)out.data, row->bytes);
            }
            zn_buf_free(&out);
        }
        if (row->writer->close != NULL) {
            row->writer->close(writing);
        }
        zn_buf_free(&records);
    }
}

static zonda_error refuse_pair(zn_value_type type) {
    zonda_error error = { 0 };
    zn_buf record = { 0 };
    zn_buf out = { 0 };
    zn_put_map(&record, type == ZN_VALUE_NIL ? 2 : 1);
    zn_put_text(&record, "a");
    if (type == ZN_VALUE_DOUBLE) {
        zn_put_double(&record, -1.0 / 0.0);
    } else if (type == ZN_VALUE_BINARY) {
        zn_put_binary(&record, (zn_bytes){ (const uint8_t *)"\xff", 1 });
    } else if (type == ZN_VALUE_STRING) {
        zn_put_string(&record, (zn_bytes){ (const uint8_t *)"\xff", 1 });
    } else {
        zn_put_nil(&record);
        zn_put_text(&record, "a");
        zn_put_nil(&record);
    }
    void *writing = zn_writer_csv.open();
    zn_writer_csv.begin(writing);
    assert_err(zn_writer_csv.put(writing, zn_buf_bytes(&record), &out, &error), BAD_RECORD);
    zn_writer_csv.close(writing);
    zn_buf_free(&record);
    zn_buf_free(&out);
    return error;
}

/* Values that JSON cannot say, and a field that is there twice. */
static void test_csv_odd_values_are_named(void **state) {
    (void)state;
    assert_string_equal(refuse_pair(ZN_VALUE_DOUBLE).text, "the field \"a\" is NaN or infinite");
    assert_string_equal(refuse_pair(ZN_VALUE_BINARY).text,
                        "the field \"a\" must be text, a number, a boolean or null, not binary");
    assert_string_equal(refuse_pair(ZN_VALUE_STRING).text, "the field \"a\" is not valid UTF-8");
    assert_string_equal(refuse_pair(ZN_VALUE_NIL).text, "the field \"a\" is there twice");
}

/* Binary records keep every byte. */
static void test_binary_payloads_are_concatenated(void **state) {
    (void)state;
    zonda_error error = { 0 };
    zn_buf record = { 0 };
    zn_buf out = { 0 };
    zn_put_binary(&record, (zn_bytes){ (const uint8_t *)"\x00\xff\n", 3 });
    assert_ok(zn_writer_binary.put(NULL, zn_buf_bytes(&record), &out, &error), error);
    assert_ok(zn_writer_binary.put(NULL, zn_buf_bytes(&record), &out, &error), error);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "\x00\xff\n\x00\xff\n", 6);
    zn_buf_free(&record);
    zn_buf_free(&out);
}

/* A shard without records is an empty file in every format and every compression. */
static void test_sinks_empty_shard_is_a_valid_file(void **state) {
    (void)state;
    static const char *const formats[] = { "jsonl", "text", "msgpack", "csv", "tsv", "binary" };
    static const char *const compressions[] = { "", ".gz", ".zst", ".zstd" };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        for (size_t j = 0; j < sizeof compressions / sizeof *compressions; j++) {
            fake_host host;
            fake_host_open(&host);
            zonda_error error = { 0 };
            fake_body body = fake_body_of(&host, 1);
            fake_body_op(&body, "from_range", "{\"n\":0}");
            char *path = zn_format("%s/o%s", host.folder, compressions[j]);
            char *args = zn_format("{\"pattern\":\"%s\"}", path);
            char *op = zn_format("write_%s", formats[i]);
            fake_body_op(&body, op, args);
            zn_stage_exec *stage = fake_body_open(&body, &error);
            assert_non_null(stage);
            free(fake_run(&host, stage, 0));
            zn_in_stream *stream = zn_in_stream_open(path, &error);
            assert_non_null(stream);
            uint8_t byte = 0;
            size_t got = 1;
            assert_ok(zn_in_stream_read(stream, &byte, 1, &got, &error), error);
            assert_int_equal(got, 0);
            zn_in_stream_destroy(&stream);
            zn_stage_exec_destroy(&stage);
            free(path);
            free(args);
            free(op);
            fake_host_close(&host);
        }
    }
}

typedef struct args_row {
    const char *args;
    zonda_err err;
    const char *word;
} args_row;

static const args_row args_rows[] = {
    { "{\"pattern\":\"o.jsonl\"}", ZONDA_OK, "" },
    { "{\"pattern\":\"o.jsonl.gz\",\"level\":9}", ZONDA_OK, "" },
    { "{\"pattern\":\"o.jsonl.zst\",\"level\":22}", ZONDA_OK, "" },
    { "{\"pattern\":\"o.jsonl.zstd\",\"level\":1,\"skip_existing\":true}", ZONDA_OK, "" },
    { "{\"pattern\":\"o.jsonl.gz\",\"level\":0}", ZONDA_OK, "" },
    { "{\"pattern\":\"o.jsonl.gz\",\"level\":10}", ZONDA_ERR_PLAN, "takes 1 to 9" },
    { "{\"pattern\":\"o.jsonl.zst\",\"level\":23}", ZONDA_ERR_PLAN, "takes 1 to 22" },
    { "{\"pattern\":\"o.jsonl\",\"level\":3}", ZONDA_ERR_PLAN, "no suffix of a compression" },
    { "{\"pattern\":\"o/{shart}\"}", ZONDA_ERR_PLAN, "shart" },
    { "{\"pattern\":\"o/\"}", ZONDA_ERR_PLAN, "names no file" },
    { "{}", ZONDA_ERR_PLAN, "pattern" },
};

/* Patterns and levels are judged together, and the range is that of the compression. */
static void test_sink_args_are_checked(void **state) {
    (void)state;
    const zn_op_def *op = zn_op_find(zn_bytes_of_text("write_jsonl"));
    for (size_t i = 0; i < sizeof args_rows / sizeof args_rows[0]; i++) {
        zn_buf args = { 0 };
        fake_json(args_rows[i].args, &args);
        zn_sink_args read = { 0 };
        zonda_error error = { 0 };
        assert_int_equal(zn_sink_args_read(op, zn_buf_bytes(&args), 1, &read, &error),
                         args_rows[i].err);
        assert_non_null(strstr(error.text, args_rows[i].word));
        zn_sink_args_free(&read);
        zn_buf_free(&args);
    }
}

/* Every suffix of the reference, also under a compression. */
static void test_write_format_follows_the_suffix(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        { "o.jsonl", "jsonl" },         { "o.ndjson.gz", "jsonl" },
        { "o.txt.zst", "text" },        { "o.text", "text" },
        { "o.log.zstd", "text" },       { "o.msgpack", "msgpack" },
        { "o.mp.gz", "msgpack" },       { "o-{shard}.csv", "csv" },
        { "o/{shard}.tsv.zst", "tsv" }, { "o.d/{basename}.bin", "binary" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *format = NULL;
        zonda_error error = { 0 };
        assert_ok(zn_write_format(rows[i][0], &format, &error), error);
        assert_string_equal(format, rows[i][1]);
    }
    const char *format = NULL;
    zonda_error error = { 0 };
    assert_err(zn_write_format("o.gz", &format, &error), PLAN);
    assert_err(zn_write_format("csv", &format, &error), PLAN);
    assert_non_null(strstr(error.text, ".tsv"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers_records_have_their_bytes),
        cmocka_unit_test(test_csv_odd_values_are_named),
        cmocka_unit_test(test_binary_payloads_are_concatenated),
        cmocka_unit_test(test_sinks_empty_shard_is_a_valid_file),
        cmocka_unit_test(test_sink_args_are_checked),
        cmocka_unit_test(test_write_format_follows_the_suffix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
