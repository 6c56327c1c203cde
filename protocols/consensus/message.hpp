// What replicas say to each other.
//
// Two kinds. Signed ones are statements that others may have to be shown later: proposals, votes,
// checkpoints, view changes. A signature is over (cluster, lane, genesis, engine, epoch, view, slot, kind,
// signer, digest, annex): signing_bytes(). The rest (what is fetched, forwarded, told) is authenticated by
// the link alone, which knows the sending node, and proves nothing to third parties.
//
// A Message from outside is decoded (protocols/wire/consensus.hpp), then checked by a Verifier
// (verifier.hpp), which makes a Verified of it; engines and replicas take nothing else. Plain values.
#pragma once

#include "protocols/consensus/block.hpp"
#include "protocols/crypto/vrf.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::consensus {

/// Slots above the stable checkpoint that a replica works on: two checkpoint intervals (Castro and Liskov,
/// section 4.3: k times the interval).
inline constexpr Height kCheckpointInterval = 64;
inline constexpr Height kWindow = 2 * kCheckpointInterval;

/// What a signature says. The numbers are part of what is signed.
enum class Kind : std::uint8_t {
    propose = 1,     ///< Leader of `view`: `digest` is the block of `slot`.
    prepare = 2,     ///< `digest` was proposed in `view` for `slot`. ProBFT: annex = SHA-256(VRF proof).
    commit = 3,      ///< A quorum prepared it. ProBFT: the same annex rule.
    checkpoint = 4,  ///< After `slot` the lane's state is `digest` (checkpoint_digest()). View 0.
    view_change = 5, ///< I enter `view` and vote in no earlier one; digest of the ViewChange. Slot 0.
    new_view = 6,    ///< Leader of `view`: digest of the NewView. Slot 0.
    wish = 7,        ///< ProBFT's synchroniser: I want to enter `view`. Slot 0.
    command = 8,     ///< A node took this command in. Epoch, view, slot, signer 0.
};

struct Statement {
    Kind kind = Kind::propose;
    EngineKind engine = EngineKind::pbft;
    Epoch epoch = 0;
    View view = 0;
    Height slot = 0;
    ReplicaId signer = 0;
    Hash256 digest;
    Hash256 annex; ///< Zero unless the kind says otherwise.

    bool operator==(const Statement&) const = default;
};
/// Unambiguous fixed layout; the bytes that are signed.
Bytes signing_bytes(const Domain& domain, const Statement& statement);

struct Vote {
    ReplicaId replica = 0;
    crypto::Signature signature{};
    std::optional<crypto::VrfProof> proof; ///< ProBFT: whom the voter sent it to.

    bool operator==(const Vote&) const = default;
};

/// Votes of distinct replicas for one statement. What number of them proves what is the engine's to say.
struct Certificate {
    Kind kind = Kind::prepare;
    EngineKind engine = EngineKind::pbft;
    Epoch epoch = 0;
    View view = 0;
    Height slot = 0;
    Hash256 digest;
    /// ProBFT: the replica in whose hands they came together; each voter's sample contains it.
    std::optional<ReplicaId> recipient;
    /// ProBFT: the leader's signature under the proposal (kind propose), which every vote carried.
    std::optional<crypto::Signature> leader_signature;
    std::vector<Vote> votes; ///< By ascending replica.

    bool empty() const { return votes.empty(); }
    bool operator==(const Certificate&) const = default;
};
/// Annex of ProBFT's votes.
Hash256 proof_digest(const crypto::VrfProof& proof);
/// What the vote's replica signed.
Statement statement_of(const Certificate& certificate, const Vote& vote);
/// What the leader signed when it proposed what `vote` (a prepare or commit) is about.
Statement proposal_of(const Statement& vote, ReplicaId leader);
/// What the node that took a command in signs; of no engine and epoch, since either may change before the
/// command is ordered.
Statement submission_of(const Transaction& transaction);

// --- signed

struct Propose {
    BlockRef block; ///< Never null.
};
struct VoteFor {
    /// ProBFT: the leader's signature under the proposal, so that two values of a leader meet and convict it.
    std::optional<crypto::Signature> leader_signature;
    std::optional<crypto::VrfProof> proof;
};
struct CheckpointVote {};
struct Wish {};
/// PBFT's VIEW-CHANGE and ProBFT's NEWLEADER: what the sender had prepared when it left the earlier views,
/// the latest certificate a slot, slots above the stable checkpoint, ascending.
struct ViewChange {
    Height stable = 0;
    Certificate
        stable_proof; ///< Of kind checkpoint; empty if `stable` is before the epoch's first checkpoint.
    std::vector<Certificate> prepared;

