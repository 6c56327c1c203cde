#include "runtime/links/data/data_plane.hpp"

#include "protocols/crypto/hash.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/links/data/core.hpp"
#include "runtime/links/data/peer.hpp"
#include "runtime/links/data/server_stream.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace dwcp::links {
namespace {

/// Bytes that the streams of one peer may move in one turn and direction, shared by those that are ready:
/// with this round robin no peer holds up the others for longer than it takes to move so much.
constexpr std::size_t kTurnBytes = 8U << 20;
constexpr std::size_t kTurnBytesMin = 64U << 10;
/// Connections in all, and those of one address that have not proven who they are. All peers of a cluster on
/// one machine share an address, each with up to streams_max connections in their handshakes.
constexpr std::size_t kConnectionsMax = 1024;
constexpr std::size_t kUnauthenticatedPerSourceMax = 64;
/// Connections taken in one turn.
constexpr int kAcceptsPerTurn = 32;

class Plane final : public DataPlane {
  public:
    Plane(const DataPlaneOptions& options, const identity::Identity& self, identity::TrustStore& trust,
          BlockService& service, EventRing& events)
        : core_(options, self, trust, service, events) {}
    ~Plane() override;

    Result<void> open();

    std::uint16_t port() const override { return port_; }
    void add_peer(const DataPeer& peer) override;
    void send_block(const NodeName& peer, const EncodedBlock& block, const WorkloadId& workload,
                    TimePoint deadline, Done done, Pool pool) override;
    void sync(const NodeName& peer, std::vector<Hash256> hashes, const WorkloadId& workload,
              TimePoint deadline, Missing done, Pool pool) override;
    void fetch(const NodeName& peer, const Hash256& hash, TimePoint deadline, Fetched done,
               Pool pool) override;
    void echo(const NodeName& peer, SharedBytes bytes, TimePoint deadline, Done done) override;
    void abandon(Pool pool) override;
    void redial(const NodeName& peer) override;
    std::vector<PeerDataStatus> status() const override;
    void drain() override { draining_ = true; }

  private:
    using PoolKey = std::pair<NodeName, Pool>;
    using Gates = std::map<PoolKey, std::shared_ptr<Outstanding>>;

    // Any thread.
    void submit(const NodeName& peer, Pool pool, RequestPtr request);
    Result<std::shared_ptr<Outstanding>> enter(const NodeName& peer, Pool pool);
    std::string guarded(wire::FrameKind kind, Pool pool) const;

    // I/O thread.
    void run();
    void handle(std::span<const epoll_event> events);
    void accept_all();
    void adopt(std::shared_ptr<Stream> stream);
    bool may_accept(const std::string& source) const;
    void tick();
    void finish_turn();
    bool more_to_do() const;
    void flush();
    void reap();
    void publish();
    void close_all();

    std::uint16_t port_ = 0;
    std::atomic<bool> draining_ = false;
    std::atomic<bool> stopping_ = false;
    std::mutex gates_mutex_;
    Gates gates_;
    mutable std::mutex status_mutex_;
    std::vector<PeerDataStatus> status_;

