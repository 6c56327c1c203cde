#include "tests/unit/consensus/replica_world.hpp"

#include "protocols/crypto/hash.hpp"
#include "protocols/wire/consensus.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace dwcp::consensus::test {
namespace {

crypto::Signature hash_signature(const PublicKey& key, ByteView message) {
    const auto hash = crypto::sha256({key.view(), message});
    crypto::Signature signature{};
    std::ranges::copy(hash.bytes, signature.begin());
    return signature;
}

} // namespace

crypto::Signature HashSigner::sign(ByteView message) const { return hash_signature(key_, message); }

bool HashChecker::verify(const PublicKey& key, ByteView message, const crypto::Signature& signature) {
    return signature == hash_signature(key, message);
}

Hash256 root_of(const State& state) {
    Bytes all;
    for (const auto& [key, value] : state) {
        all.insert(all.end(), key.begin(), key.end());
        all.push_back(0);
        all.insert(all.end(), value.begin(), value.end());
        all.push_back(0);
    }
    return crypto::sha256(all);
}

PublicKey World::key_of(const std::string& name) {
    PublicKey key;
    key.bytes = crypto::sha256(as_bytes(name)).bytes;
    return key;
}

Committee World::committee_of(const std::vector<ReplicaName>& names, Epoch epoch) {
    Committee committee;
    committee.epoch = epoch;
    for (const auto& name : names)
        committee.members.push_back({name, key_of(name)});
    return committee;
}

World::World(std::vector<ReplicaName> founders, std::uint64_t seed) : random_(seed) {
    options.genesis = committee_of(founders);
    options.domain = {"test", "lane", options.genesis.digest()};
    options.checkpoint_interval = 16;
    options.checker = &checker_;
    for (const auto& name : founders)
        boot(name);
}

void World::note(ByteView bytes) { trace_ = crypto::sha256({trace_.view(), bytes}); }

void World::at(TimePoint time, std::function<void()> run) {
    events_.push({time, next_event_++, std::move(run)});
}

void World::boot(const std::vector<ReplicaName>& names) {
    for (const auto& name : names)
        boot(name);
}

void World::boot(const ReplicaName& name) {
    auto& disk = disks_[name];
    auto& node = nodes_[name];
    node = {};
    node.life = ++lives_;
    node.signer = std::make_unique<HashSigner>(key_of(name));
    auto mine = options;
    mine.self = name;
    mine.signer = node.signer.get();
    auto made = Replica::make(mine, {.persisted = disk.persisted,
                                     .applied = disk.applied,
                                     .chain = disk.chain,
                                     .state_root = root_of(disk.state),
                                     .committee = disk.committee,
                                     .doubt = disk.doubt});
    INFO((made ? "" : made.error().render()));
    REQUIRE(made);
    node.replica = std::move(*made);
    take(name, node.replica->start(now_));
}

void World::crash(const ReplicaName& name) {
    nodes_[name].replica.reset();
    nodes_[name].life = ++lives_;
}

void World::give(const ReplicaName& name, consensus::Event event) {
    auto& node = nodes_[name];
    if (!node.replica) return;
    ++steps_;
    take(name, node.replica->step(std::move(event), now_));
}

void World::take(const ReplicaName& name, Effects effects) {
    auto& node = nodes_[name];
    for (auto& [client, outcome] : effects.answers) {
        REQUIRE_FALSE(answers_.contains(client));
        answers_.emplace(client, std::move(outcome));
    }
    if (effects.wake) REQUIRE(*effects.wake > now_.time);
    node.wake = effects.wake;
    const auto life = node.life;
    if (node.wake)
        at(*node.wake, [this, name, life, wake = *node.wake] {
            auto& later = nodes_[name];
            if (later.life == life && later.wake == wake) give(name, Tick{});
        });
    at(now_.time + disk_delay, [this, name, life, effects = std::move(effects)] {
        if (nodes_[name].life == life) flush(name, effects);
    });
}

