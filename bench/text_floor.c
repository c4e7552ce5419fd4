/* SPDX-License-Identifier: MPL-2.0 */
/* The floors of the rows of text: one thread, 256 KiB at a time, as little as the work needs.
 *
 *   bench_text_floor grep TEXT OUT FILE…  what wc -l does, and for each line what memchr and memcmp
 *                                         need to find TEXT; lines with it go to OUT
 *   bench_text_floor words OUT FILE…      counts words in a hash table; OUT has a line "WORD COUNT"
 *                                         for each
 *
 * Prints {"lines", "found"} or {"words", "distinct"}. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    BLOCK_BYTES = 256 * 1024,
    LINE_BYTES_MAX = 64 * 1024,
    WORD_BYTES_MAX = 23,
    SLOTS = 1 << 18
};

typedef struct totals {
    uint64_t lines, found, words, distinct;
} totals;

typedef struct job {
    const char *text; /* grep: what lines are to have */
    size_t text_bytes;
    FILE *out;
    totals total;
} job;

static void stop(const char *what) {
    fprintf(stderr, "bench_text_floor: %s\n", what);
    exit(1);
}

static bool has_text(const job *work, const char *line, size_t bytes) {
    const char *end = line + bytes;
    while ((line = memchr(line, work->text[0], (size_t)(end - line))) != NULL) {
        if ((size_t)(end - line) < work->text_bytes) {
            return false;
        }
        if (memcmp(line, work->text, work->text_bytes) == 0) {
            return true;
        }
        line++;
    }
    return false;
}

static void grep_lines(job *work, const char *data, size_t bytes) {
    const char *end = data + bytes;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        work->total.lines++;
        if (has_text(work, data, (size_t)(newline - data))) {
            fwrite(data, 1, (size_t)(newline + 1 - data), work->out);
            work->total.found++;
        }
        data = newline + 1;
    }
}

/* ---- words ---- */

typedef struct slot {
    uint64_t count; /* 0: free */
    uint8_t bytes;
    char word[WORD_BYTES_MAX];
} slot;

static slot *table;

static void count_word(job *work, const char *word, size_t bytes) {
    if (bytes > WORD_BYTES_MAX) {
        stop("a word is too long");
    }
    size_t at = XXH3_64bits(word, bytes) % SLOTS;
    while (table[at].count > 0 &&
           (table[at].bytes != bytes || memcmp(table[at].word, word, bytes) != 0)) {
        at = (at + 1) % SLOTS;
    }
    if (table[at].count++ == 0) {
        table[at].bytes = (uint8_t)bytes;
        memcpy(table[at].word, word, bytes);
        if (++work->total.distinct > SLOTS / 2) {
            stop("too many words");
        }
    }
    work->total.words++;
}

static void count_words(job *work, const char *data, size_t bytes) {
    const char *end = data + bytes;
    while (data < end) {
        const char *start = data;
        while (*data != ' ' && *data != '\n') {
            data++;
        }
        if (data > start) {
            count_word(work, start, (size_t)(data - start));
        }
        data++;
    }
}

static void print_words(const job *work) {
    for (size_t i = 0; i < SLOTS; i++) {
        if (table[i].count > 0) {
            fprintf(work->out, "%.*s %" PRIu64 "\n", (int)table[i].bytes, table[i].word,
                    table[i].count);
        }
    }
}

/* ---- files ---- */

/* Gives whole lines to `body`; a line that a block cuts goes with the next block. */
static void read_file(job *work, const char *path,
                      void (*body)(job *work, const char *data, size_t bytes)) {
    static char block[BLOCK_BYTES + LINE_BYTES_MAX];
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        stop(path);
    }
    setvbuf(in, NULL, _IONBF, 0);
    size_t kept = 0, bytes = 0;
    while ((bytes = fread(block + kept, 1, BLOCK_BYTES, in)) > 0) {
        size_t all = kept + bytes;
        const char *last = memrchr(block, '\n', all);
        if (last == NULL) {
            stop("a line is too long");
        }
        size_t whole = (size_t)(last + 1 - block);
        body(work, block, whole);
        kept = all - whole;
        if (kept > LINE_BYTES_MAX) {
            stop("a line is too long");
        }
        memmove(block, block + whole, kept);
    }
    if (kept > 0) {
        stop("the last line has no newline");
    }
    fclose(in);
}

int main(int argc, char **argv) {
    bool is_grep = argc > 4 && strcmp(argv[1], "grep") == 0;
    if (!is_grep && (argc < 4 || strcmp(argv[1], "words") != 0)) {
        stop("usage: bench_text_floor grep TEXT OUT FILE... | words OUT FILE...");
    }
    job work = { .text = argv[2], .text_bytes = strlen(argv[2]) };
    int first = is_grep ? 4 : 3;
    work.out = fopen(argv[first - 1], "we");
    table = calloc(SLOTS, sizeof *table);
    if (work.out == NULL || table == NULL) {
        stop(argv[first - 1]);
    }
    for (int i = first; i < argc; i++) {
        read_file(&work, argv[i], is_grep ? grep_lines : count_words);
    }
    if (!is_grep) {
        print_words(&work);
    }
    bool written = fclose(work.out) == 0;
    free(table);
    printf("{\"lines\": %" PRIu64 ", \"found\": %" PRIu64 ", \"words\": %" PRIu64
           ", \"distinct\": %" PRIu64 "}\n",
           work.total.lines, work.total.found, work.total.words, work.total.distinct);
    return written ? 0 : 1;
}
