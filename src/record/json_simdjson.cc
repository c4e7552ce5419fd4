/* SPDX-License-Identifier: MPL-2.0 */
/* The only C++ file: simdjson's DOM walked into MessagePack, and the locale-free number conversions
 * of the C++ library. json_read.c and json_number.c call it through json_simdjson.h.
 *
 * simdjson reads up to 64 bytes behind a text, so texts that are not followed by that many are
 * copied into a padded buffer that is reused from record to record. Its tables grow by doubling and
 * are given back after a text that was unusually large. simdjson counts levels of containers that
 * are not empty; the walk counts all levels, as the check of MessagePack records does, also in
 * fields that are left out. Only interfaces that return error codes are
 * used (SIMDJSON_EXCEPTIONS is off) and memory comes from new (std::nothrow) or zn_alloc, so
 * nothing is thrown. The walk recurses, at most ZN_RECORD_DEPTH_MAX deep. */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>

extern "C" {
#include "base/alloc.h"
#include "base/limits.h"
#include "record/json_number.h"
#include "record/json_simdjson.h"
#include "record/value.h"
}

namespace dom = simdjson::dom;

struct zn_simdjson {
    dom::parser parser;
    size_t capacity; /* bytes of text for which the parser has room */
    uint8_t *padded; /* nullptr, or has room for that many and the padding */
};

namespace {

/* A parser that has seen a larger text than this does not keep the memory. */
constexpr size_t kept_bytes_max = 4 * ZN_MIB;
constexpr size_t first_bytes = 4 * ZN_KIB;

/* simdjson's counts stop here: the true one may be larger. */
constexpr size_t saturated_count = 0xFFFFFF;

void release(zn_simdjson *self) {
    self->parser = dom::parser();
    std::free(self->padded);
    self->padded = nullptr;
    self->capacity = 0;
}

bool make_room(zn_simdjson *self, size_t bytes) {
    if (self->capacity > 0 && bytes <= self->capacity) {
        return true;
    }
    size_t capacity = self->capacity == 0 ? first_bytes : self->capacity;
    while (capacity < bytes) {
        capacity *= 2;
    }
    release(self);
    /* One level more than the limit: the walk finds out whether the last one is too many. */
    if (self->parser.allocate(capacity, ZN_RECORD_DEPTH_MAX + 1) != simdjson::SUCCESS) {
        release(self);
        return false;
    }
    self->capacity = capacity;
    return true;
}

/* A copy of the text with padding, of which the parser has made room; nullptr: no memory. */
const uint8_t *pad(zn_simdjson *self, zn_bytes text) {
    if (self->padded == nullptr) {
        self->padded =
            static_cast<uint8_t *>(zn_try_alloc(self->capacity + simdjson::SIMDJSON_PADDING));
    }
    if (self->padded != nullptr) {
        if (text.len > 0) {
            std::memcpy(self->padded, text.data, text.len);
        }
        std::memset(self->padded + text.len, 0, simdjson::SIMDJSON_PADDING);
    }
    return self->padded;
}

template <typename container> uint32_t count_of(const container &items) {
    size_t count = items.size();
    if (count >= saturated_count) {
        count = 0;
        for (auto item = items.begin(); item != items.end(); ++item) {
            count++;
        }
    }
    return static_cast<uint32_t>(count);
}

void put_view(zn_buf *out, std::string_view text) {
    zn_put_string(out, zn_bytes{ reinterpret_cast<const uint8_t *>(text.data()), text.size() });
}

bool put_element(zn_buf *out, const dom::element &element, unsigned depth);

bool put_array(zn_buf *out, const dom::array &items, unsigned depth) {
    if (depth == ZN_RECORD_DEPTH_MAX) {
        return false;
    }
    zn_put_array(out, count_of(items));
    for (dom::element item : items) {
        if (!put_element(out, item, depth + 1)) {
            return false;
        }
    }
    return true;
}

bool put_object(zn_buf *out, const dom::object &fields, unsigned depth) {
    if (depth == ZN_RECORD_DEPTH_MAX) {
        return false;
    }
    zn_put_map(out, count_of(fields));
    for (dom::key_value_pair field : fields) {
        put_view(out, field.key);
        if (!put_element(out, field.value, depth + 1)) {
            return false;
        }
    }
    return true;
}

/* False if the element is nested too deep. The type is known, so no get can fail. */
bool put_element(zn_buf *out, const dom::element &element, unsigned depth) {
    switch (element.type()) {
    case dom::element_type::STRING:
        put_view(out, element.get_string().value_unsafe());
        return true;
    case dom::element_type::INT64:
        zn_put_int(out, element.get_int64().value_unsafe());
        return true;
    case dom::element_type::UINT64:
        zn_put_uint(out, element.get_uint64().value_unsafe());
        return true;
    case dom::element_type::DOUBLE:
        zn_put_double(out, element.get_double().value_unsafe());
        return true;
    case dom::element_type::BOOL:
        zn_put_bool(out, element.get_bool().value_unsafe());
        return true;
    case dom::element_type::NULL_VALUE:
        zn_put_nil(out);
        return true;
    case dom::element_type::ARRAY:
        return put_array(out, element.get_array().value_unsafe(), depth);
    case dom::element_type::OBJECT:
        return put_object(out, element.get_object().value_unsafe(), depth);
    }
    return false;
}

/* False if a value that is not wanted is nested too deep, as put_element would find. An array takes
 * two slots for itself and at least two for each level in it. */
bool check_depth(const dom::element &element, unsigned depth) {
    if (element.is_array()) {
        dom::array items = element.get_array().value_unsafe();
        if (depth < ZN_RECORD_DEPTH_MAX &&
            items.number_of_slots() < 2 * (ZN_RECORD_DEPTH_MAX - depth)) {
            return true;
        }
        for (dom::element item : items) {
            if (!check_depth(item, depth + 1)) {
                return false;
            }
        }
        return depth < ZN_RECORD_DEPTH_MAX;
    }
    if (element.is_object()) {
        if (depth == ZN_RECORD_DEPTH_MAX) {
            return false;
        }
        dom::object fields = element.get_object().value_unsafe();
        for (dom::key_value_pair field : fields) {
            if (!check_depth(field.value, depth + 1)) {
                return false;
            }
        }
    }
    return true;
}

bool is_wanted(const zn_json_names &names, std::string_view key) {
    if ((names.lengths >> std::min<size_t>(key.size(), 63) & 1) == 0) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        const zn_bytes &name = names.names[i];
        if (name.len == key.size() && std::memcmp(name.data, key.data(), name.len) == 0) {
            return true;
        }
    }
    return false;
}

