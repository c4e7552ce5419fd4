/* SPDX-License-Identifier: MPL-2.0 */
/* Segments: files in a worker's scratch folder that results are appended to. A writer knows two
 * positions, the end of the last finished result and where it writes now; everything between them
 * belongs to the result in work and is cut off if that is not finished. A writer that finds a file
 * of its name goes on behind it: a slot that died may have left results there that still count.
 *
 * Names also come from the wire, so they are checked letter by letter before they become a path.
 * Used by tasks to write, and by the data server to read. */
#include "store/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/profile.h"
#include "record/row.h"
#include "store/block.h"
#include "store/file.h"

enum {
    OWNER_BYTES_MAX = 64,
    ROW_HEAD_BYTES_MAX = 5, /* of a binary value, the key */
    VALUES_PER_ROW = 2,
    CUT_BLOCK_BYTES_MIN = 16 * ZN_KIB, /* of a result that is to be cut anywhere */
    CUT_BLOCK_SHARE = 64               /* a block has one part of so many of what is before it */
};

struct zn_segment {
    char *path;
    const char *name;  /* the last part of `path` */
    int fd;            /* -1 until the first block */
    uint64_t finished; /* end of the last finished result */
    uint64_t end;      /* where the next block goes */
    bool started;
    bool indexed;              /* the started result has an index */
    bool cut;                  /* and is to be cut into ranges */
    zn_index_builder *builder; /* made with the first indexed result */
    uint32_t partition;        /* of the rows in `records` */
    zn_segment_totals totals;
    zn_buf records;
    uint32_t count;
    zn_buf block;
    zn_block_codec *codec;
};

zn_segment *zn_segment_new(const char *scratch, zn_job_id job, zn_stage_id stage,
                           const char *owner) {
    zn_segment *segment = ZN_NEW(zn_segment);
    segment->path = zn_format("%s/job%" PRIu64 "-stage%" PRIu32 "-%s.seg", scratch, job.value,
                              stage.value, owner);
    segment->name = segment->path + strlen(scratch) + 1;
    ZN_ASSERT(zn_segment_name_valid(zn_bytes_of_text(segment->name)));
    segment->fd = -1;
    segment->codec = zn_block_codec_new();
    return segment;
}

void zn_segment_destroy(zn_segment **segment) {
    zn_segment *self = *segment;
    if (self == NULL) {
        return;
    }
    zn_file_close(&self->fd);
    zn_buf_free(&self->records);
    zn_buf_free(&self->block);
    zn_index_builder_destroy(&self->builder);
    zn_block_codec_destroy(&self->codec);
    free(self->path);
    free(self);
    *segment = NULL;
}

const char *zn_segment_name(const zn_segment *segment) {
    return segment->name;
}

