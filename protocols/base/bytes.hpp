// Byte strings. In one process a payload is one immutable shared buffer: it is never copied between actors,
// links and the store, only referenced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp {

using Byte = std::uint8_t;
using Bytes = std::vector<Byte>;
using ByteView = std::span<const Byte>;

/// An immutable payload shared by reference. Never null where a function takes it, unless it says so.
using SharedBytes = std::shared_ptr<const Bytes>;

inline SharedBytes share(Bytes bytes) { return std::make_shared<const Bytes>(std::move(bytes)); }

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes to_bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);

/// Decodes hexadecimal of either case into `out`; false if the text is not exactly 2 * out.size() hex digits.
bool from_hex(std::string_view text, std::span<Byte> out);

} // namespace dwcp
