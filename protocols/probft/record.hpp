// The engine's small records on disk: fixed fields, little endian. Its big ones are the wire's own.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/crypto/ed25519.hpp"

#include <algorithm>
#include <cstdint>

namespace dwcp::probft {

class RecordWriter {
  public:
    RecordWriter& number(std::uint64_t value) {
        for (unsigned shift = 0; shift < 64; shift += 8)
            bytes_.push_back(static_cast<Byte>(value >> shift));
        return *this;
    }
    RecordWriter& raw(ByteView view) {
        bytes_.insert(bytes_.end(), view.begin(), view.end());
        return *this;
    }
    Bytes take() { return std::move(bytes_); }

  private:
    Bytes bytes_;
};

/// Reads zeros past the end; whole() says that it did not, and that nothing is left.
class RecordReader {
  public:
    explicit RecordReader(ByteView bytes) : rest_(bytes) {}

    std::uint64_t number() {
        std::array<Byte, 8> bytes{};
        raw(bytes);
        std::uint64_t value = 0;
        for (unsigned at = 0; at < 8; ++at)
            value |= std::uint64_t{bytes[at]} << (8 * at);
        return value;
    }
    Hash256 hash() {
        Hash256 hash;
        raw(hash.bytes);
        return hash;
    }
    crypto::Signature signature() {
        crypto::Signature signature{};
        raw(signature);
        return signature;
    }
    bool at_end() const { return rest_.empty() || short_; }
    bool whole() const { return rest_.empty() && !short_; }

  private:
    void raw(std::span<Byte> out) {
        short_ = short_ || rest_.size() < out.size();
        if (short_) return;
        std::copy_n(rest_.begin(), out.size(), out.begin());
        rest_ = rest_.subspan(out.size());
    }

    ByteView rest_;
    bool short_ = false;
};

} // namespace dwcp::probft