    Core core_; ///< Its workers run callbacks, which may use all of the above until they are joined.
    Fd listener_;
    const metrics::Counter dropped_ = metrics::counter("dwcp_data_connections_dropped_total",
                                                       "Connections closed at once: too many are open.");
    bool accepting_ = true;
    TimePoint sampled_at_{};
    std::map<PoolKey, std::unique_ptr<Peer>> peers_; ///< A pool of streams each.
    std::unordered_map<Stream*, std::shared_ptr<Stream>> streams_;
    std::thread thread_;
};

/// What each stream may move in this turn: its flow's share.
template<class Streams, class FlowOf>
std::vector<std::size_t> budgets(const Streams& ready, FlowOf flow_of) {
    std::map<std::string_view, std::size_t> count;
    for (const auto& item : ready)
        ++count[flow_of(item)];
    std::vector<std::size_t> out;
    for (const auto& item : ready)
        out.push_back(std::max(kTurnBytesMin, kTurnBytes / count[flow_of(item)]));
    return out;
}

void add_pool(PeerDataStatus& peer, PoolStatus pool) {
    const bool first = peer.pools.empty();
    const double streams = peer.streams + pool.streams;
    if (streams > 0) peer.rtt_ms = (peer.rtt_ms * peer.streams + pool.rtt_ms * pool.streams) / streams;
    peer.up = pool.up && (first || peer.up);
    peer.streams += pool.streams;
    peer.streams_wanted += pool.streams_wanted;
    peer.queued += pool.queued;
    peer.delivery_rate_bps += pool.delivery_rate_bps;
    peer.loss_ratio = std::max(peer.loss_ratio, pool.loss_ratio);
    // Of the controller, which the last pool has, unless another one has trouble.
    if (first || peer.up || !pool.up) peer.reason = pool.reason;
    peer.pools.push_back(std::move(pool));
}

/// Where `host` is, if this data plane may go there.
Result<SocketAddress> permitted(const std::string& what, const std::string& host, std::uint16_t port,
                                const DataPlaneOptions& options) {
    auto address = resolve(host, port);
    if (!address || options.tls || is_loopback(*address)) return address;
    return fail(Errc::invalid_argument, what + " is " + host + ", which is not a loopback address",
                "give every node a certificate (ops/certs) and set [tls], or use 127.0.0.1: blocks leave "
                "the machine only with TLS");
}

Result<void> Plane::open() {
    const DataPlaneOptions& options = core_.options;
    if (auto ok = permitted("the data listen address", options.listen_host, options.listen_port, options);
        !ok)
        return std::unexpected(ok.error());
    if (auto opened = core_.loop.open(); !opened) return opened;
    // There from the start, at 0: a series that appears with its first increment has no rate yet.
    for (const char* end : {"here", "peer"})
        refusals(end, Errc::permission_denied);
    auto listener = listen_on(options.listen_host, options.listen_port);
    if (!listener) return std::unexpected(listener.error());
    auto port = local_port(*listener);
    if (!port) return std::unexpected(port.error());
    listener_ = std::move(*listener);
    port_ = *port;
    core_.loop.add(listener_, EPOLLIN, &listener_);
    core_.now = std::chrono::steady_clock::now();
    thread_ = std::thread([this] { run(); });
    return {};
}

Plane::~Plane() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    (void)core_.loop.post([] {}); // wakes it up
    thread_.join();
}

void Plane::add_peer(const DataPeer& peer) {
    auto address = permitted("the data address of " + peer.name, peer.host, peer.port, core_.options);
    if (!address)
        log::warn("data_peer_address", {{"peer", peer.name}, {"message", address.error().render()}});
    // Posted under the lock: whoever finds the gate posts behind this.
    const std::lock_guard lock(gates_mutex_);
    for (const Pool pool : core_.options.pools) {
        auto outstanding = std::make_shared<Outstanding>(0);
        if (!gates_.emplace(PoolKey{peer.name, pool}, outstanding).second) return; // known already
        if (core_.options.breakers != nullptr) {
            for (const auto kind : {wire::FrameKind::block, wire::FrameKind::sync, wire::FrameKind::fetch})
                core_.options.breakers->add(peer.name, guarded(kind, pool));
        }
        (void)core_.loop.post([this, peer, pool, address, outstanding] {
            core_.congestion[peer.name] = peer.congestion;
            const auto take = [this](std::shared_ptr<ClientStream> stream) { adopt(std::move(stream)); };
            auto& added = peers_[{peer.name, pool}];
            added = std::make_unique<Peer>(core_, peer, pool, address, outstanding, take);
            added->on_tick(); // dials now
            core_.status_changed = true;
        });
    }
}

