#include "tests/unit/consensus/engine_rig.hpp"

#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/sampling.hpp"
#include "protocols/wire/consensus.hpp"

#include <catch2/catch.hpp>

namespace dwcp::consensus::test {

using std::chrono::seconds;

namespace {

constexpr Duration kHello = milliseconds(500);
constexpr Duration kFetchBlocks = seconds(5);

PublicKey key_of(ReplicaId id) {
    PublicKey key;
    key.bytes[0] = static_cast<Byte>(id + 1);
    key.bytes[1] = static_cast<Byte>(id >> 8);
    key.bytes[31] = 7;
    return key;
}

} // namespace

crypto::Signature QuickSigner::sign(ByteView message) const {
    const Hash256 hash = crypto::sha256({key_.view(), message});
    crypto::Signature out{};
    std::copy(hash.bytes.begin(), hash.bytes.end(), out.begin());
    std::copy(hash.bytes.begin(), hash.bytes.end(), out.begin() + 32);
    return out;
}

crypto::VrfResult QuickSigner::vrf_prove(ByteView alpha) const {
    crypto::VrfResult out;
    const auto first = sign(crypto::sha256({as_bytes("draw"), alpha}).view());
    const auto second = sign(first);
    std::copy(first.begin(), first.end(), out.proof.begin());
    std::copy_n(second.begin(), 32, out.output.begin());
    return out;
}

EngineRig::EngineRig(std::size_t n, Rules chosen) : rules(std::move(chosen)), random(rules.seed) {
    committee.engine = rules.engine;
    committee.samples = rules.samples;
    for (std::size_t id = 0; id < n; ++id) {
        const auto key = key_of(static_cast<ReplicaId>(id));
        committee.members.push_back({replica_name("site-a", static_cast<unsigned>(id)), key});
        signers_.push_back(std::make_unique<QuickSigner>(key));
        nodes.push_back(std::make_unique<Node>());
        nodes.back()->id = static_cast<ReplicaId>(id);
    }
    domain.genesis = committee.digest();
    view_->domain = domain;
    view_->committees[committee.epoch] = committee;
    view_->key_of_node = [this](const NodeName& node) -> std::optional<PublicKey> {
        for (const auto& member : committee.members) {
            if (host_of(member.name) == node) return member.key;
        }
        return std::nullopt;
    };
    verifier_ = std::make_unique<Verifier>(view_, checker_);
}

EngineOptions EngineRig::options(ReplicaId id) const {
    EngineOptions out;
    out.domain = domain;
    out.committee = committee;
    out.self = id;
    out.signer = signers_[id].get();
    out.acceptable = [](const Block& block, const Now&) -> Result<void> {
        if (!block.transactions.empty() && block.transactions[0].command.id == "bad")
            return fail(Errc::invalid_argument, "a bad block");
        return {};
    };
    if (rules.tune) rules.tune(out);
    return out;
}

std::size_t EngineRig::add_twin(ReplicaId id) {
    nodes[id]->honest = false;
    nodes.push_back(std::make_unique<Node>());
    nodes.back()->id = id;
    nodes.back()->honest = false;
    return nodes.size() - 1;
}

void EngineRig::start() {
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        restart(at);
        if (rules.hellos) later(kHello + milliseconds(at), [this, at] { hello(at); });
    }
}

void EngineRig::later(Duration delay, std::function<void()> what) {
    queue_.push({now_.time + delay, order_++, std::move(what)});
}

Duration EngineRig::delay() {
    const auto span = static_cast<std::uint64_t>((rules.delay_max - rules.delay_min).count());
    return rules.delay_min + Duration(span ? static_cast<std::int64_t>(random.below(span)) : 0);
}

bool EngineRig::run(Duration most, const std::function<bool()>& until) {
    const TimePoint end = now_.time + most;
    while (!until()) {
        if (queue_.empty() || queue_.top().at > end) {
            now_.time = end;
            return until();
        }
        Item item = queue_.top();
        queue_.pop();
        now_.unix_ms +=
            static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(item.at - now_.time).count());
        now_.time = item.at;
        item.what();
    }
    return true;
}

