// Byzantine hosts that say more than their puppet does: replays, forged draws, garbage, lies about what was
// prepared, floods.
#include "protocols/wire/consensus.hpp"
#include "tests/sim/consensus/behaviour.hpp"
#include "tests/sim/consensus/forge.hpp"
#include "tests/sim/consensus/registers.hpp"
#include "tests/sim/consensus/world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::sim {
namespace {

using namespace dwcp::consensus;

constexpr std::size_t kSeenMax = 512;

const Signed* signed_in(const MessageRef& message) { return std::get_if<Signed>(&message->body); }

/// Someone else of the world.
std::size_t somebody(World& world, const Host& host, Random& random) {
    const auto n = world.hosts();
    return (host.id() + 1 + random.below(n - 1)) % n;
}

class Loud : public Behaviour {
  public:
    Loud(std::shared_ptr<Plot> plot, std::uint64_t seed) : plot_(std::move(plot)), random_(seed) {}

    bool incoming(World&, Host&, const MessageRef& message) override {
        if (signed_in(message) != nullptr) remember(message);
        return true;
    }

  protected:
    void remember(const MessageRef& message) {
        if (plot_->seen.size() < kSeenMax)
            plot_->seen.push_back(message);
        else
            plot_->seen[plot_->next_seen++ % kSeenMax] = message;
    }
    MessageRef any_seen() {
        return plot_->seen.empty() ? nullptr : plot_->seen[random_.below(plot_->seen.size())];
    }

    std::shared_ptr<Plot> plot_;
    Random random_;
};

/// Old messages once more: word for word under one's own name, and one's own again for other views, slots,
/// epochs, kinds and lanes with the signature that they had.
class Replays : public Loud {
  public:
    using Loud::Loud;
    void outgoing(World& world, Host& host, const Send& send) override {
        if (signed_in(send.message) != nullptr) remember(send.message);
        Behaviour::outgoing(world, host, send);
    }
    void idle(World& world, Host& host) override {
        for (int i = 0; i < 3; ++i) {
            const auto old = any_seen();
            if (!old) return;
            const auto again =
                random_.below(2) == 0 ? under_own_name(host, *old) : changed(world, host, *old);
            world.transmit(host, somebody(world, host, random_), again);
        }
    }

  private:
    static MessageRef under_own_name(Host& host, const Message& old) {
        return std::make_shared<const Message>(Message{host.name(), old.body});
    }
    MessageRef changed(World& world, Host& host, const Message& old) {
        Signed message = std::get<Signed>(old.body);
        auto& s = message.statement;
        switch (random_.below(6)) {
        case 0:
            s.view += 1 + random_.below(3);
            break;
        case 1:
            s.slot += 1 + random_.below(3);
            break;
        case 2:
            s.epoch += 1;
            break;
        case 3:
            s.kind = s.kind == Kind::prepare ? Kind::commit : Kind::prepare;
            break;
        case 4:
            s.engine = s.engine == EngineKind::pbft ? EngineKind::probft : EngineKind::pbft;
            break;
        default: { // its own word, given to another lane
            Domain elsewhere = world.domain();
            elsewhere.lane += "-other";
            message.signature = host.signer().sign(signing_bytes(elsewhere, s));
            break;
        }
        }
        return std::make_shared<const Message>(Message{host.name(), std::move(message)});
    }
};

/// Votes whose proofs are of other keys, slots and phases, have bits flipped, or come to those not drawn.
class ForgesDraws : public Loud {
  public:
    using Loud::Loud;
    void outgoing(World& world, Host& host, const Send& send) override {
        const auto* message = signed_in(send.message);
        const auto* vote = message == nullptr ? nullptr : std::get_if<VoteFor>(&message->body);
        Behaviour::outgoing(world, host, send);
        if (vote == nullptr || !vote->proof) return;
        remember(send.message);
        for (std::size_t id = 0; id < world.hosts(); ++id) // also to those that it did not draw
            world.transmit(host, id, id % 2 == 0 ? send.message : forged(world, host, *message));
    }

