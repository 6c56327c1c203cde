// Blocks: what a lane decides, height by height, and the proofs about them.
//
// A block's digest covers its header and, through a Merkle tree (RFC 6962 section 2.1), its commands, so that
// one command can be shown to be in it without the others. The view in which it was proposed is not part of
// it: a block that is proposed again in a later view keeps its digest. Decided blocks form a chain:
// chain(h) = SHA-256(chain(h - 1) || digest(h)).
//
// Plain values; encoded by protocols/wire/consensus.hpp.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/committee.hpp"
#include "protocols/consensus/lane.hpp"
#include "protocols/crypto/ed25519.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace dwcp::consensus {

/// A block's commands with their envelopes. Large enough that a flood is carried by few decisions, small
/// enough that a replica sends it within a tenth of a second on a slow link.
inline constexpr std::size_t kBlockBytesMax = 1U << 20;
inline constexpr std::size_t kBlockCommandsMax = 4096;
/// A leader's clock may be ahead of a replica's by so much; beyond it the proposal is refused.
inline constexpr UnixMillis kClockAheadMax = 60'000;

/// A command as ordered: who took it in, and that member's word for it.
struct Transaction {
    Command command;
    NodeName submitter;            ///< Node that took the command in.
    crypto::Signature signature{}; ///< Its signature (kind command); zero in lanes that want none.

    Hash256 digest() const;    ///< Over command and submitter; what is signed, and the Merkle leaf.
    std::size_t bytes() const; ///< Upper bound of its encoded size.
    bool operator==(const Transaction&) const = default;
};

struct Block {
    Height height = 0;
    Epoch epoch = 0;
    std::uint64_t time_ms = 0; ///< Unix milliseconds of the leader that built it.
    NodeName proposer;         ///< Of the replica that built it; empty in an empty block.
    std::vector<Transaction> transactions;

    /// An empty block for a slot that must be filled without content: the same on every member.
    static Block empty(Epoch epoch, Height height);

    Hash256 merkle_root() const;
    Hash256 digest() const;
    bool operator==(const Block&) const = default;
};

/// A block with its digest computed once. Immutable and shared.
class SealedBlock {
  public:
    explicit SealedBlock(Block block) : block_(std::move(block)), digest_(block_.digest()) {}
    const Block& operator*() const { return block_; }
    const Block* operator->() const { return &block_; }
    const Hash256& digest() const { return digest_; }

  private:
    Block block_;
    Hash256 digest_;
};
using BlockRef = std::shared_ptr<const SealedBlock>;

/// Header alone, for proofs.
struct BlockHeader {
    Height height = 0;
    Epoch epoch = 0;
    std::uint64_t time_ms = 0;
    NodeName proposer;
    Hash256 merkle_root;
    std::uint32_t count = 0; ///< Transactions.

    Hash256 digest() const;
    bool operator==(const BlockHeader&) const = default;
};
BlockHeader header_of(const Block& block);

Hash256 next_chain(const Hash256& previous, const Hash256& block_digest);

/// Membership change, as the payload of a command whose id begins with kReconfigureId; decided like any
/// other. It takes effect only if `from_epoch` is the epoch that decides it, so a second one of the same
/// epoch is void. The rest of the block before it counts; the block is the epoch's last.
struct Reconfigure {
    Epoch from_epoch = 0;
    EngineKind engine = EngineKind::pbft;
    SampleParameters samples;
    std::vector<Member> members;

    bool operator==(const Reconfigure&) const = default;
};
inline constexpr std::string_view kReconfigureId = "consensus/reconfigure/";
Command command_of(const Reconfigure& change);
/// nullopt: an ordinary command. Errc::invalid_argument: means to be one and is not sound.
Result<std::optional<Reconfigure>> reconfiguration_in(const Command& command);
/// The committee that follows if `block`, decided by `committee`, changes it; nullopt: it does not.
std::optional<Committee> next_committee(const Committee& committee, const Block& block);

} // namespace dwcp::consensus
