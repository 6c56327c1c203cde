// Data links: blocks between nodes over our own sockets (epoll), N parallel streams a peer.
//
// A peer is reached over pools of streams that share nothing but the peer: each has its own connections, its
// own queue and its own status. Whoever sends says which pool; nothing changes from one to the other by
// itself. The receiver knows nothing of pools.
//
// Life cycle: start() with options, add peers, use from any thread, destroy at the end.
// Callbacks run on the data plane's worker threads, exactly once each, with a value or an Error; they must
// not block for long and may call back into the data plane. Nothing is retried here: a request whose stream
// breaks before its answer is moved to another stream of the same peer, and fails with Errc::unavailable when
// the peer has none before its deadline.
//
// Bounds: a peer's queue holds at most `queue_blocks_max` requests; above it send_block() answers
// Errc::resource_exhausted at once. Where the breaker of a peer's send_block, sync or fetch is open, that
// fails at once with Errc::unavailable; the first stream to a peer that comes up lets its breakers try again.
// A receiver grants credits in blocks per stream and never buffers more.
//
// Handshake: both ends prove their Ed25519 key over a transcript of both nonces, cluster id, names,
// incarnations and wire version; another cluster, an unknown key or an older wire version is refused, and
// both ends say why.
//
// With TLS every stream, dialled or accepted, begins with a TLS handshake in which both ends show a node's
// certificate of the cluster; the time for both handshakes together is connect_timeout_ms. The certificate
// must name the peer that was dialled, or that the hello then claims to be. Without TLS nothing leaves
// loopback. After Context::reload() new streams use the new material; those that are open go on as they are.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "protocols/wire/block.hpp"
#include "runtime/base/events.hpp"
#include "runtime/chaos/canary_faults.hpp"
#include "runtime/chaos/link_faults.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/resilience/breakers.hpp"
#include "runtime/tls/context.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::links {

/// What a node does with blocks that arrive and requests for blocks. Called on worker threads, several at a
/// time.
class BlockService {
  public:
    virtual ~BlockService() = default;
    /// Verify the block against its hash (decoding it if need be) and store it. Errc::corrupted if it does
    /// not match.
    virtual Result<void> accept(const EncodedBlock& block, const WorkloadId& workload,
                                const NodeName& from) = 0;
    /// Make all of `hashes` durable; returns those that are missing here (the sender then ships these).
    virtual Result<std::vector<Hash256>> make_durable(const std::vector<Hash256>& hashes,
                                                      const WorkloadId& workload) = 0;
    virtual Result<EncodedBlock> load(const Hash256& hash) = 0;
};

enum class Pool : std::uint8_t {
    one_stream = 0,   ///< One connection, always.
    multi_stream = 1, ///< streams_min to streams_max, as the stream controller finds best.
};
std::string_view to_string(Pool pool);

struct DataPeer {
    NodeName name;
    std::string host;
    std::uint16_t port = 0;
    std::string congestion; ///< "bbr" or "cubic"; falls back to the system's with a warning where refused.
};

struct DataPlaneOptions {
    chaos::LinkFaults* faults = nullptr;      ///< Injected ones; null: there can be none.
    resilience::Breakers* breakers = nullptr; ///< Of what is asked of each peer; null: there are none.
    /// Injected into what goes over Pool::multi_stream, the manager's canary; null: there can be none.
    chaos::CanaryFaults* canary_faults = nullptr;
    std::vector<Pool> pools{Pool::multi_stream}; ///< What is kept open to each peer; echoes take the first.
    std::string listen_host = "127.0.0.1";
    std::uint16_t listen_port = 0; ///< 0: any; see port().
    std::uint32_t streams_min = 1;
    std::uint32_t streams_max = 8;
    std::uint32_t stream_credit_blocks = 8;
    std::uint32_t queue_blocks_max = 256;
    std::uint32_t worker_threads = 2;
    std::uint32_t connect_timeout_ms = 2000;
    std::uint32_t reconnect_min_ms = 100;
    std::uint32_t reconnect_max_ms = 5000;
    /// A silent stream is probed at a third of it and closed at the whole; at half of it with work under way.
    std::uint32_t idle_timeout_ms = 15000;
    std::shared_ptr<tls::Context> tls; ///< Null: plain text, loopback only.
};