  private:
    MessageRef forged(World& world, Host& host, Signed message) {
        auto& vote = std::get<VoteFor>(message.body);
        auto& proof = *vote.proof;
        Statement other = message.statement;
        switch (random_.below(5)) {
        case 0:
            proof[random_.below(proof.size())] ^= static_cast<Byte>(1U << random_.below(8));
            break;
        case 1:
            other.slot += 1;
            break;
        case 2:
            other.view += 1;
            break;
        case 3:
            other.kind = other.kind == Kind::prepare ? Kind::commit : Kind::prepare;
            break;
        default:
            if (const auto old = any_seen()) {
                const auto* theirs = std::get_if<VoteFor>(&std::get<Signed>(old->body).body);
                if (theirs != nullptr && theirs->proof) proof = *theirs->proof;
            }
            break;
        }
        if (other != message.statement)
            proof = host.signer().vrf_prove(vrf_alpha(world.domain(), other)).proof;
        if (random_.below(4) != 0) message.statement.annex = proof_digest(proof);
        return signed_message(world, host, std::move(message));
    }
};

/// What arrives is no message: corrupted, cut off, too long, or random.
class Garbles : public Loud {
  public:
    using Loud::Loud;
    void outgoing(World& world, Host& host, const Send& send) override {
        if (random_.below(3) != 0) return Behaviour::outgoing(world, host, send);
        for (const auto& to : send.to)
            world.transmit_bytes(host, world.id_of(to), garbled(wire::encode(*send.message)));
    }
    void idle(World& world, Host& host) override {
        Bytes noise(8 * (1 + random_.below(64)));
        for (auto& byte : noise)
            byte = static_cast<Byte>(random_.below(256));
        world.transmit_bytes(host, somebody(world, host, random_), noise);
        if (const auto old = any_seen())
            world.transmit_bytes(host, somebody(world, host, random_), garbled(wire::encode(*old)));
    }

  private:
    Bytes garbled(Bytes bytes) {
        switch (random_.below(4)) {
        case 0:
            bytes.resize(random_.below(bytes.size() + 1));
            break;
        case 1:
            bytes.resize(bytes.size() + 8 * (1 + random_.below(1000)), 0xff);
            break;
        case 2: // pointers and lengths stand at the beginning
            for (int i = 0; i < 4; ++i)
                bytes[random_.below(std::min<std::size_t>(bytes.size(), 64))] =
                    static_cast<Byte>(random_.below(256));
            break;
        default:
            bytes[random_.below(bytes.size())] ^= static_cast<Byte>(1U << random_.below(8));
            break;
        }
        return bytes;
    }
};

/// Says of what it prepared what it likes, and as a new leader proposes what it likes.
class LiesInChanges : public Loud {
  public:
    using Loud::Loud;
    void outgoing(World& world, Host& host, const Send& send) override {
        const auto* message = signed_in(send.message);
        if (message == nullptr) return Behaviour::outgoing(world, host, send);
        note(*message);
        for (const auto& to : send.to) {
            MessageRef told = send.message;
            if (std::holds_alternative<ViewChange>(message->body) && random_.below(4) != 0)
                told = lied(world, host, *message);
            if (std::holds_alternative<NewView>(message->body) && random_.below(2) == 0)
                told = another_view(world, host, *message);
            world.transmit(host, world.id_of(to), told);
        }
    }
    bool incoming(World& world, Host& host, const MessageRef& message) override {
        if (const auto* one = signed_in(message)) note(*one);
        return Loud::incoming(world, host, message);
    }
    /// Wants to leave the view all the time.
    void idle(World& world, Host& host) override {
        if (random_.below(20) != 0) return;
        const auto status = host.status();
        const auto id = status.id;
        if (!id) return;
        Signed change;
        change.statement = {.kind = Kind::view_change,
                            .engine = world.plan().engine,
                            .epoch = status.committee.epoch,
                            .view = status.engine.view + 1 + random_.below(3),
                            .slot = 0,
                            .signer = *id,
                            .digest = digest_of(ViewChange{}),
                            .annex = {}};
        change.body = ViewChange{};
        const auto told = signed_message(world, host, std::move(change));
        for (std::size_t to = 0; to < world.hosts(); ++to)
            world.transmit(host, to, told);
    }

  private:
    /// Certificates of earlier times, to be shown when they are outdated.
    void note(const Signed& message) {
        const auto* change = std::get_if<ViewChange>(&message.body);
        if (change == nullptr) return;
        for (const auto& certificate : change->prepared)
            if (old_.size() < 64) old_.push_back(certificate);
    }
    MessageRef lied(World& world, Host& host, Signed message) {
        auto& change = std::get<ViewChange>(message.body);
        switch (random_.below(6)) {
        case 0:
            change.prepared.clear();
            break;
        case 1:
            if (!change.prepared.empty()) change.prepared.pop_back();
            break;
        case 2:
            if (!old_.empty()) change.prepared = {old_[random_.below(old_.size())]};
            break;
        case 3: // made up
            for (auto& certificate : change.prepared)
                certificate.digest.bytes[0] ^= 1;
            break;
        case 4: // one voter counted again and again
            for (auto& certificate : change.prepared)
                for (auto& vote : certificate.votes)
                    vote = certificate.votes.front();
            break;
        default:
            change.stable = 0;
            change.stable_proof = {};
            break;
        }
        message.statement.digest = digest_of(change);
        return signed_message(world, host, std::move(message));
    }
    MessageRef another_view(World& world, Host& host, Signed message) {
        auto& view = std::get<NewView>(message.body);
        switch (random_.below(4)) {
        case 0:
            view.proposals.clear();
            break;
        case 1:
            if (!view.changes.empty()) view.changes.pop_back();
            break;
        case 2:
            for (auto& change : view.changes)
                change = view.changes.front();
            break;
        default:
            for (auto& proposal : view.proposals) {
                proposal.digest.bytes[1] ^= 1;
                Statement s = message.statement;
                s.kind = Kind::propose;
                s.slot = proposal.slot;
                s.digest = proposal.digest;
                proposal.signature = sign(world, host, s);
            }
            break;
        }
        message.statement.digest = digest_of(view);
        return signed_message(world, host, std::move(message));
    }

