// The state machine of a simulated lane: registers that clients write, and how far each client is, so that a
// command takes effect once. A value; its root is the same for the same content, whatever the way to it.
#pragma once

#include "protocols/consensus/block.hpp"
#include "protocols/crypto/set_hash.hpp"

#include <map>
#include <string>

namespace dwcp::sim {

class Registers {
  public:
    using Pairs = std::map<std::string, Bytes>;

    /// Payload of a command that writes `value` into `key`.
    static Bytes write(std::string_view key, std::string_view value);

    /// Returns how many of the block's commands took effect.
    std::size_t apply(const consensus::Block& block);

    Hash256 root() const { return set_.digest(); }
    const Pairs& pairs() const { return pairs_; }
    static Registers of(Pairs pairs);

  private:
    void put(std::string key, Bytes value);

    Pairs pairs_;
    crypto::SetHash set_;
};

} // namespace dwcp::sim