static zonda_err open_file(zn_segment *segment, zonda_error *error) {
    int fd = open(segment->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (end < 0) {
        zonda_err code = zn_file_failed(error, segment->path, "cannot open the segment");
        zn_file_close(&fd);
        return code;
    }
    segment->fd = fd;
    segment->finished = (uint64_t)end;
    segment->end = (uint64_t)end;
    return ZONDA_OK;
}

/* Drops what is not finished; a failed write may have left bytes behind `end`. */
static bool cut_off(zn_segment *segment) {
    segment->end = segment->finished;
    return segment->fd < 0 || ftruncate(segment->fd, (off_t)segment->finished) == 0;
}

void zn_segment_abandon(zn_segment *segment) {
    if (segment->started && cut_off(segment)) {
        segment->started = false; /* otherwise the next start tries again */
    }
}

zonda_err zn_segment_start(zn_segment *segment, zonda_error *error) {
    if (segment->started && !cut_off(segment)) {
        return zn_file_failed(error, segment->path, "cannot cut off an unfinished result");
    }
    segment->started = true;
    segment->indexed = false;
    segment->count = 0;
    zn_buf_reset(&segment->records, 2 * ZN_BLOCK_RAW_BYTES);
    return ZONDA_OK;
}

static zonda_err write_block(zn_segment *segment, zonda_error *error) {
    zonda_err code = segment->fd < 0 ? open_file(segment, error) : ZONDA_OK;
    if (code != ZONDA_OK) {
        return code;
    }
    zn_buf_reset(&segment->block, 2 * ZN_BLOCK_RAW_BYTES);
    zn_block_pack(segment->codec, zn_buf_bytes(&segment->records), segment->count, &segment->block);
    int before = zn_profile_enter(ZN_SECTION_WRITING);
    bool written = zn_file_write_at(segment->fd, zn_buf_bytes(&segment->block), segment->end);
    zn_profile_leave(before);
    if (!written) {
        code = zn_file_failed(error, segment->path, "cannot write the segment");
        cut_off(segment); /* a full disk gets its room back now; if this fails, start tries again */
        return code;
    }
    if (segment->indexed) {
        zn_index_builder_add_block(segment->builder,
                                   (zn_stretch){ segment->end, segment->block.len });
    }
    segment->end += segment->block.len;
    segment->count = 0;
    zn_buf_reset(&segment->records, 2 * ZN_BLOCK_RAW_BYTES);
    return ZONDA_OK;
}

static zonda_err check_record(zn_bytes record, zonda_error *error) {
    if (record.len > ZN_RECORD_BYTES_MAX) {
        return zn_error_set(error, ZONDA_ERR_LIMIT,
                            "a record of %zu bytes is above the limit of %d", record.len,
                            ZN_RECORD_BYTES_MAX);
    }
    return ZONDA_OK;
}

static zonda_err append_record(zn_segment *segment, zn_bytes record, zonda_error *error) {
    zn_buf_append(&segment->records, record.data, record.len);
    segment->count++;
    return segment->records.len < ZN_BLOCK_RAW_BYTES ? ZONDA_OK : write_block(segment, error);
}

zonda_err zn_segment_add(zn_segment *segment, zn_bytes record, zonda_error *error) {
    ZN_ASSERT(segment->started && !segment->indexed && record.len > 0);
    zonda_err code = check_record(record, error);
    return code == ZONDA_OK ? append_record(segment, record, error) : code;
}

zonda_err zn_segment_finish(zn_segment *segment, uint64_t *offset, uint64_t *length,
                            zonda_error *error) {
    ZN_ASSERT(segment->started && !segment->indexed);
    zonda_err code = segment->count > 0 ? write_block(segment, error) : ZONDA_OK;
    if (code != ZONDA_OK) {
        return code;
    }
    *offset = segment->finished;
    *length = segment->end - segment->finished;
    segment->finished = segment->end;
    segment->started = false;
    return ZONDA_OK;
}

zonda_err zn_segment_start_indexed(zn_segment *segment, zn_index_kind kind, zonda_error *error) {
    zonda_err code = zn_segment_start(segment, error);
    if (code != ZONDA_OK) {
        return code;
    }
    if (segment->builder == NULL) {
        segment->builder = zn_index_builder_new();
    }
    zn_index_builder_start(segment->builder, kind);
    segment->indexed = true;
    segment->cut = kind == ZN_INDEX_SAMPLES;
    segment->partition = 0;
    segment->totals = (zn_segment_totals){ 0 };
    return ZONDA_OK;
}

/* Raw bytes at which a block ends. Every range that a result is cut into reads whole blocks, so
 * those of a small result are small: else each of many ranges would read all of it. */
static size_t block_bytes(const zn_segment *segment) {
    if (!segment->cut || segment->totals.bytes / CUT_BLOCK_SHARE >= ZN_BLOCK_RAW_BYTES) {
        return ZN_BLOCK_RAW_BYTES;
    }
    size_t share = segment->totals.bytes / CUT_BLOCK_SHARE;
    return share > CUT_BLOCK_BYTES_MIN ? share : CUT_BLOCK_BYTES_MIN;
}

zonda_err zn_segment_add_row(zn_segment *segment, uint32_t partition, zn_bytes key, zn_bytes record,
                             zonda_error *error) {
    ZN_ASSERT(segment->started && segment->indexed && record.len > 0);
    zonda_err code = check_record(record, error);
    if (code == ZONDA_OK && key.len > ZN_BLOCK_BYTES_MAX - ROW_HEAD_BYTES_MAX - record.len) {
        code =
            zn_error_set(error, ZONDA_ERR_LIMIT,
                         "a record of %zu bytes with a key of %zu bytes is above the limit of %d",
                         record.len, key.len, ZN_BLOCK_BYTES_MAX);
    }
    bool fits =
        segment->count == 0 ||
        (partition == segment->partition &&
         segment->records.len + ROW_HEAD_BYTES_MAX + key.len + record.len <= ZN_BLOCK_BYTES_MAX);
    if (code == ZONDA_OK && !fits) {
        code = write_block(segment, error);
    }
    if (code != ZONDA_OK) {
        return code;
    }
    size_t before = segment->records.len;
    zn_row_put(&segment->records, key, record);
    uint64_t bytes = segment->records.len - before;
    zn_index_builder_add_row(segment->builder, partition, key, bytes);
    segment->partition = partition;
    segment->count += VALUES_PER_ROW;
    segment->totals.rows++;
    segment->totals.bytes += bytes;
    return segment->records.len < block_bytes(segment) ? ZONDA_OK : write_block(segment, error);
}

/* Writes the entries as records behind the blocks that they describe. */
static zonda_err write_index(zn_segment *segment, zonda_error *error) {
    zn_cursor cursor = zn_cursor_of(zn_index_builder_finish(segment->builder));
    zonda_err code = ZONDA_OK;
    segment->indexed = false;
    while (code == ZONDA_OK && cursor.at < cursor.end) {
        code = append_record(segment, zn_cursor_skip(&cursor), error);
    }
    return code == ZONDA_OK && segment->count > 0 ? write_block(segment, error) : code;
}

zonda_err zn_segment_finish_indexed(zn_segment *segment, uint64_t *offset, uint64_t *length,
                                    zn_segment_totals *totals, zonda_error *error) {
    ZN_ASSERT(segment->started && segment->indexed);
    zonda_err code = segment->count > 0 ? write_block(segment, error) : ZONDA_OK;
    uint64_t index = segment->end;
    code = code == ZONDA_OK ? write_index(segment, error) : code;
    if (code != ZONDA_OK) {
        return code;
    }
    *offset = index;
    *length = segment->end - index;
    *totals = segment->totals;
    segment->finished = segment->end;
    segment->started = false;
    return ZONDA_OK;
}

size_t zn_segment_largest(const zn_segment *segment, uint32_t *partitions, uint64_t *bytes,
                          size_t max) {
    return segment->builder == NULL
               ? 0
               : zn_index_builder_largest(segment->builder, partitions, bytes, max);
}

/* Takes a decimal number without leading zeros, at most `max`, from the front of `*rest`. */
static bool take_number(zn_bytes *rest, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < rest->len && rest->data[digits] >= '0' && rest->data[digits] <= '9') {
        uint64_t digit = (uint64_t)(rest->data[digits] - '0');
        if (value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        digits++;
    }
    bool ok = digits > 0 && (rest->data[0] != '0' || digits == 1);
    *out = value;
    rest->data += digits;
    rest->len -= digits;
    return ok;
}

static bool take_text(zn_bytes *rest, const char *text) {
    size_t len = strlen(text);
    bool ok = rest->len >= len && memcmp(rest->data, text, len) == 0;
    rest->data += ok ? len : 0;
    rest->len -= ok ? len : 0;
    return ok;
}

static bool owner_byte(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_';
}

/* Checks the name and gives the job in it. */
static bool read_name(zn_bytes name, uint64_t *job) {
    uint64_t stage = 0;
    if (!take_text(&name, "job") || !take_number(&name, UINT64_MAX, job) || *job == 0 ||
        !take_text(&name, "-stage") || !take_number(&name, UINT32_MAX, &stage) ||
        !take_text(&name, "-")) {
        return false;
    }
    size_t owner = 0;
    while (owner < name.len && owner_byte(name.data[owner])) {
        owner++;
    }
    name.data += owner;
    name.len -= owner;
    return owner > 0 && owner <= OWNER_BYTES_MAX && take_text(&name, ".seg") && name.len == 0;
}

bool zn_segment_name_valid(zn_bytes name) {
    uint64_t job = 0;
    return read_name(name, &job);
}

void zn_segment_remove_job(const char *scratch, zn_job_id job) {
    DIR *folder = opendir(scratch);
    if (folder == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        uint64_t found = 0;
        if (read_name(zn_bytes_of_text(entry->d_name), &found) && found == job.value) {
            unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    closedir(folder);
}

zonda_err zn_segment_read_at(const char *scratch, zn_bytes name, uint64_t offset, uint8_t *out,
                             size_t size, size_t *got, zonda_error *error) {
    if (!zn_segment_name_valid(name) || offset > INT64_MAX || size > INT64_MAX - offset) {
        return zn_error_set(error, ZONDA_ERR_INVALID, "no valid place in a segment");
    }
    char *path = zn_format("%s/%.*s", scratch, (int)name.len, (const char *)name.data);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool missing = fd < 0 && errno == ENOENT;
    long count = fd < 0 ? -1 : zn_file_read_at(fd, out, size, offset);
    zonda_err code = ZONDA_OK;
    if (missing) {
        code = zn_error_set(error, ZONDA_ERR_NOT_FOUND, "there is no segment %.*s", (int)name.len,
                            (const char *)name.data);
    } else if (count < 0) {
        code = zn_file_failed(error, path, "cannot read the segment");
    } else {
        *got = (size_t)count;
    }
    zn_file_close(&fd);
    free(path);
    return code;
}
