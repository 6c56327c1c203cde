#include "tests/sim/consensus/behaviour.hpp"

#include "protocols/wire/consensus.hpp"
#include "tests/sim/consensus/forge.hpp"
#include "tests/sim/consensus/world.hpp"

#include <algorithm>

namespace dwcp::sim {

using namespace dwcp::consensus;

void Behaviour::outgoing(World& world, Host& host, const Send& send) {
    for (const auto& to : send.to)
        world.transmit(host, world.id_of(to), send.message);
}

namespace {

const Signed* signed_in(const MessageRef& message) { return std::get_if<Signed>(&message->body); }

bool leads(World& world, const Signed& message) {
    const auto& s = message.statement;
    const auto found = world.watch().committees().find(s.epoch);
    return found != world.watch().committees().end() && found->second.leader(s.view) == s.signer;
}

class Silent : public Behaviour {
  public:
    void outgoing(World&, Host&, const Send&) override {}
};

class SilentLeader : public Behaviour {
  public:
    void outgoing(World& world, Host& host, const Send& send) override {
        if (const auto* message = signed_in(send.message);
            message != nullptr && leads(world, *message) && message->statement.kind != Kind::checkpoint)
            return;
        Behaviour::outgoing(world, host, send);
    }
};

/// Proposes to exactly q - 1 members (it is one of them), another choice every so many slots.
class SelectiveLeader : public Behaviour {
  public:
    explicit SelectiveLeader(std::uint64_t seed) : random_(seed) {}
    void outgoing(World& world, Host& host, const Send& send) override {
        const auto* message = signed_in(send.message);
        const bool proposes = message != nullptr && (message->statement.kind == Kind::propose ||
                                                     message->statement.kind == Kind::new_view);
        if (!proposes) return Behaviour::outgoing(world, host, send);
        const auto n = world.newest_committee().n();
        const auto f = (n - 1) / 3;
        const std::size_t others = n - f - 2;
        const auto first = random_.below(send.to.size());
        for (std::size_t i = 0; i < std::min(others, send.to.size()); ++i)
            world.transmit(host, world.id_of(send.to[(first + i) % send.to.size()]), send.message);
    }

  private:
    Random random_;
};

class LateVotes : public Behaviour {
  public:
    explicit LateVotes(std::uint64_t seed) : random_(seed) {}
    void outgoing(World& world, Host& host, const Send& send) override {
        const auto timeout = static_cast<std::uint64_t>(world.plan().view_timeout);
        // Just before or just after the others' timers.
        const auto late = static_cast<Moment>(timeout * 9 / 10 + random_.below(timeout / 5));
        const bool vote = signed_in(send.message) != nullptr;
        for (const auto& to : send.to)
            world.transmit(host, world.id_of(to), send.message, vote && random_.below(4) != 0 ? late : 0);
    }

  private:
    Random random_;
};

/// Proposes two values to two parts of the committee and votes for each where it was proposed; so do the
/// others of the plot.
class Equivocating : public Behaviour {
  public:
    Equivocating(std::shared_ptr<Plot> plot, std::uint64_t seed) : plot_(std::move(plot)), random_(seed) {}

    void outgoing(World& world, Host& host, const Send& send) override {
        const auto* message = signed_in(send.message);
        if (std::holds_alternative<Accuse>(send.message->body)) return; // does not tell on its own kind
        if (message == nullptr) return Behaviour::outgoing(world, host, send);
        const auto key =
            std::tuple{message->statement.epoch, message->statement.view, message->statement.slot};
        if (std::holds_alternative<Propose>(message->body) && !plot_->splits.contains(key))
            split(world, host, *message);
        const auto found = plot_->splits.find(key);
        if (found == plot_->splits.end()) return Behaviour::outgoing(world, host, send);
        if (message->statement.kind == Kind::prepare) commit_at_once(world, host, *message, found->second);
        const auto other = second_of(world, host, *message, found->second);
        for (const auto& to : send.to) {
            const auto id = world.id_of(to);
            // Those who plot have the first value in mind, and vote for both.
            const bool plots = world.host(id).behaviour() != nullptr;
            const bool second = in_set(found->second.second_half, id) && other && !plots;
            world.transmit(host, id, second ? other : send.message);
            // Some see both, so that it is found out now and then.
            if (other && !plots && random_.below(16) == 0)
                world.transmit(host, id, second ? send.message : other);
        }
    }

    bool incoming(World&, Host&, const MessageRef& message) override {
        if (std::holds_alternative<Accuse>(message->body)) return false;
        const auto* one = signed_in(message);
        if (one == nullptr) return true;
        const auto& s = one->statement;
        const auto found = plot_->splits.find(std::tuple{s.epoch, s.view, s.slot});
        return found == plot_->splits.end() || s.digest != found->second.second->digest();
    }

  private:
    void split(World& world, Host& host, const Signed& first) {
        Plot::Split split;
        split.first = first.statement.digest;
        Block block = **std::get<Propose>(first.body).block;
        if (!block.transactions.empty() && random_.below(2) == 0)
            block.transactions.pop_back();
        else
            block.time_ms += 1;
        split.second = std::make_shared<const SealedBlock>(std::move(block));
        Statement statement = first.statement;
        statement.digest = split.second->digest();
        split.second_signature = sign(world, host, statement);
        // Every split of the others comes up; with all in one half it is an honest proposal.
        split.second_half = random_.next();
        plot_->splits.emplace(std::tuple{statement.epoch, statement.view, statement.slot}, std::move(split));
    }

    /// Commits to both values without having prepared either.
    void commit_at_once(World& world, Host& host, const Signed& prepare, const Plot::Split& split) {
        if (prepare.statement.digest != split.first) return;
        Signed commit = prepare;
        commit.statement.kind = Kind::commit;
        auto& vote = std::get<VoteFor>(commit.body);
        if (vote.proof) {
            vote.proof = host.signer().vrf_prove(vrf_alpha(world.domain(), commit.statement)).proof;
            commit.statement.annex = proof_digest(*vote.proof);
        }
        const auto first = signed_message(world, host, commit);
        const auto second = second_of(world, host, commit, split);
        for (std::size_t id = 0; id < world.hosts(); ++id)
            world.transmit(host, id, in_set(split.second_half, id) ? second : first);
    }

    MessageRef second_of(World& world, Host& host, const Signed& first, const Plot::Split& split) {
        Signed second = first;
        if (first.statement.digest != split.first) return nullptr;
        second.statement.digest = split.second->digest();
        if (auto* propose = std::get_if<Propose>(&second.body)) {
            propose->block = split.second;
        } else if (auto* vote = std::get_if<VoteFor>(&second.body)) {
            if (vote->leader_signature) vote->leader_signature = split.second_signature;
        } else {
            return nullptr;
        }
        return signed_message(world, host, std::move(second));
    }

    std::shared_ptr<Plot> plot_;
    Random random_;
};

} // namespace

std::unique_ptr<Behaviour> make_behaviour(Acts acts, std::shared_ptr<Plot> plot, std::uint64_t seed) {
    switch (acts) {
    case Acts::silent:
        return std::make_unique<Silent>();
    case Acts::silent_leader:
        return std::make_unique<SilentLeader>();
    case Acts::selective_leader:
        return std::make_unique<SelectiveLeader>(seed);
    case Acts::equivocating:
        return std::make_unique<Equivocating>(std::move(plot), seed);
    case Acts::late_votes:
        return std::make_unique<LateVotes>(seed);
    default:
        return make_loud_behaviour(acts, std::move(plot), seed);
    }
}

} // namespace dwcp::sim