void Plane::send_block(const NodeName& peer, const EncodedBlock& block, const WorkloadId& workload,
                       TimePoint deadline, Done done, Pool pool) {
    auto request = std::make_unique<Request>();
    request->done = std::move(done);
    request->deadline = deadline;
    const std::size_t size = block.bytes ? block.bytes->size() : 0;
    if (size == 0 || size > kEncodedBlockBytesMax || block.raw_bytes == 0 || block.raw_bytes > kBlockBytes ||
        workload.size() > wire::kWorkloadIdBytesMax) {
        return fail_with(core_.work, std::move(request),
                         {Errc::invalid_argument,
                          "block of " + std::to_string(size) + " bytes cannot be shipped",
                          "cut content into blocks of 1 byte to 1 MiB"});
    }
    request->kind = wire::FrameKind::block;
    request->header = wire::encode_block({block.hash, block.codec, block.raw_bytes, workload});
    request->payload = block.bytes;
    submit(peer, pool, std::move(request));
}

void Plane::sync(const NodeName& peer, std::vector<Hash256> hashes, const WorkloadId& workload,
                 TimePoint deadline, Missing done, Pool pool) {
    auto request = std::make_unique<Request>();
    request->done = std::move(done);
    request->deadline = deadline;
    if (hashes.size() > wire::kSyncHashesMax || workload.size() > wire::kWorkloadIdBytesMax) {
        return fail_with(core_.work, std::move(request),
                         {Errc::too_large,
                          "a sync of " + std::to_string(hashes.size()) + " blocks is over the limit",
                          "sync at most " + std::to_string(wire::kSyncHashesMax) + " blocks at a time"});
    }
    request->kind = wire::FrameKind::sync;
    request->header = wire::encode_sync(workload);
    if (!hashes.empty()) request->payload = share(wire::encode_hashes(hashes));
    submit(peer, pool, std::move(request));
}

void Plane::fetch(const NodeName& peer, const Hash256& hash, TimePoint deadline, Fetched done, Pool pool) {
    auto request = std::make_unique<Request>();
    request->done = std::move(done);
    request->deadline = deadline;
    request->kind = wire::FrameKind::fetch;
    request->header = wire::encode_fetch(hash);
    submit(peer, pool, std::move(request));
}

void Plane::echo(const NodeName& peer, SharedBytes bytes, TimePoint deadline, Done done) {
    auto request = std::make_unique<Request>();
    request->deadline = deadline;
    request->done = Fetched([peer, bytes, done = std::move(done)](Result<EncodedBlock> back) {
        if (!back) return done(std::unexpected(back.error()));
        if (*back->bytes == *bytes) return done({});
        done(fail(Errc::corrupted, "node '" + peer + "' did not send back what was sent to it",
                  "look at the link between and at that node's log"));
    });
    if (!bytes || bytes->empty() || bytes->size() > wire::kEchoBytesMax) {
        return fail_with(core_.work, std::move(request),
                         {Errc::invalid_argument, "a block to be echoed has a size that is not taken",
                          "send 1 byte to " + std::to_string(wire::kEchoBytesMax)});
    }
    request->kind = wire::FrameKind::echo;
    request->header =
        wire::encode_block({crypto::sha256(*bytes), {}, static_cast<std::uint32_t>(bytes->size()), {}});
    request->payload = std::move(bytes);
    submit(peer, core_.options.pools.front(), std::move(request));
}

void Plane::abandon(Pool pool) {
    (void)core_.loop.post([this, pool] {
        const Error why{Errc::cancelled, "the release that sent it was withdrawn", "send it again"};
        for (const auto& [key, streams] : peers_) {
            if (key.second == pool) streams->fail_all(why);
        }
        core_.status_changed = true;
    });
}

void Plane::redial(const NodeName& peer) {
    (void)core_.loop.post([this, peer] {
        for (const auto& [key, pool] : peers_) {
            if (key.first == peer) pool->redial();
        }
    });
}

/// Whose breaker an operation has. Each further pool has its own: its trouble is not the first one's.
std::string Plane::guarded(wire::FrameKind kind, Pool pool) const {
    std::string operation(operation_of(kind));
    if (!operation.empty() && pool != core_.options.pools.front())
        operation += "-" + std::string(to_string(pool));
    return operation;
}

