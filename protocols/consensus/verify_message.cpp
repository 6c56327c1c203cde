#include "protocols/consensus/verifier.hpp"
#include "protocols/consensus/verifier_parts.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

using namespace verifier_parts;

/// Checks the bodies of one message.
class MessageCheck {
  public:
    MessageCheck(const LaneView& view, Checker& checker, const Verifier& verifier, const ReplicaName& from,
                 const ReplicaName& me)
        : view_(view), checker_(checker), verifier_(verifier), from_(from), me_(me) {}

    Result<void> operator()(Signed& message) {
        const auto& statement = message.statement;
        const auto found = committee_of(view_, statement.epoch);
        if (!found) return std::unexpected(found.error());
        committee_ = *found;
        const auto signer = statement.signer;
        if (!committee_->contains(signer) || committee_->member(signer).name != from_)
            return untrue(from_ + " sends what another has signed");
        if (!verifier_.holds(statement, message.signature))
            return untrue("the signature of " + from_ + " does not hold");
        return std::visit([&](const auto& body) { return check_body(statement, body); }, message.body);
    }
    Result<void> operator()(Forward& forward) { return check_submitters(forward.transactions); }
    Result<void> operator()(Hello& hello) { return check_last_from_me(hello); }
    Result<void> operator()(FetchBlocks&) { return {}; }
    Result<void> operator()(FetchContent&) { return {}; }
    Result<void> operator()(FetchSnapshot&) { return {}; }
    Result<void> operator()(Blocks& blocks) { return check_decided(blocks.blocks); }
    Result<void> operator()(Content& content) { return check_submitters((*content.block)->transactions); }
    Result<void> operator()(SnapshotPart& part) {
        if (part.height == 0) return {};
        if (part.proof.slot != part.height) return untrue("a snapshot's proof is of another height");
        if (knows(part.proof.epoch)) {
            if (const auto proven = verifier_.proves_checkpoint(part.proof); !proven) return proven;
        }
        return check_decided(part.epochs);
    }
    Result<void> operator()(Accuse& accuse) { return verifier_.holds(accuse.evidence); }

  private:
    bool knows(Epoch epoch) const { return view_.committees.contains(epoch); }

    Result<void> check_submitters(const std::vector<Transaction>& transactions) const {
        for (const auto& transaction : transactions)
            if (auto held = verifier_.holds(transaction); !held) return held;
        return {};
    }

    /// Those of epochs that are not known here are left to follow_chain().
    Result<void> check_decided(const std::vector<DecidedBlock>& blocks) const {
        for (const auto& [block, proof] : blocks) {
            if ((*block)->epoch != proof.epoch && !has_bug(SeededBug::cross_epoch_quorum))
                return untrue("the proof of block " + std::to_string((*block)->height) +
                              " is of another epoch");
            if (!knows(proof.epoch)) continue;
            if (const auto proven = verifier_.proves(proof, block->digest(), (*block)->height); !proven)
                return proven;
        }
        return {};
    }

    Result<void> check_last_from_me(Hello& hello) const {
        if (hello.last_from_you.has_value() != hello.last_from_you_signature.has_value())
            return untrue(from_ + " says what I signed without its proof");
        if (!hello.last_from_you) return {};
        const auto found = committee_of(view_, hello.last_from_you->epoch);
        if (!found) { // The rest tells that there is an epoch to catch up with; this comes again then.
            hello.last_from_you.reset();
            hello.last_from_you_signature.reset();
            return {};
        }
        const auto id = (*found)->find(me_);
        if (!id || *id != hello.last_from_you->signer ||
            !verifier_.holds(*hello.last_from_you, *hello.last_from_you_signature))
            return untrue(from_ + " says that I signed what I did not");
        return {};
    }

    static Result<void> require_kind(const Statement& statement, Kind kind) {
        if (statement.kind == kind) return {};
        return untrue("a statement does not fit the message around it");
    }

    Result<void> check_body(const Statement& statement, const Propose& propose) const {
        const auto& block = **propose.block;
        if (statement.kind != Kind::propose || statement.digest != propose.block->digest() ||
            statement.slot != block.height || statement.epoch != block.epoch)
            return untrue(from_ + " proposes a block other than it signed");
        return check_submitters(block.transactions);
    }

