// What the streams and peers of one data plane share. Owned by the data plane and touched only on its I/O
// thread, except for post(), the work queue and the spans, which any thread may use.
#pragma once

#include "runtime/links/data/buffer_pool.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/links/data/event_loop.hpp"
#include "runtime/links/data/peer_probe.hpp"
#include "runtime/links/data/work_queue.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/trace/ring.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::links {

class Stream;

/// How often deadlines, silence and reconnects are looked at. Deadlines are kept to within this.
inline constexpr milliseconds kTick{50};
/// How often TCP_INFO is read and the number of streams is reconsidered.
inline constexpr milliseconds kSampleEvery{500};
/// The same refusal of the same name is told once in this time; all are counted.
inline constexpr milliseconds kRepeatRefusalAfter{30'000};
/// Names whose refusals are told in that time; a stranger can make names up.
inline constexpr std::size_t kRefusalsKept = 64;

/// Streams that one peer may have open to this node: above what streams_max allows and the pool of one.
inline constexpr std::uint32_t kServerStreamsPerPeerMax = 72;

struct Core {
    Core(const DataPlaneOptions& options_in, const identity::Identity& self_in,
         identity::TrustStore& trust_in, BlockService& service_in, EventRing& events_in)
        : options(options_in), self(self_in), trust(trust_in), service(service_in), events(events_in),
          steps(self_in.name, "data"), work(options_in.worker_threads) {}

    const DataPlaneOptions options;
    const identity::Identity self;
    identity::TrustStore& trust;
    BlockService& service;
    EventRing& events;

    const trace::Recorder steps; ///< Any thread.
    EventLoop loop;
    BufferPool buffers;
    TimePoint now{};            ///< Read once a turn of the loop.
    bool status_changed = true; ///< What status() shows is to be published again.

    std::map<NodeName, PeerProbe>
        probes; ///< By authenticated or configured name: bounded by the trusted names.
    PeerProbe& probe(const NodeName& name) { return probes.try_emplace(name, name).first->second; }

    std::map<NodeName, std::string> congestion;       ///< Wanted by the configuration of each peer.
    std::map<NodeName, std::uint32_t> server_streams; ///< Accepted and authenticated, by peer.

    std::vector<std::shared_ptr<Stream>> to_flush; ///< Streams with new output, written at the end of a turn.
    /// Streams that used up their turn and may have input in TLS's own buffers, of which epoll knows nothing.
    std::vector<std::shared_ptr<Stream>> to_read;

    /// Counts a refusal and records it as an event, unless the same was told a moment ago. `end`: "here" if
    /// this node refused, "peer" if it was refused.
    void record_refusal(const NodeName& peer, const std::string& end, const Error& why);

    /// Last: its threads use the service, the loop and the buffers.
    WorkQueue work;

  private:
    struct Refusal {
        std::string message;
        TimePoint told;
    };
    std::map<NodeName, Refusal> refusals_;
};

/// Of dwcp_data_refusals_total. `end` as of record_refusal().
metrics::Counter refusals(const std::string& end, Errc code);

} // namespace dwcp::links