    std::vector<Certificate> old_;
};

/// As much as it can: votes of far views and slots, wishes, commands that nobody needs, fetches.
class Floods : public Loud {
  public:
    using Loud::Loud;
    void idle(World& world, Host& host) override {
        const auto status = host.status();
        if (!status.id) return;
        for (int i = 0; i < 6; ++i) {
            const auto message = some(world, host, status);
            for (std::size_t to = 0; to < world.hosts(); ++to)
                world.transmit(host, to, message);
        }
    }

  private:
    MessageRef some(World& world, Host& host, const ReplicaStatus& status) {
        switch (random_.below(6)) {
        case 0:
            return plain_message(host, FetchBlocks{.from = 1, .bytes_max = ~0U});
        case 1:
            return plain_message(host, FetchSnapshot{.height = 0, .after = {}});
        case 2:
            return plain_message(host, FetchContent{.slot = random_.next(), .digest = {}});
        case 3:
            return plain_message(host, spam(world, host));
        default:
            return vote(world, host, status);
        }
    }
    Forward spam(World& world, Host& host) {
        Forward forward;
        forward.to_all = random_.below(2) == 0;
        for (int i = 0; i < 4; ++i) {
            Transaction transaction;
            // Few clients, so that the state stays small.
            transaction.command = {.id = fmt::format("spam-{}-{}", host.id(), random_.below(4)),
                                   .payload = Registers::write("spam", std::string(200, 's')),
                                   .sequence = ++spammed_};
            transaction.submitter = host_of(host.name());
            transaction.signature =
                host.signer().sign(signing_bytes(world.domain(), submission_of(transaction)));
            world.watch().submitted(transaction.command);
            forward.transactions.push_back(std::move(transaction));
        }
        return forward;
    }
    MessageRef vote(World& world, Host& host, const ReplicaStatus& status) {
        constexpr Kind kKinds[] = {Kind::prepare, Kind::commit, Kind::checkpoint, Kind::wish,
                                   Kind::view_change};
        Signed message;
        auto& s = message.statement;
        s = {.kind = kKinds[random_.below(std::size(kKinds))],
             .engine = world.plan().engine,
             .epoch = status.committee.epoch,
             .view =
                 status.engine.view + random_.below(4) * (1 + (random_.next() >> (1 + random_.below(62)))),
             .slot = status.decided + 1 + random_.below(3) * random_.below(1U << random_.below(24)),
             .signer = *status.id,
             .digest = {},
             .annex = {}};
        s.digest.bytes[random_.below(32)] = static_cast<Byte>(random_.below(256));
        if (s.kind == Kind::checkpoint) s.view = 0, message.body = CheckpointVote{};
        if (s.kind == Kind::wish) s.slot = 0, s.digest = {}, message.body = Wish{};
        if (s.kind == Kind::view_change)
            s.slot = 0, s.digest = digest_of(ViewChange{}), message.body = ViewChange{};
        if (s.kind == Kind::prepare || s.kind == Kind::commit) {
            VoteFor vote;
            if (world.plan().engine == EngineKind::probft) {
                vote.proof = host.signer().vrf_prove(vrf_alpha(world.domain(), s)).proof;
                s.annex = proof_digest(*vote.proof);
                const auto leader = status.committee.leader(s.view);
                if (leader == *status.id) vote.leader_signature = sign(world, host, proposal_of(s, leader));
            }
            message.body = vote;
        }
        return signed_message(world, host, std::move(message));
    }

    std::uint64_t spammed_ = 0;
};

} // namespace

std::unique_ptr<Behaviour> make_loud_behaviour(Acts acts, std::shared_ptr<Plot> plot, std::uint64_t seed) {
    switch (acts) {
    case Acts::replays:
        return std::make_unique<Replays>(std::move(plot), seed);
    case Acts::forges_draws:
        return std::make_unique<ForgesDraws>(std::move(plot), seed);
    case Acts::garbles:
        return std::make_unique<Garbles>(std::move(plot), seed);
    case Acts::lies_in_changes:
        return std::make_unique<LiesInChanges>(std::move(plot), seed);
    case Acts::floods:
        return std::make_unique<Floods>(std::move(plot), seed);
    default:
        return std::make_unique<Behaviour>();
    }
}

} // namespace dwcp::sim