void World::flush(const ReplicaName& name, const Effects& effects) {
    auto& disk = disks_[name];
    const auto life = nodes_[name].life;
    for (const auto& [key, value] : effects.persist) {
        if (value)
            disk.persisted[key] = *value;
        else
            disk.persisted.erase(key);
    }
    for (const auto& commit : effects.commits)
        apply(name, commit);
    for (const auto& send : effects.sends)
        carry(name, send);
    if (effects.stable) {
        const auto height = effects.stable->height;
        if (disk.points.contains(height)) disk.snapshot = height;
        disk.points.erase(disk.points.begin(), disk.points.lower_bound(height));
        if (collect_blocks) disk.log.erase(disk.log.begin(), disk.log.upper_bound(height));
    }
    for (const auto& part : effects.installs)
        install(name, part);
    for (const auto& load : effects.loads) {
        Loaded loaded{.ticket = load.ticket, .blocks = {}, .earliest = disk.applied + 1};
        if (!disk.log.empty()) loaded.earliest = disk.log.begin()->first;
        std::size_t bytes = 0;
        for (auto at = disk.log.find(load.from);
             at != disk.log.end() && at->first <= load.upto && bytes < load.bytes_max; ++at) {
            loaded.blocks.push_back(at->second);
            for (const auto& transaction : (*at->second.block)->transactions)
                bytes += transaction.bytes();
        }
        at(now_.time, [this, name, life, loaded = std::move(loaded)]() mutable {
            if (nodes_[name].life == life) give(name, std::move(loaded));
        });
    }
    for (const auto& read : effects.snapshot_reads)
        at(now_.time, [this, name, life, part = SnapshotRead{read.ticket, read_snapshot(name, read.what)}] {
            if (nodes_[name].life == life) give(name, part);
        });
}

void World::apply(const ReplicaName& name, const Commit& commit) {
    auto& disk = disks_[name];
    const auto& block = **commit.decided.block;
    REQUIRE(block.height == disk.applied + 1);
    REQUIRE(commit.chain == next_chain(disk.chain, commit.decided.block->digest()));
    // Agreement, and a proof that holds from scratch.
    const auto [at, first] = chains_.try_emplace(block.height, commit.chain);
    REQUIRE(at->second == commit.chain);
    auto view = std::make_shared<LaneView>();
    view->domain = options.domain;
    view->committees[commit.committee.epoch] = commit.committee;
    REQUIRE(
        Verifier(view, checker_).proves(commit.decided.proof, commit.decided.block->digest(), block.height));
    for (const auto& transaction : block.transactions)
        disk.state[transaction.command.id] = transaction.command.payload;
    if (spoil) spoil(name, block.height, disk.state);
    disk.log[block.height] = commit.decided;
    disk.applied = block.height;
    disk.chain = commit.chain;
    if (commit.next) disk.committee = commit.next;
    if (!disk.committee) disk.committee = commit.committee;
    if (commit.next || block.height % options.checkpoint_interval == 0)
        disk.points[block.height] = disk.state;
    note(commit.chain.view());
    const auto life = nodes_[name].life;
    this->at(now_.time, [this, name, life, done = Applied{block.height, root_of(disk.state)}] {
        if (nodes_[name].life == life) give(name, done);
    });
}

SnapshotPart World::read_snapshot(const ReplicaName& name, const FetchSnapshot& what) {
    const auto& disk = disks_[name];
    SnapshotPart part;
    if (disk.snapshot == 0 || (what.height != 0 && what.height != disk.snapshot)) return part;
    const auto& state = disk.points.at(disk.snapshot);
    part.height = disk.snapshot;
    part.state_root = root_of(state);
    part.after = what.after;
    constexpr std::size_t kPairs = 10;
    auto at = what.after.empty() ? state.begin() : state.upper_bound(what.after);
    for (; at != state.end() && part.pairs.size() < kPairs; ++at)
        part.pairs.push_back({at->first, at->second});
    part.last = at == state.end();
    return part;
}

