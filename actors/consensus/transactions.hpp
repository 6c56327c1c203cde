// What the bulk lane drives: a register of opaque transactions, so that a client can learn when its own was
// ordered. The log itself keeps the payloads.
#pragma once

#include "actors/consensus/state_machine.hpp"
#include "protocols/wire/manifest.hpp"

#include <optional>
#include <string>

namespace dwcp::consensus {

class Transactions final : public StateMachine {
  public:
    explicit Transactions(const store::Store& store) : store_(store) {}

    Result<void> check(const Command&) const override { return {}; }
    Bytes apply(const Entry& entry, store::Batch& batch) override;
    void applied(const Entry&) override {}

    /// nullopt: not committed, as far as this node knows. Thread-safe.
    Result<std::optional<wire::TransactionRecord>> find(const std::string& id) const;

  private:
    const store::Store& store_;
};

} // namespace dwcp::consensus
