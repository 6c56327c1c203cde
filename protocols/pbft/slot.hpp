// What a replica knows of one slot. Plain values; the rules are in core.hpp and its parts.
#pragma once

#include "protocols/consensus/message.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace dwcp::pbft {

/// Contents that are kept of a slot: those proposed in its latest views. A value that only a certificate of a
/// faulty replica brings back may have left; one that was prepared here never does.
inline constexpr std::size_t kContentsPerSlot = 4;

/// A leader's signed word for a digest.
struct Proposal {
    consensus::View view = 0;
    Hash256 digest;
    crypto::Signature signature{};
};

/// About what a block takes in memory and in a message.
inline std::size_t bytes_of(const consensus::Block& block) {
    std::size_t bytes = sizeof(block);
    for (const auto& transaction : block.transactions)
        bytes += transaction.bytes();
    return bytes;
}

/// A replica's latest vote of a kind in a slot.
struct SeenVote {
    consensus::View view = 0;
    Hash256 digest;
    crypto::Signature signature{};
};
/// By replica: at most one each, so a flood of views displaces the flooder's own votes alone.
using Ballot = std::vector<std::optional<SeenVote>>;

struct Slot {
    explicit Slot(std::size_t n) : prepares(n), commits(n) {}

    std::optional<Proposal> accepted;               ///< Of the latest view that proposed something here.
    std::optional<consensus::Certificate> prepared; ///< Of the latest view.
    Ballot prepares;
    Ballot commits;
    std::vector<consensus::BlockRef> contents; ///< Oldest first.
    std::optional<Hash256> decided;
    std::optional<Hash256> missing; ///< Content that is needed and not here.
    std::optional<TimePoint> asked; ///< When it was asked for.
    TimePoint sent{};               ///< When something of ours about it was last sent to all.
    TimePoint decided_at{};
    std::optional<std::pair<Hash256, bool>>
        end; ///< The value that was asked for last, and whether it ends the epoch.

    consensus::BlockRef content(const Hash256& digest) const {
        for (const auto& block : contents) {
            if (block->digest() == digest) return block;
        }
        return nullptr;
    }
    bool accepted_in(consensus::View view) const { return accepted && accepted->view == view; }
    bool prepared_in(consensus::View view) const { return prepared && prepared->view == view; }
    /// Whether the value `block` of this slot would end the epoch.
    bool ends_epoch(const consensus::Committee& committee, const consensus::BlockRef& block) {
        if (!end || end->first != block->digest())
            end = {block->digest(), consensus::next_committee(committee, **block).has_value()};
        return end->second;
    }
    /// Whether something else is known to be decided.
    bool contradicts(const Hash256& digest) const { return decided && *decided != digest; }
};

} // namespace dwcp::pbft
