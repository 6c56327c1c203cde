// SHA-256 (FIPS 180-4) through OpenSSL's EVP, the algorithm fetched once per process.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <initializer_list>
#include <memory>

namespace dwcp::crypto {

Hash256 sha256(ByteView data);

/// Digest of the concatenation of the parts, without joining them.
Hash256 sha256(std::initializer_list<ByteView> parts);

/// Incremental digest, for data that arrives in pieces. finish() may be called once.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(ByteView data);
    Hash256 finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace dwcp::crypto
