// Bytes to be signed or hashed: a tag that says what they are, then each field in a fixed order, numbers in
// little endian, whatever varies in length behind its length. So two different values never give the same
// bytes, and bytes made for one purpose never pass for another. Not a wire format: nothing reads them back.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/crypto/hash.hpp"

#include <concepts>
#include <cstdint>
#include <string_view>

namespace dwcp::consensus {

class Layout {
  public:
    explicit Layout(std::string_view tag) { text(tag); }

    Layout& number(std::unsigned_integral auto value) {
        for (unsigned shift = 0; shift < 8 * sizeof(value); shift += 8)
            bytes_.push_back(static_cast<Byte>(std::uint64_t{value} >> shift));
        return *this;
    }
    /// Of fixed length.
    Layout& raw(ByteView view) {
        bytes_.insert(bytes_.end(), view.begin(), view.end());
        return *this;
    }
    Layout& hash(const Hash256& hash) { return raw(hash.view()); }
    Layout& blob(ByteView view) { return number(std::uint64_t{view.size()}).raw(view); }
    Layout& text(std::string_view text) { return blob(as_bytes(text)); }

    Bytes take() && { return std::move(bytes_); }
    Hash256 digest() const { return crypto::sha256(bytes_); }

  private:
    Bytes bytes_;
};

} // namespace dwcp::consensus