void World::install(const ReplicaName& name, const InstallSnapshot& install) {
    auto& node = nodes_[name];
    auto& disk = disks_[name];
    const auto& part = install.part;
    if (part.after.empty()) node.incoming.clear();
    for (const auto& [key, value] : part.pairs)
        node.incoming[key] = value;
    if (!part.last) return;
    SnapshotInstalled done{.height = part.height, .state_root = root_of(node.incoming), .problem = {}};
    if (done.state_root != install.state_root) {
        done.problem = "another root";
    } else {
        disk.state = std::move(node.incoming);
        disk.log.clear();
        disk.applied = part.height;
        disk.chain = part.chain;
        disk.committee = install.next;
        disk.points[part.height] = disk.state;
        REQUIRE(chains_.at(part.height) == part.chain);
    }
    const auto life = node.life;
    at(now_.time, [this, name, life, done = std::move(done)] {
        if (nodes_[name].life == life) give(name, done);
    });
}

void World::carry(const ReplicaName& from, const Send& send) {
    const auto encoded = std::make_shared<const Bytes>(wire::encode(*send.message));
    for (const auto& to : send.to) {
        REQUIRE(to != from);
        ++sent_;
        note(*encoded);
        note(as_bytes(to));
        if (cut_.contains(from) || cut_.contains(to) || (lose && lose(*send.message, to))) continue;
        auto& last = last_[{from, to}];
        last = std::max(last, now_.time + delay +
                                  Duration(random_.below(static_cast<std::uint64_t>(delay.count()))));
        const auto life = nodes_[to].life;
        at(last, [this, to, encoded, life] {
            auto& node = nodes_[to];
            if (!node.replica || node.life != life) return;
            auto decoded = wire::decode_consensus_message(*encoded);
            INFO((decoded ? "" : decoded.error().render()));
            REQUIRE(decoded);
            auto verified = Verifier(node.replica->lane_view(), checker_).verify(std::move(*decoded), to);
            if (verified) give(to, Received{std::move(*verified)});
        });
    }
}

ClientToken World::submit(const ReplicaName& at, const std::string& id, std::uint64_t sequence,
                          const std::string& payload, Duration within) {
    return submit(at, Command{id, to_bytes(payload), sequence}, within);
}

ClientToken World::submit(const ReplicaName& at, const Command& command, Duration within) {
    const auto client = next_client_++;
    give(at,
         Submit{client, {.command = command, .submitter = host_of(at), .signature = {}}, now_.time + within});
    return client;
}

const Result<Answer::Place>* World::answer(ClientToken client) const {
    const auto at = answers_.find(client);
    return at == answers_.end() ? nullptr : &at->second;
}

void World::run(Duration time) {
    const auto until = now_.time + time;
    run_until([] { return false; }, time);
    (void)until;
}

bool World::run_until(const std::function<bool()>& true_at_last, Duration limit) {
    const auto until = now_.time + limit;
    while (true) {
        if (true_at_last()) return true;
        if (events_.empty() || events_.top().at > until) break;
        const auto event = events_.top();
        events_.pop();
        const auto past = std::chrono::duration_cast<milliseconds>(event.at.time_since_epoch()) -
                          std::chrono::duration_cast<milliseconds>(now_.time.time_since_epoch());
        now_.unix_ms += static_cast<std::uint64_t>(past.count());
        now_.time = event.at;
        event.run();
    }
    const auto past = std::chrono::duration_cast<milliseconds>(until.time_since_epoch()) -
                      std::chrono::duration_cast<milliseconds>(now_.time.time_since_epoch());
    now_.unix_ms += static_cast<std::uint64_t>(past.count());
    now_.time = until;
    return true_at_last();
}

} // namespace dwcp::consensus::test