void EngineRig::want(Height upto) {
    wanted_ = upto;
    for (std::size_t at = 0; at < nodes.size(); ++at)
        tell_work(at);
}

void EngineRig::tell_work(std::size_t at) {
    if (!is_up(at)) return;
    give(at, WorkWaits{nodes[at]->upto < wanted_});
    lead(at);
}

bool EngineRig::all_decided(Height upto) const {
    for (const auto& node : nodes) {
        if (node->honest && node->engine && node->upto < upto) return false;
    }
    return true;
}

void EngineRig::crash(std::size_t at) {
    nodes[at]->engine.reset();
    nodes[at]->wake.reset();
}

void EngineRig::restart(std::size_t at) {
    Node& node = *nodes[at];
    ++node.life;
    node.reached_at = now_.time;
    auto made = rules.factory(options(node.id), node.disk);
    if (!made) FAIL("replica " << node.id << " cannot restart: " << made.error().message);
    node.engine = std::move(*made);
    give(at, EngineStart{});
    if (is_up(at) && node.upto > 0) give(at, DecidedElsewhere{node.upto}); // what its store has
    tell_work(at);
}

void EngineRig::give(std::size_t at, EngineEvent event) {
    if (is_up(at)) perform(at, nodes[at]->engine->step(std::move(event), now_));
}

void EngineRig::perform(std::size_t at, EngineEffects effects) {
    Node& node = *nodes[at];
    node.persists += !effects.persist.empty();
    const Fate what_happens = fate ? fate(node, effects) : Fate::lives;
    if (what_happens == Fate::dies_before_disk) return crash(at);
    for (const auto& [key, value] : effects.persist) {
        if (value) node.disk.insert_or_assign(key, *value);
        if (!value) node.disk.erase(key);
    }
    if (what_happens == Fate::dies_after_disk) return crash(at);
    invalid += effects.invalid;
    views_failed += effects.views_failed;
    for (const auto& proof : effects.evidence) {
        REQUIRE(verifier_->holds(proof));
        evidence.push_back(proof);
    }
    for (const auto& decision : effects.decided)
        note_decided(node, decision);
    for (const auto& message : effects.broadcasts) {
        for (std::size_t to = 0; to < nodes.size(); ++to) {
            if (nodes[to]->id != node.id) send(at, to, message);
        }
    }
    for (const auto& [peer, message] : effects.sends) {
        for (std::size_t to = 0; to < nodes.size(); ++to) {
            if (nodes[to]->id == peer) send(at, to, message);
        }
    }
    for (const auto& what : effects.wanted)
        fetch(at, what);
    node.wake = effects.wake;
    if (effects.wake) {
        const TimePoint due = *effects.wake;
        later(std::max(Duration{0}, due - now_.time), [this, at, due, life = node.life] {
            if (nodes[at]->life == life && nodes[at]->wake == due) give(at, EngineTick{});
        });
    }
    if (!effects.decided.empty()) {
        node.reach(node.upto, now_.time);
        checkpoints();
        tell_work(at);
    }
    lead(at);
}

void EngineRig::lead(std::size_t at) {
    if (!is_up(at) || !nodes[at]->engine->wants_proposal()) return;
    const Height slot = nodes[at]->engine->next_slot();
    if (slot > wanted_) return;
    give(at, ProposeBlock{block(slot, std::to_string(at) + "-" + std::to_string(nodes[at]->life) + "-" +
                                          std::to_string(order_++))});
    lead(at);
}

void EngineRig::send(std::size_t from, std::size_t to, const MessageRef& message) {
    if (const auto* said = std::get_if<Signed>(&message->body)) {
        if (nodes[from]->honest) note_signed(*nodes[from], said->statement);
        ++sent[said->statement.kind];
    } else {
        ++accusations;
    }
    if (passes && !passes(from, to, *message)) return;
    auto bytes = std::make_shared<const Bytes>(wire::encode(*message));
    unsigned copies = random.below(1000) < rules.twice_permille ? 2 : 1;
    if (random.below(1000) < rules.lose_permille) copies = 0;
    for (; copies > 0; --copies)
        later(delay(), [this, to, bytes] { arrive(to, *bytes); });
}

