// Seeded data of the kinds that codecs and selector tell apart.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/random.hpp"

#include <array>
#include <string_view>

namespace dwcp::compression::testing {

enum class Kind { random, zeros, runs, text, structured };
inline constexpr std::array kKinds{Kind::random, Kind::zeros, Kind::runs, Kind::text, Kind::structured};

constexpr std::string_view to_string(Kind kind) {
    constexpr std::array<std::string_view, kKinds.size()> kNames{"random", "zeros", "runs", "text",
                                                                 "structured"};
    return kNames[static_cast<std::size_t>(kind)];
}

inline void append_text(Bytes& out, Random& random) {
    constexpr std::array<std::string_view, 12> kWords{"block", "site", "replica", "the", "a",    "of",
                                                      "moves", "to",   "link",    "is",  "when", "workload"};
    const std::string_view word = kWords[random.below(kWords.size())];
    out.insert(out.end(), word.begin(), word.end());
    out.push_back(random.below(9) == 0 ? '\n' : ' ');
    if (random.below(5) == 0) out.push_back(static_cast<Byte>('a' + random.below(26)));
}

/// A record of a counter, a small number and a noisy 16-bit reading: binary, with low-entropy columns.
inline void append_record(Bytes& out, Random& random) {
    const auto counter = static_cast<std::uint32_t>(out.size());
    const std::array<Byte, 8> record{static_cast<Byte>(counter),         static_cast<Byte>(counter >> 8),
                                     static_cast<Byte>(counter >> 16),   0,
                                     static_cast<Byte>(random.below(4)), 0,
                                     static_cast<Byte>(random.next()),   0x40};
    out.insert(out.end(), record.begin(), record.end());
}

inline Bytes make(Kind kind, std::size_t size, Random& random) {
    Bytes out;
    out.reserve(size + 32);
    while (out.size() < size) {
        switch (kind) {
        case Kind::random:
            out.push_back(static_cast<Byte>(random.next()));
            break;
        case Kind::zeros:
            out.push_back(0);
            break;
        case Kind::runs:
            out.insert(out.end(), 1 + random.below(300), static_cast<Byte>(random.below(4)));
            break;
        case Kind::text:
            append_text(out, random);
            break;
        case Kind::structured:
            append_record(out, random);
            break;
        }
    }
    out.resize(size);
    return out;
}

} // namespace dwcp::compression::testing