Result<std::shared_ptr<Outstanding>> Plane::enter(const NodeName& peer, Pool pool) {
    if (draining_)
        return fail(Errc::unavailable, "this node is draining", "send the request to another node");
    if (std::ranges::find(core_.options.pools, pool) == core_.options.pools.end())
        return fail(Errc::invalid_argument, "this node keeps no pool " + std::string(to_string(pool)));
    std::shared_ptr<Outstanding> outstanding;
    {
        const std::lock_guard lock(gates_mutex_);
        const auto gate = gates_.find({peer, pool});
        if (gate == gates_.end()) {
            return fail(Errc::not_found, "node '" + peer + "' is not a peer of this node",
                        "add it to [[peers]] in the configuration");
        }
        outstanding = gate->second;
    }
    if (outstanding->fetch_add(1) < core_.options.queue_blocks_max) return outstanding;
    outstanding->fetch_sub(1);
    return fail(Errc::resource_exhausted, "the queue to node '" + peer + "' is full",
                "wait for requests to be answered before sending more");
}

void Plane::submit(const NodeName& peer, Pool pool, RequestPtr request) {
    auto entered = enter(peer, pool);
    if (!entered) return fail_with(core_.work, std::move(request), std::move(entered.error()));
    request->outstanding = std::move(*entered);
    const auto operation = guarded(request->kind, pool);
    if (core_.options.breakers != nullptr && !operation.empty()) {
        auto call = core_.options.breakers->enter(peer, operation);
        if (!call) return fail_with(core_.work, std::move(request), std::move(call.error()));
        request->call = std::move(*call);
    }
    const auto held = std::make_shared<RequestPtr>(std::move(request));
    const bool posted = core_.loop.post(
        [this, key = PoolKey{peer, pool}, held] { peers_.at(key)->submit(std::move(*held)); });
    if (!posted) fail_with(core_.work, std::move(*held), {Errc::cancelled, "the data plane is stopping", ""});
}

std::vector<PeerDataStatus> Plane::status() const {
    const std::lock_guard lock(status_mutex_);
    return status_;
}

void Plane::run() {
    name_this_thread("data-io");
    TimePoint next_tick{};
    while (!stopping_) {
        const auto left = std::chrono::ceil<milliseconds>(next_tick - core_.now);
        const auto events = core_.loop.wait(more_to_do() ? milliseconds(0) : std::max(left, milliseconds(0)));
        core_.now = std::chrono::steady_clock::now();
        handle(events);
        if (core_.now >= next_tick) {
            tick();
            next_tick = core_.now + kTick;
        }
        finish_turn();
    }
    close_all();
}

void Plane::handle(std::span<const epoll_event> events) {
    struct Ready {
        Stream* stream;
        std::uint32_t events;
    };
    std::vector<Ready> ready;
    for (const epoll_event& event : events) {
        if (event.data.ptr == &listener_) {
            accept_all();
        } else {
            ready.push_back({static_cast<Stream*>(event.data.ptr), event.events});
        }
    }
    // Kept to the end of this: what ended in the last turn has no other owner any more.
    const auto with_input = std::exchange(core_.to_read, {});
    for (const auto& stream : with_input) {
        const bool listed =
            std::ranges::any_of(ready, [&](const Ready& item) { return item.stream == stream.get(); });
        if (!listed) ready.push_back({stream.get(), EPOLLIN});
    }
    const auto shares =
        budgets(ready, [](const Ready& item) -> std::string_view { return item.stream->flow(); });
    for (std::size_t i = 0; i < ready.size(); ++i) {
        Stream& stream = *ready[i].stream;
        if ((ready[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 && !stream.ended())
            stream.on_writable(shares[i]);
        if ((ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && !stream.ended())
            stream.on_readable(shares[i]);
    }
}

bool Plane::may_accept(const std::string& source) const {
    if (streams_.size() >= kConnectionsMax) return false;
    const auto strangers = std::count_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
        const auto* stream = dynamic_cast<const ServerStream*>(entry.first);
        return stream != nullptr && !stream->authenticated() && stream->source() == source;
    });
    return static_cast<std::size_t>(strangers) < kUnauthenticatedPerSourceMax;
}

void Plane::accept_all() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
        auto accepted = accept_from(listener_);
        if (!accepted) {
            // Out of descriptors: the waiting connection would wake us again at once, so look away for a
            // tick.
            log::warn("data_accept_failed", {{"message", accepted.error().render()}});
            accepting_ = false;
            core_.loop.change(listener_, 0, &listener_);
            return;
        }
        if (!accepted->fd) return;
        if (!may_accept(accepted->source)) {
            dropped_.add();
            continue;
        }
        set_link_options(accepted->fd, {{}, core_.options.idle_timeout_ms});
        adopt(std::make_shared<ServerStream>(core_, std::move(accepted->fd), accepted->source));
    }
}