void EngineRig::arrive(std::size_t to, const Bytes& bytes) {
    if (!is_up(to)) return;
    auto message = wire::decode_consensus_message(bytes);
    REQUIRE(message);
    auto verified = verifier_->verify(std::move(*message), committee.member(nodes[to]->id).name);
    if (!verified) FAIL(verified.error().message);
    give(to, EngineReceived{std::move(*verified)});
}

void EngineRig::deliver(std::size_t node, ReplicaId signer, Signed said) {
    arrive(node, wire::encode(Message{committee.member(signer).name, std::move(said)}));
}

void EngineRig::fetch(std::size_t asker, const FetchContent& what) {
    ++fetched;
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        if (at == asker || !is_up(at) || (random.below(1000) < rules.lose_permille)) continue;
        const BlockRef block = nodes[at]->engine->content(what.slot, what.digest);
        if (!block) continue;
        later(2 * delay(), [this, asker, block] { give(asker, ContentCame{block}); });
    }
}

void EngineRig::note_signed(const Node& node, const Statement& what) {
    REQUIRE(what.signer == node.id);
    const auto place = std::tuple(node.id, what.kind, what.view, what.slot);
    const auto [found, fresh] = said_.emplace(place, what.digest);
    INFO("replica " << node.id << " kind " << int(what.kind) << " view " << what.view << " slot "
                    << what.slot);
    REQUIRE(found->second == what.digest);
}

void EngineRig::note_decided(Node& node, const Decision& decision) {
    REQUIRE(decision.block);
    REQUIRE((*decision.block)->height == decision.slot);
    const auto proven = verifier_->proves(decision.proof, decision.block->digest(), decision.slot);
    if (!proven) FAIL(proven.error().message);
    if (!node.honest) return;
    INFO("slot " << decision.slot << " at replica " << node.id);
    const auto [found, fresh] = agreed.emplace(decision.slot, decision.block->digest());
    REQUIRE(found->second == decision.block->digest());
    const auto [own, first] = node.decided.emplace(decision.slot, decision.block->digest());
    REQUIRE(own->second == decision.block->digest());
}

void EngineRig::hello(std::size_t at) {
    later(kHello, [this, at] { hello(at); });
    if (!is_up(at)) return;
    const EngineStatus status = nodes[at]->engine->status();
    for (std::size_t to = 0; to < nodes.size(); ++to) {
        if (nodes[to]->id == nodes[at]->id || random.below(1000) < rules.lose_permille) continue;
        later(delay(), [this, to, status, id = nodes[at]->id] {
            give(to, PeerStands{id, status.view, status.decided});
            catch_up(to, id, status);
        });
    }
}

/// What replicas around the engines do: who is behind what the others have collected installs a snapshot, and
/// who stays behind for long fetches blocks with their certificates.
void EngineRig::catch_up(std::size_t at, ReplicaId from, const EngineStatus& there) {
    Node& node = *nodes[at];
    if (!is_up(at) || !node.honest || !nodes[from]->honest) return;
    Height upto = there.stable;
    if (now_.time - node.reached_at > kFetchBlocks) upto = there.decided;
    if (upto <= node.upto) return;
    node.reach(upto, now_.time);
    give(at, DecidedElsewhere{node.upto});
    if (there.stable > 0) give(at, StableCheckpoint{checkpoint(there.stable)});
    tell_work(at);
}

/// What replicas around the engines do: a checkpoint is stable once a quorum has decided so far.
void EngineRig::checkpoints() {
    if (rules.checkpoint_every == 0) return;
    const Height slot = (checkpoints_.empty() ? 0 : checkpoints_.rbegin()->first) + rules.checkpoint_every;
    std::size_t reached = 0;
    for (std::size_t id = 0; id < committee.n(); ++id)
        reached += nodes[id]->upto >= slot;
    if (reached < committee.quorum()) return;
    checkpoints_.emplace(slot, checkpoint(slot));
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        later(delay(), [this, at, slot] {
            if (nodes[at]->upto >= slot) give(at, StableCheckpoint{checkpoints_.at(slot)});
        });
    }
}