    Result<void> check_body(const Statement& statement, const VoteFor& vote) const {
        if (statement.kind != Kind::prepare && statement.kind != Kind::commit)
            return require_kind(statement, Kind::prepare);
        if (!draws_samples(*committee_, statement.kind)) {
            if (vote.proof)
                return untrue("a vote of " + from_ + " has a VRF proof, which its engine has not");
            if (!vote.leader_signature) return {};
        } else if (!vote.proof || !vote.leader_signature) {
            return untrue("a vote of " + from_ + " lacks its VRF proof or the leader's signature");
        }
        const auto proposal = proposal_of(statement, committee_->leader(statement.view));
        if (!verifier_.holds(proposal, *vote.leader_signature))
            return untrue("a vote of " + from_ + " is for what the leader did not propose");
        if (!vote.proof) return {};
        const auto id = committee_->find(me_);
        if (!id || !in_sample(view_, checker_, *committee_, statement, *vote.proof, *id))
            return untrue("a vote of " + from_ + " did not draw " + me_);
        return {};
    }

    Result<void> check_body(const Statement& statement, const CheckpointVote&) const {
        return require_kind(statement, Kind::checkpoint);
    }

    Result<void> check_body(const Statement& statement, const Wish&) const {
        if (!statement.digest.is_zero()) return untrue("a wish of " + from_ + " is about something");
        return require_kind(statement, Kind::wish);
    }

    Result<void> check_body(const Statement& statement, const ViewChange& change) const {
        if (const auto fits = require_kind(statement, Kind::view_change); !fits) return fits;
        if (statement.digest != digest_of(change)) return untrue(from_ + " signed another view change");
        return check_change(statement, change);
    }

    Result<void> check_change(const Statement& statement, const ViewChange& change) const {
        const auto& stable = change.stable_proof;
        if (!stable.empty()) {
            if (stable.slot != change.stable) return untrue("a view change's checkpoint is of another slot");
            if (const auto proven = verifier_.proves_checkpoint(stable); !proven) return proven;
        }
        Height above = change.stable;
        for (const auto& certificate : change.prepared) {
            const bool ascending = certificate.slot > above && certificate.slot - change.stable <= kWindow;
            above = certificate.slot;
            if (!ascending) return untrue("a view change has slots out of order or of no window");
            if (certificate.epoch != statement.epoch || certificate.view >= statement.view ||
                certificate.kind == Kind::checkpoint || certificate.empty())
                return untrue("a view change shows a certificate that belongs elsewhere");
            if (const auto holds = verifier_.holds(certificate); !holds) return holds;
        }
        return {};
    }

    Result<void> check_body(const Statement& statement, const NewView& new_view) const {
        if (const auto fits = require_kind(statement, Kind::new_view); !fits) return fits;
        if (statement.digest != digest_of(new_view)) return untrue(from_ + " signed another new view");
        std::optional<ReplicaId> before;
        for (const auto& [replica, change, signature] : new_view.changes) {
            if (before && replica <= *before) return untrue("a new view has a replica twice or out of order");
            before = replica;
            Statement said = statement;
            said.kind = Kind::view_change;
            said.signer = replica;
            said.digest = digest_of(change);
            if (!verifier_.holds(said, signature))
                return untrue("a new view of " + from_ +
                              " shows a view change that its replica did not sign");
            if (const auto sound = check_change(said, change); !sound) return sound;
        }
        return check_reproposals(statement, new_view.proposals);
    }

    Result<void> check_reproposals(const Statement& statement, const std::vector<Reproposal>& all) const {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].slot != all.front().slot + i) return untrue("a new view's slots have gaps");
            Statement proposal = statement;
            proposal.kind = Kind::propose;
            proposal.slot = all[i].slot;
            proposal.digest = all[i].digest;
            if (!verifier_.holds(proposal, all[i].signature))
                return untrue("a new view of " + from_ + " proposes what it did not sign");
        }
        return {};
    }

    const LaneView& view_;
    Checker& checker_;
    const Verifier& verifier_;
    const ReplicaName& from_;
    const ReplicaName& me_;
    const Committee* committee_ = nullptr;
};

} // namespace

Result<Verified> Verifier::verify(Message message, const ReplicaName& me) const {
    MessageCheck check(*view_, checker_, *this, message.from, me);
    if (const auto sound = std::visit(check, message.body); !sound) return std::unexpected(sound.error());
    return Verified(std::make_shared<const Message>(std::move(message)));
}

} // namespace dwcp::consensus
