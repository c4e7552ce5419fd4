/* SPDX-License-Identifier: MPL-2.0 */
/* Makes the inputs of the rows of data: the same bytes everywhere, from the number of each row.
 *
 *   bench_generate KIND COUNT FOLDER [FILES]
 *
 * writes COUNT rows to FOLDER/KIND-000.SUFFIX and so on, FILES of them (16 without it). Kinds:
 *   sort      100 bytes of MessagePack, {k: 16 hexadecimal digits, n: number, t: text}
 *   lines     100 bytes of text with newline: the same key, number and text
 *   wide      1,024 bytes, {k, s: keys, n, t}: a key has 8 rows by k; by s one key has 90 % of all
 *   left      31 bytes, {k, n}: each key once
 *   right     31 bytes, {k, m}: the same keys in another order
 *   million   {k, n} with a million different numbers k
 *   text      lines of 10,000 words of 5 to 13 letters, as often as Zipf says; COUNT is bytes
 *   corpus    the same with 100,000 words, of which the frequent ones are short
 *   packages  lines of JSON that are like an index of packages
 * Texts are random digits: compression can make them half as long. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix.h"

enum {
    KEY_BYTES = 16,
    SORT_TEXT_BYTES = 65, /* with the other fields 100 */
    LINE_TEXT_BYTES = 65,
    WIDE_TEXT_BYTES = 969, /* 1,024 */
    TEXT_BYTES_MAX = 1024,
    ROWS_PER_KEY = 8,
    TEXT_WORDS = 10000,
    CORPUS_WORDS = 100000,
    DRAWS = 1 << 22, /* so that even the rarest word has some */
    WORD_BYTES_MAX = 16,
    LINE_BYTES = 80
};