    bool operator==(const ViewChange&) const = default;
};
struct SignedViewChange {
    ReplicaId replica = 0;
    ViewChange change;
    crypto::Signature signature{};

    bool operator==(const SignedViewChange&) const = default;
};
/// A value that the new leader must propose again: its own signature of kind propose for the new view.
/// Content that a replica lacks is fetched by its digest.
struct Reproposal {
    Height slot = 0;
    Hash256 digest;
    crypto::Signature signature{};

    bool operator==(const Reproposal&) const = default;
};
struct NewView {
    std::vector<SignedViewChange> changes; ///< A quorum; by ascending replica.
    std::vector<Reproposal> proposals;     ///< stable + 1, stable + 2, ... without gaps.

    bool operator==(const NewView&) const = default;
};

/// What the statements of kind view_change and new_view sign: every field.
Hash256 digest_of(const ViewChange& change);
Hash256 digest_of(const NewView& new_view);

/// One of the above, by statement.signer.
struct Signed {
    Statement statement;
    crypto::Signature signature{};
    std::variant<Propose, VoteFor, CheckpointVote, Wish, ViewChange, NewView> body;
};

/// Two signed statements that no honest replica makes: same kind, engine, epoch, view, slot and signer, other
/// digest.
struct Evidence {
    Statement first;
    crypto::Signature first_signature{};
    Statement second;
    crypto::Signature second_signature{};

    bool operator==(const Evidence&) const = default;
};

// --- authenticated by the link

/// Commands for the mempool of the receiver; `to_all`: the sender has waited for long, so the receiver waits
/// for them too and suspects a leader that does not order them.
struct Forward {
    std::vector<Transaction> transactions;
    bool to_all = false;
};
/// Where the sender stands; sent every so often, when asked, and after deciding where somebody waits.
struct Hello {
    bool asks = false; ///< Answer with a Hello of your own.
    Epoch epoch = 0;
    View view = 0;
    Height decided = 0;
    Height stable = 0;
    /// The highest vote counter and slot that the sender ever saw from the receiver, for a replica that
    /// restarts to compare with its disk; with the receiver's own signed statement as proof.
    std::optional<Statement> last_from_you;
    std::optional<crypto::Signature> last_from_you_signature;
};
struct FetchBlocks {
    Height from = 0;
    std::uint32_t bytes_max = 0;
};
struct DecidedBlock {
    BlockRef block;
    Certificate proof; ///< Of kind commit.
};
/// Consecutive, from the height asked for; empty: the sender has collected it (fetch a snapshot) or has none.
struct Blocks {
    std::vector<DecidedBlock> blocks;
    Height tip = 0;      ///< Highest height the sender decided.
    Height earliest = 0; ///< Lowest that it still has.
};
/// A proposal's content.
struct FetchContent {
    Height slot = 0;
    Hash256 digest;
};
struct Content {
    BlockRef block;
};
/// The lane's state after a stable checkpoint, key by key.
struct FetchSnapshot {
    Height height = 0; ///< 0: the latest.
    std::string after; ///< Keys above this one; empty: from the beginning.
};
struct StatePair {
    std::string key;
    Bytes value;

    bool operator==(const StatePair&) const = default;
};
struct SnapshotPart {
    Height height = 0;  ///< 0: there is none.
    Certificate proof;  ///< Of kind checkpoint.
    Hash256 chain;      ///< chain(height).
    Hash256 state_root; ///< After `height`; what the proof's digest covers together with the chain.
    /// Every committee up to the one that follows `height`, with the block and certificate that made it.
    std::vector<DecidedBlock> epochs;
    std::string after;
    std::vector<StatePair> pairs;
    bool last = false;
};
/// The sender proves that a replica lied.
struct Accuse {
    Evidence evidence;
};

/// What a checkpoint's statement signs.
Hash256 checkpoint_digest(Height height, const Hash256& chain, const Hash256& state_root,
                          const Hash256& committee);

struct Message {
    ReplicaName from; ///< The link has checked that its host sent this.
    std::variant<Signed, Forward, Hello, FetchBlocks, Blocks, FetchContent, Content, FetchSnapshot,
                 SnapshotPart, Accuse>
        body;
};
using MessageRef = std::shared_ptr<const Message>;

} // namespace dwcp::consensus