struct wanted_field {
    std::string_view key;
    dom::element value;
};

/* The wanted fields of a record; with too many of them, keys that come again and again, all. */
bool put_wanted(zn_buf *out, const dom::object &fields, const zn_json_names &names) {
    constexpr uint32_t found_max = 64;
    wanted_field found[found_max];
    uint32_t count = 0;
    for (dom::key_value_pair field : fields) {
        if (is_wanted(names, field.key)) {
            if (count == found_max) {
                return put_object(out, fields, 0);
            }
            found[count++] = { field.key, field.value };
        } else if (!check_depth(field.value, 1)) {
            return false;
        }
    }
    zn_put_map(out, count);
    for (uint32_t i = 0; i < count; i++) {
        put_view(out, found[i].key);
        if (!put_element(out, found[i].value, 1)) {
            return false;
        }
    }
    return true;
}

bool put_root(zn_buf *out, const dom::element &root, const zn_json_names *names) {
    if (names != nullptr && root.is_object()) {
        return put_wanted(out, root.get_object().value_unsafe(), *names);
    }
    return put_element(out, root, 0);
}

} // namespace

extern "C" {

zn_simdjson *zn_simdjson_new(void) {
    return new (zn_alloc(sizeof(zn_simdjson))) zn_simdjson();
}

void zn_simdjson_destroy(zn_simdjson **parser) {
    if (*parser == nullptr) {
        return;
    }
    release(*parser);
    (*parser)->~zn_simdjson();
    std::free(*parser);
    *parser = nullptr;
}

zn_simdjson_result zn_simdjson_convert(zn_simdjson *parser, zn_bytes text, bool padded,
                                       const zn_json_names *names, zn_buf *out,
                                       const char **reason) {
    static_assert(ZN_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "the padding is too small");
    if (!make_room(parser, text.len)) {
        return ZN_SIMDJSON_NO_MEMORY;
    }
    const uint8_t *start = padded ? text.data : pad(parser, text);
    if (start == nullptr) {
        release(parser);
        return ZN_SIMDJSON_NO_MEMORY;
    }
    dom::element root;
    simdjson::error_code failed = parser->parser.parse(start, text.len, false).get(root);
    bool done = false;
    if (failed != simdjson::SUCCESS) {
        *reason = simdjson::error_message(failed);
    } else {
        done = put_root(out, root, names);
        *reason = "nested too deep";
    }
    if (parser->capacity > kept_bytes_max) {
        release(parser);
    }
    return done ? ZN_SIMDJSON_OK : ZN_SIMDJSON_REJECTED;
}

bool zn_simdjson_in_range(zn_bytes number) {
    double value = 0;
    const char *start = reinterpret_cast<const char *>(number.data);
    return std::from_chars(start, start + number.len, value).ec == std::errc();
}

size_t zn_double_digits(double value, char out[ZN_DOUBLE_DIGITS_MAX]) {
    std::to_chars_result result =
        std::to_chars(out, out + ZN_DOUBLE_DIGITS_MAX, value, std::chars_format::scientific);
    return static_cast<size_t>(result.ptr - out);
}
}