Signed EngineRig::sign(ReplicaId signer, Kind kind, View view, Height slot, const Hash256& digest) const {
    Signed out;
    out.statement.kind = kind;
    out.statement.engine = committee.engine;
    out.statement.epoch = committee.epoch;
    out.statement.view = view;
    out.statement.slot = slot;
    out.statement.signer = signer;
    out.statement.digest = digest;
    out.signature = signers_[signer]->sign(signing_bytes(domain, out.statement));
    return out;
}

Signed EngineRig::propose(ReplicaId signer, View view, const BlockRef& block) const {
    Signed out = sign(signer, Kind::propose, view, (*block)->height, block->digest());
    out.body = Propose{block};
    return out;
}

Signed EngineRig::vote(ReplicaId signer, Kind kind, View view, Height slot, const Hash256& digest) const {
    Signed out = sign(signer, kind, view, slot, digest);
    out.body = VoteFor{};
    if (committee.engine != EngineKind::probft) return out;
    const auto own = signature_of(out.statement);
    out.statement.annex = proof_digest(*own.proof);
    out.signature = own.signature;
    out.body = VoteFor{signature_of(proposal_of(out.statement, committee.leader(view))).signature, own.proof};
    return out;
}

Vote EngineRig::signature_of(Statement statement) const {
    const auto& signer = *signers_[statement.signer];
    Vote out{.replica = statement.signer, .signature = {}, .proof = std::nullopt};
    const bool drawn = statement.kind == Kind::prepare || statement.kind == Kind::commit;
    if (drawn && committee.engine == EngineKind::probft) {
        out.proof = signer.vrf_prove(vrf_alpha(domain, statement)).proof;
        statement.annex = proof_digest(*out.proof);
    }
    out.signature = signer.sign(signing_bytes(domain, statement));
    return out;
}

bool EngineRig::draws(ReplicaId voter, Kind kind, View view, Height slot, ReplicaId who) const {
    const auto statement = sign(voter, kind, view, slot, {}).statement;
    const auto output = signers_[voter]->vrf_prove(vrf_alpha(domain, statement)).output;
    const auto sample = crypto::expand_sample(output, committee.n(), sample_sizes(committee).sample);
    return std::binary_search(sample.begin(), sample.end(), who);
}

Signed EngineRig::change(ReplicaId signer, View view, ViewChange body) const {
    Signed out = sign(signer, Kind::view_change, view, 0, digest_of(body));
    out.body = std::move(body);
    return out;
}

BlockRef EngineRig::block(Height slot, std::string text) const {
    Block out;
    out.height = slot;
    out.epoch = committee.epoch;
    out.time_ms = now_.unix_ms;
    out.proposer = "site-a";
    Transaction transaction;
    transaction.command.id = text;
    transaction.command.payload = Bytes(10, 'x');
    transaction.command.sequence = 1;
    transaction.submitter = "site-a";
    out.transactions.push_back(std::move(transaction));
    return std::make_shared<const SealedBlock>(std::move(out));
}

Certificate EngineRig::checkpoint(Height slot) const {
    Certificate out;
    out.kind = Kind::checkpoint;
    out.engine = committee.engine;
    out.epoch = committee.epoch;
    out.slot = slot;
    out.digest = checkpoint_digest(slot, {}, {}, committee.digest());
    for (ReplicaId id = 0; id < committee.quorum(); ++id)
        out.votes.push_back({id, sign(id, Kind::checkpoint, 0, slot, out.digest).signature, std::nullopt});
    return out;
}

Certificate EngineRig::prepared(View view, Height slot, const Hash256& digest, std::vector<ReplicaId> voters,
                                std::optional<ReplicaId> recipient) const {
    Certificate out;
    out.kind = Kind::prepare;
    out.engine = committee.engine;
    out.recipient = recipient;
    out.epoch = committee.epoch;
    out.view = view;
    out.slot = slot;
    out.digest = digest;
    out.leader_signature = sign(committee.leader(view), Kind::propose, view, slot, digest).signature;
    for (const ReplicaId id : voters)
        out.votes.push_back(signature_of(sign(id, Kind::prepare, view, slot, digest).statement));
    return out;
}

} // namespace dwcp::consensus::test
