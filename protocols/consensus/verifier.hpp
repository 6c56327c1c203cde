// Turns a decoded message into a Verified one, off the engine's actor: every signature and VRF proof in it,
// nested ones included, is really checked, through the process's memo. Engines take only Verified messages
// and check what is left: quorums, distinctness, views, values.
//
// Life cycle: a Verifier is made from an immutable view of the lane (domain, known committees); thread-safe,
// many may work at once on a pool; the replica publishes a new view when an epoch begins.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/message.hpp"

#include <functional>
#include <map>
#include <memory>
#include <span>

namespace dwcp::crypto {
class SignatureMemo;
} // namespace dwcp::crypto

namespace dwcp::consensus {

/// Signs with a replica's key. Pure: the same bytes give the same signature and proof.
class Signer {
  public:
    virtual ~Signer() = default;
    virtual crypto::Signature sign(ByteView message) const = 0;
    virtual crypto::VrfResult vrf_prove(ByteView alpha) const = 0;
};

/// Checks signatures. The node's goes through crypto::SignatureMemo; a simulation may use a cheaper scheme
/// that its adversaries cannot forge either. Thread-safe.
class Checker {
  public:
    virtual ~Checker() = default;
    virtual bool verify(const PublicKey& key, ByteView message, const crypto::Signature& signature) = 0;
    virtual std::optional<crypto::VrfOutput> verify_vrf(const PublicKey& key, ByteView alpha,
                                                        const crypto::VrfProof& proof) = 0;
};

/// Real keys.
std::unique_ptr<Signer> make_signer(std::shared_ptr<const crypto::SigningKey> key);
/// Through the memo, which outlives it.
std::unique_ptr<Checker> make_checker(crypto::SignatureMemo& memo);

/// VRF input of ProBFT: binds cluster, lane, genesis, epoch, slot, view, phase and the replica.
Bytes vrf_alpha(const Domain& domain, const Statement& vote);
/// q and s of a committee: q = min(ceil(l sqrt n), Qd), s = min(ceil(o q), n).
struct SampleSizes {
    std::size_t quorum = 0;
    std::size_t sample = 0;
};
SampleSizes sample_sizes(const Committee& committee);

class Verifier;

/// A message whose signatures hold. Only a Verifier makes one.
class Verified {
  public:
    const Message& operator*() const { return *message_; }
    const Message* operator->() const { return message_.get(); }
    const MessageRef& ref() const { return message_; }

  private:
    friend class Verifier;
    explicit Verified(MessageRef message) : message_(std::move(message)) {}
    MessageRef message_;
};

/// What a verifier knows of the lane.
struct LaneView {
    Domain domain;
    std::map<Epoch, Committee> committees; ///< The current one and those that certificates may still name.
    /// Whether each must carry its submitter's signature. Changes of the committee must in every lane: with
    /// none, a single faulty leader would make them up and nobody could tell.
    bool signed_transactions = false;
    /// Key of a node that may submit; nullopt: unknown node. Members' hosts and observers. Never empty where
    /// a committee may change.
    std::function<std::optional<PublicKey>(const NodeName&)> key_of_node;
};

class Verifier {
  public:
    Verifier(std::shared_ptr<const LaneView> view, Checker& checker);

    /// The message if all its signatures hold, every signer is in the committee of the epoch that it names, a
    /// signed message comes from the replica that signed it, and ProBFT's proofs put their recipient in the
    /// sample: `me` for votes, the certificate's own recipient in certificates. Errc::unauthenticated names
    /// what failed; Errc::precondition_failed: an epoch that is not known here (maybe a later one).
    /// Two exceptions, since they tell that there is a later epoch: decided blocks and checkpoints of an
    /// unknown epoch are left to follow_chain(), and a Hello loses what it says that `me` signed in one.
    Result<Verified> verify(Message message, const ReplicaName& me) const;

    // The parts, for those who hold certificates for other reasons (proofs, catching up).
    bool holds(const Statement& statement, const crypto::Signature& signature) const;
    /// Every vote; distinct, ascending, members. Not how many.
    Result<void> holds(const Certificate& certificate) const;
    /// A decision: enough votes for `block` by the rules of its committee's engine. From scratch.
    Result<void> proves(const Certificate& commit, const Hash256& block, Height height) const;
    /// A stable checkpoint: quorum() votes.
    Result<void> proves_checkpoint(const Certificate& certificate) const;
    Result<void> holds(const Evidence& evidence) const;
    /// Signed by its submitter, where that is wanted: in lanes of signed transactions, and of changes of the
    /// committee in every lane.
    Result<void> holds(const Transaction& transaction) const;

  private:
    std::shared_ptr<const LaneView> view_;
    Checker& checker_;
};

/// Verifies from the first to the last epoch, each block by the committee that the one before made.
/// `committee`: the one that decides `blocks.front()`; advanced.
Result<void> follow_chain(const LaneView& view, Checker& checker, std::span<const DecidedBlock> blocks,
                          Committee& committee);

} // namespace dwcp::consensus