static void put_hex(char *out, uint64_t value) {
    for (int i = KEY_BYTES - 1; i >= 0; i--) {
        out[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static void write_text(FILE *out, size_t bytes, uint64_t seed) {
    char text[TEXT_BYTES_MAX];
    for (size_t i = 0; i < bytes; i += KEY_BYTES) {
        put_hex(text + i, scramble(seed * TEXT_BYTES_MAX + i));
    }
    fwrite(text, 1, bytes, out);
}

/* The head of a field: its name, a letter. */
static void write_name(FILE *out, char name) {
    putc_unlocked(0xa1, out);
    putc_unlocked(name, out);
}

static void write_key(FILE *out, char name, uint64_t key) {
    char hex[KEY_BYTES];
    put_hex(hex, key);
    write_name(out, name);
    putc_unlocked(0xa0 | KEY_BYTES, out);
    fwrite(hex, 1, sizeof hex, out);
}

static void write_big_endian(FILE *out, uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--) {
        putc_unlocked((int)(value >> (8 * i) & 255), out);
    }
}

/* Always in 9 bytes, so that records are of one size: the number is above 2³². */
static void write_number(FILE *out, char name, uint64_t number) {
    write_name(out, name);
    putc_unlocked(0xcf, out);
    write_big_endian(out, (UINT64_C(1) << 40) + number, 8);
}

static void write_sort(FILE *out, uint64_t n, uint64_t count) {
    (void)count;
    putc_unlocked(0x83, out);
    write_key(out, 'k', scramble(n));
    write_number(out, 'n', n);
    write_name(out, 't');
    putc_unlocked(0xd9, out);
    putc_unlocked(SORT_TEXT_BYTES, out);
    write_text(out, SORT_TEXT_BYTES, n);
}

static void write_line(FILE *out, uint64_t n, uint64_t count) {
    (void)count;
    char hex[KEY_BYTES];
    put_hex(hex, scramble(n));
    fwrite(hex, 1, sizeof hex, out);
    fprintf(out, " %016" PRIx64 " ", n);
    write_text(out, LINE_TEXT_BYTES, n);
    putc_unlocked('\n', out);
}

static uint64_t skewed_key(uint64_t n, uint64_t count) {
    return n % 10 != 0 ? 0 : scramble(1 + n / 10 % (count / 10 / ROWS_PER_KEY));
}

static void write_wide(FILE *out, uint64_t n, uint64_t count) {
    putc_unlocked(0x84, out);
    write_key(out, 'k', scramble(n % (count / ROWS_PER_KEY)));
    write_key(out, 's', skewed_key(n, count));
    write_number(out, 'n', n);
    write_name(out, 't');
    putc_unlocked(0xda, out);
    write_big_endian(out, WIDE_TEXT_BYTES, 2);
    write_text(out, WIDE_TEXT_BYTES, n);
}

static void write_left(FILE *out, uint64_t n, uint64_t count) {
    (void)count;
    putc_unlocked(0x82, out);
    write_key(out, 'k', scramble(n));
    write_number(out, 'n', n);
}

/* A prime that does not divide `count` makes all numbers in another order. */
static void write_right(FILE *out, uint64_t i, uint64_t count) {
    uint64_t n = i * 7919 % count;
    putc_unlocked(0x82, out);
    write_key(out, 'k', scramble(n));
    write_number(out, 'm', n);
}

static void write_small_number(FILE *out, char name, uint64_t number) {
    write_name(out, name);
    int bytes = number < 128 ? 0 : number < 256 ? 1 : number < 65536 ? 2 : 4;
    if (bytes > 0) {
        putc_unlocked(bytes == 1 ? 0xcc : bytes == 2 ? 0xcd : 0xce, out);
    }
    write_big_endian(out, number, bytes > 0 ? bytes : 1);
}

static void write_million(FILE *out, uint64_t n, uint64_t count) {
    (void)count;
    putc_unlocked(0x82, out);
    write_small_number(out, 'k', million_key(n));
    write_small_number(out, 'n', n);
}

/* ---- text ---- */

static char words[CORPUS_WORDS][WORD_BYTES_MAX];
static uint32_t draws[DRAWS];

static size_t word_length(uint64_t random, uint32_t rank, bool is_corpus) {
    if (!is_corpus) {
        return 5 + random % 9;
    }
    return rank < 100 ? 1 + random % 4 : 3 + random % 9;
}

/* Words of letters as frequent as in English. */
static void make_words(bool is_corpus) {
    static const char letters[] =
        "eeeeeeeeeeeetttttttttaaaaaaaaoooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrr"
        "ddddllllccuuummmwwffggyyppbbvkjxqz";
    uint32_t count = is_corpus ? CORPUS_WORDS : TEXT_WORDS;
    for (uint32_t rank = 0; rank < count; rank++) {
        uint64_t random = scramble(rank + 77);
        size_t length = word_length(random, rank, is_corpus);
        for (size_t i = 0; i < length; i++) {
            words[rank][i] = letters[scramble(random + i) % (sizeof letters - 1)];
        }
    }
    for (uint32_t i = 0; i < DRAWS; i++) {
        draws[i] = (uint32_t)pow(count, (i + 0.5) / DRAWS) - 1;
    }
}

/* A line of at least LINE_BYTES; returns its length. */
static uint64_t write_words(FILE *out, uint64_t *seed) {
    uint64_t bytes = 0;
    while (bytes < LINE_BYTES) {
        const char *word = words[draws[scramble((*seed)++) % DRAWS]];
        size_t length = strlen(word);
        if (bytes > 0) {
            putc_unlocked(' ', out);
        }
        fwrite(word, 1, length, out);
        bytes += length + (bytes > 0);
    }
    putc_unlocked('\n', out);
    return bytes + 1;
}

static void write_package(FILE *out, uint64_t n, uint64_t count) {
    (void)count;
    uint64_t seed = scramble(n) % DRAWS * 64;
    const char *name = words[scramble(n) % TEXT_WORDS];
    fprintf(out,
            "{\"package\": \"%s-%" PRIu64 "\", \"version\": \"%" PRIu64 ".%" PRIu64
            "-1\", \"depends\": [",
            name, n, scramble(n + 1) % 10, scramble(n + 2) % 30);
    for (uint64_t i = 0; i < scramble(n + 3) % 12; i++) {
        fprintf(out, "%s\"lib%s (>= 2.%" PRIu64 ")\"", i > 0 ? ", " : "",
                words[draws[scramble(seed + i) % DRAWS]], i);
    }
    fprintf(out, "], \"description\": \"");
    for (uint64_t i = 0; i < 8; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", words[draws[scramble(seed + 16 + i) % DRAWS]]);
    }
    fprintf(out, "\", \"section\": \"%s\", \"filename\": \"pool/main/%c/%s_amd64.deb\", ",
            words[scramble(n + 4) % 50 + 100], name[0], name);
    double size = pow(10, 3 + (double)(scramble(n + 5) % 1000) / 250);
    fprintf(out, "\"size\": %" PRIu64 ", \"sha256\": \"", (uint64_t)size);
    write_text(out, 64, n);
    fprintf(out, "\"}\n");
}

/* ---- files ---- */

static const struct kind {
    const char *name;
    const char *suffix;
    void (*write)(FILE *out, uint64_t n, uint64_t count);
} kinds[] = {
    { "sort", "msgpack", write_sort },
    { "lines", "txt", write_line },
    { "wide", "msgpack", write_wide },
    { "left", "msgpack", write_left },
    { "right", "msgpack", write_right },
    { "million", "msgpack", write_million },
    { "packages", "jsonl", write_package },
    { "text", "txt", NULL },
    { "corpus", "txt", NULL },
};

static bool fill(FILE *out, const struct kind *kind, uint64_t first, uint64_t end, uint64_t count) {
    if (kind->write != NULL) {
        for (uint64_t n = first; n < end; n++) {
            kind->write(out, n, count);
        }
    } else {
        uint64_t seed = first;
        for (uint64_t bytes = 0; bytes < end - first;) {
            bytes += write_words(out, &seed);
        }
    }
    return fflush(out) == 0 && !ferror(out);
}

static bool write_file(const char *folder, const struct kind *kind, uint64_t file, uint64_t files,
                       uint64_t count) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%03" PRIu64 ".%s", folder, kind->name, file, kind->suffix);
    FILE *out = fopen(path, "we");
    bool done =
        out != NULL && fill(out, kind, count * file / files, count * (file + 1) / files, count);
    if (!done) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    if (out != NULL) {
        fclose(out);
    }
    return done;
}

int main(int argc, char **argv) {
    const struct kind *kind = NULL;
    for (size_t i = 0; argc >= 4 && i < sizeof kinds / sizeof kinds[0]; i++) {
        kind = strcmp(argv[1], kinds[i].name) == 0 ? &kinds[i] : kind;
    }
    if (kind == NULL) {
        fprintf(stderr, "usage: bench_generate KIND COUNT FOLDER [FILES]\n");
        return 2;
    }
    uint64_t count = strtoull(argv[2], NULL, 10);
    uint64_t files = argc > 4 ? strtoull(argv[4], NULL, 10) : 16;
    make_words(strcmp(kind->name, "corpus") == 0);
    for (uint64_t file = 0; file < files; file++) {
        if (!write_file(argv[3], kind, file, files, count)) {
            return 1;
        }
    }
    return 0;
}
