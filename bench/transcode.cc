// SPDX-License-Identifier: MPL-2.0
/* The floor of reading JSON: simdjson (its On-Demand API) turns each line of FILE into MessagePack,
 * TIMES over, in one thread, into memory that is used again for each line.
 *
 *   bench_transcode FILE TIMES
 *
 * Prints {"records", "bytes", "cpu"}: bytes of MessagePack, and CPU seconds without loading FILE.
 */
#include <simdjson.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace od = simdjson::ondemand;

namespace {

struct Packer {
    std::vector<char> data = std::vector<char>(64 << 20);
    size_t at = 0;

    void byte(unsigned value) {
        data[at++] = static_cast<char>(value);
    }
    void big_endian(uint64_t value, int bytes) {
        for (int i = bytes - 1; i >= 0; i--) {
            byte(static_cast<unsigned>(value >> (8 * i) & 255));
        }
    }
    void text(std::string_view value) {
        if (value.size() < 32) {
            byte(0xa0 | static_cast<unsigned>(value.size()));
        } else {
            byte(0xdb);
            big_endian(value.size(), 4);
        }
        memcpy(data.data() + at, value.data(), value.size());
        at += value.size();
    }
    void integer(int64_t value) {
        if (value >= 0 && value < 128) {
            byte(static_cast<unsigned>(value));
        } else {
            byte(value >= INT32_MIN && value <= INT32_MAX ? 0xd2 : 0xd3);
            big_endian(static_cast<uint64_t>(value),
                       value >= INT32_MIN && value <= INT32_MAX ? 4 : 8);
        }
    }
    void real(double value) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        byte(0xcb);
        big_endian(bits, 8);
    }
    /* Room for the head of a list or map, whose count comes later. */
    size_t open(unsigned kind) {
        byte(kind);
        at += 2;
        return at - 2;
    }
    void close(size_t place, unsigned count) {
        data[place] = static_cast<char>(count >> 8);
        data[place + 1] = static_cast<char>(count & 255);
    }
};

void pack(Packer &out, od::value value);

void pack_object(Packer &out, od::object object) {
    size_t place = out.open(0xde);
    unsigned count = 0;
    for (auto field : object) {
        out.text(field.unescaped_key());
        pack(out, field.value());
        count++;
    }
    out.close(place, count);
}

void pack_array(Packer &out, od::array array) {
    size_t place = out.open(0xdc);
    unsigned count = 0;
    for (auto item : array) {
        pack(out, item.value());
        count++;
    }
    out.close(place, count);
}

void pack_number(Packer &out, od::number number) {
    if (number.is_double()) {
        out.real(number.get_double());
    } else {
        out.integer(number.is_int64() ? number.get_int64()
                                      : static_cast<int64_t>(number.get_uint64()));
    }
}

void pack(Packer &out, od::value value) {
    switch (value.type()) {
    case od::json_type::object:
        return pack_object(out, value.get_object());
    case od::json_type::array:
        return pack_array(out, value.get_array());
    case od::json_type::string:
        return out.text(value.get_string());
    case od::json_type::number:
        return pack_number(out, value.get_number());
    case od::json_type::boolean:
        return out.byte(value.get_bool() ? 0xc3 : 0xc2);
    case od::json_type::null:
        return out.byte(0xc0);
    }
}

double cpu_now() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: bench_transcode FILE TIMES\n");
        return 2;
    }
    simdjson::padded_string text = simdjson::padded_string::load(argv[1]);
    od::parser parser;
    Packer out;
    uint64_t records = 0, bytes = 0;
    double start = cpu_now();
    for (long times = strtol(argv[2], nullptr, 10); times > 0; times--) {
        const char *at = text.data(), *end = at + text.size();
        while (at < end) {
            auto newline =
                static_cast<const char *>(memchr(at, '\n', static_cast<size_t>(end - at)));
            const char *stop = newline != nullptr ? newline : end;
            size_t room = static_cast<size_t>(end - at) + simdjson::SIMDJSON_PADDING;
            od::document document = parser.iterate(at, static_cast<size_t>(stop - at), room);
            out.at = 0;
            pack_object(out, document.get_object());
            records++;
            bytes += out.at;
            at = stop + 1;
        }
    }
    printf("{\"records\": %llu, \"bytes\": %llu, \"cpu\": %.6f}\n",
           static_cast<unsigned long long>(records), static_cast<unsigned long long>(bytes),
           cpu_now() - start);
    return 0;
}