void Plane::adopt(std::shared_ptr<Stream> stream) {
    core_.loop.add(stream->fd(), stream->interest(), stream.get());
    Stream* const key = stream.get();
    streams_.emplace(key, std::move(stream));
}

void Plane::tick() {
    if (!accepting_) {
        accepting_ = true;
        core_.loop.change(listener_, EPOLLIN, &listener_);
    }
    const Duration since_sample = core_.now - sampled_at_;
    const bool sampling = since_sample >= kSampleEvery;
    for (const auto& [key, stream] : streams_) {
        if (sampling && !stream->ended()) stream->sample();
        if (!stream->ended()) stream->on_tick();
    }
    for (const auto& [key, peer] : peers_) {
        if (sampling) peer->on_sample(since_sample);
        peer->on_tick();
    }
    if (sampling) sampled_at_ = core_.now;
}

void Plane::finish_turn() {
    reap();
    for (const auto& [key, peer] : peers_) {
        if (peer->pump_wanted()) peer->pump();
    }
    flush();
    if (core_.status_changed) publish();
}

bool Plane::more_to_do() const {
    const auto wants = [](const auto& entry) { return entry.second->pump_wanted(); };
    return !core_.to_flush.empty() || !core_.to_read.empty() ||
           std::any_of(peers_.begin(), peers_.end(), wants);
}

void Plane::flush() {
    const auto ready = std::exchange(core_.to_flush, {});
    const auto shares = budgets(ready, [](const auto& stream) -> std::string_view { return stream->flow(); });
    for (std::size_t i = 0; i < ready.size(); ++i) {
        if (!ready[i]->ended()) ready[i]->on_writable(shares[i]);
    }
}

void Plane::reap() {
    for (auto at = streams_.begin(); at != streams_.end();) {
        if (!at->first->ended()) {
            ++at;
            continue;
        }
        const std::shared_ptr<Stream> stream = std::move(at->second);
        at = streams_.erase(at);
        core_.loop.remove(stream->fd());
        stream->on_removed();
    }
}

void Plane::publish() {
    core_.status_changed = false;
    std::vector<PeerDataStatus> now;
    for (const auto& [key, peer] : peers_) { // the pools of a peer follow one another
        if (now.empty() || now.back().name != key.first) now.push_back(peer->status_of_peer());
        add_pool(now.back(), peer->status());
    }
    for (const auto& peer : now) {
        core_.probe(peer.name).set_streams(peer.streams);
        core_.probe(peer.name).set_queue(peer.queued);
    }
    const std::lock_guard lock(status_mutex_);
    status_ = std::move(now);
}

void Plane::close_all() {
    core_.loop.close_posts();
    const Error why{Errc::cancelled, "the data plane is stopping", ""};
    for (const auto& [key, peer] : peers_)
        peer->fail_all(why);
    core_.to_flush.clear();
    core_.to_read.clear();
    for (const auto& [key, stream] : streams_)
        stream->end("the data plane is stopping");
    streams_.clear();
    peers_.clear();
}

} // namespace

std::string_view to_string(Pool pool) { return pool == Pool::one_stream ? "one-stream" : "multi-stream"; }

Result<std::unique_ptr<DataPlane>> DataPlane::start(const DataPlaneOptions& options,
                                                    const identity::Identity& self,
                                                    identity::TrustStore& trust, BlockService& service,
                                                    EventRing& events) {
    auto plane = std::make_unique<Plane>(options, self, trust, service, events);
    if (auto opened = plane->open(); !opened) return std::unexpected(opened.error());
    return plane;
}

} // namespace dwcp::links