struct PoolStatus {
    Pool pool = Pool::multi_stream;
    bool up = false;
    std::uint32_t streams = 0; ///< Established.
    std::uint32_t streams_wanted = 0;
    std::uint32_t queued = 0; ///< Requests waiting or under way.
    std::string reason;       ///< Why so many streams, or why it is down.
    double delivery_rate_bps = 0;
    double rtt_ms = 0;
    double loss_ratio = 0;
};

/// A peer's pools together: sums, the means of its streams, and the worst loss.
struct PeerDataStatus {
    NodeName name;
    bool up = false;                  ///< All pools are.
    std::uint32_t streams = 0;        ///< Established.
    std::uint32_t streams_wanted = 0; ///< What the stream controller asks for now, and `reason` says why.
    std::string reason;
    std::string congestion;       ///< As the kernel reports it.
    double delivery_rate_bps = 0; ///< Sum of TCP_INFO's delivery rates, bits per second.
    double rtt_ms = 0;            ///< Mean of the streams' smoothed round-trip times.
    double loss_ratio = 0;        ///< Retransmitted / sent segments of the last interval.
    std::uint64_t bytes_sent = 0; ///< Block payload.
    std::uint64_t bytes_received = 0;
    std::uint32_t queued = 0;     ///< Requests waiting or under way.
    std::uint64_t bad_frames = 0; ///< Frames from this peer that were counted and dropped.
    std::vector<PoolStatus> pools;
};

class DataPlane {
  public:
    using Done = std::function<void(Result<void>)>;
    using Missing = std::function<void(Result<std::vector<Hash256>>)>;
    using Fetched = std::function<void(Result<EncodedBlock>)>;

    /// Errc::invalid_argument for a listen address beyond loopback without TLS; Errc::io_error as the system
    /// says.
    static Result<std::unique_ptr<DataPlane>> start(const DataPlaneOptions& options,
                                                    const identity::Identity& self,
                                                    identity::TrustStore& trust, BlockService& service,
                                                    EventRing& events);
    /// Fails what is under way with Errc::cancelled, closes all sockets, joins all threads.
    virtual ~DataPlane() = default;

    virtual std::uint16_t port() const = 0;
    /// A peer beyond loopback is not dialled without TLS: its status says so.
    virtual void add_peer(const DataPeer& peer) = 0;

    // Errc::invalid_argument for a pool that is not among `pools`.

    /// Ships a block. Done: the peer has verified and written it (durable only after sync()).
    virtual void send_block(const NodeName& peer, const EncodedBlock& block, const WorkloadId& workload,
                            TimePoint deadline, Done done, Pool pool = Pool::multi_stream) = 0;
    /// Barrier: the peer has all of `hashes` on disk, or names the ones it lacks. An empty answer means
    /// durable.
    virtual void sync(const NodeName& peer, std::vector<Hash256> hashes, const WorkloadId& workload,
                      TimePoint deadline, Missing done, Pool pool = Pool::multi_stream) = 0;
    /// Gets a block from a peer. The caller verifies the hash after decoding.
    virtual void fetch(const NodeName& peer, const Hash256& hash, TimePoint deadline, Fetched done,
                       Pool pool = Pool::multi_stream) = 0;

    /// Sends `bytes` (1 byte to wire::kEchoBytesMax) over one of the peer's streams, through its check, and
    /// back: done when what came back is what was sent. Nothing is stored at either end. Errors beside the
    /// usual ones: corrupted (something else came back), unimplemented (the peer is of an older version).
    virtual void echo(const NodeName& peer, SharedBytes bytes, TimePoint deadline, Done done) = 0;
    /// Fails what waits for the pool or is under way on it, at all peers, with Errc::cancelled; its streams
    /// stay. For a release that was withdrawn: what it had begun is its user's to send again elsewhere.
    virtual void abandon(Pool pool) = 0;
    /// Closes the peer's streams and dials anew, at once. What they had not answered is sent again.
    virtual void redial(const NodeName& peer) = 0;

    virtual std::vector<PeerDataStatus> status() const = 0;
    /// Stops accepting new requests (Errc::unavailable); what is under way goes on.
    virtual void drain() = 0;
};

} // namespace dwcp::links
