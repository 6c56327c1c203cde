// Exactly-once: for each client the last command that was applied and its outcome. Part of the lane's
// replicated state, so the same on every member, in snapshots, and covered by the state's root.
//
// Pure, over whatever keeps the state's keys: the application asks check() before it applies a command and
// tells record() after. A lane orders a command more than once if it was submitted to several replicas or
// proposed again in a later view, and only this tells the copies apart.
//
// Bounded: a client that sent none of the last kClientTableEntries applied commands is forgotten, on every
// member at the same command. A copy that comes later than that is applied again.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/block.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace dwcp::consensus {

/// About 30 s of a busy lane; at most 64 + 1024 + 60 bytes each.
inline constexpr std::uint64_t kClientTableEntries = 100'000;
/// Of an outcome that is kept; what is longer is cut off.
inline constexpr std::size_t kOutcomeBytesMax = 1024;

/// Where the table's keys live: the owner puts its own prefix before them. Within one block, what was put is
/// seen by the next get.
struct KeyValue {
    std::function<std::optional<Bytes>(const std::string& key)> get;
    std::function<void(const std::string& key, Bytes value)> put;
    std::function<void(const std::string& key)> erase;
};

struct Outcome {
    Height height = 0;
    std::uint32_t index = 0; ///< In the block.
    Bytes result;

    bool operator==(const Outcome&) const = default;
};

class ClientTable {
  public:
    explicit ClientTable(KeyValue keys, std::uint64_t entries = kClientTableEntries)
        : keys_(std::move(keys)), entries_(entries) {}

    struct Fresh {};
    struct Duplicate {
        Outcome earlier;
    };
    /// A later command of the client was applied; what became of this one is not known any more.
    struct TooOld {
        std::uint64_t last = 0;
    };
    using Verdict = std::variant<Fresh, Duplicate, TooOld>;

    /// Errc::corrupted: what is under the client's key is no record.
    Result<Verdict> check(const std::string& id, std::uint64_t sequence) const;
    /// For a Fresh command, once it is applied (or refused by the application: that is an outcome as well).
    Result<void> record(const std::string& id, std::uint64_t sequence, const Outcome& outcome);

  private:
    KeyValue keys_;
    std::uint64_t entries_;
};

} // namespace dwcp::consensus
