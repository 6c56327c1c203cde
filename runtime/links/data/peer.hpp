// One pool of streams to a peer of this node: its requests, its streams, and when to dial.
//
// Requests wait in one queue; streams take from it when they have credit and room, so an idle or faster
// stream does more. What a lost stream had not answered goes back to the front, oldest first: requests are
// idempotent, since blocks are addressed by content, and a broken transfer resumes at the next missing block.
// The stream controller says how many streams there should be. I/O thread only.
#pragma once

#include "protocols/base/random.hpp"
#include "runtime/links/data/client_stream.hpp"
#include "runtime/links/data/core.hpp"
#include "runtime/links/data/request.hpp"
#include "runtime/links/data/stream_controller.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

namespace dwcp::links {

class Peer {
  public:
    using Value = std::variant<std::monostate, std::vector<Hash256>, EncodedBlock>;
    /// Puts a new stream into the data plane's loop.
    using Adopt = std::function<void(std::shared_ptr<ClientStream>)>;

    Peer(Core& core, DataPeer config, Pool pool, Result<SocketAddress> address,
         std::shared_ptr<Outstanding> outstanding, Adopt adopt);

    const NodeName& name() const { return config_.name; }
    Pool pool() const { return pool_; }
    const std::string& congestion() const { return config_.congestion; }
    std::uint64_t last_id() const { return last_id_; }

    void submit(RequestPtr request);
    /// Gives waiting requests to streams that can take them; at the end of every turn in which work_wanted()
    /// was called.
    void pump();
    void work_wanted() { pump_wanted_ = true; }
    void room_made() { pump_wanted_ |= !waiting_.empty(); }
    bool pump_wanted() const { return pump_wanted_; }

    /// Deadlines, and streams that are missing or too many.
    void on_tick();
    /// Feeds the stream controller; the streams were sampled just before.
    void on_sample(Duration interval);
    /// Ends its streams, which do not work though they look up, and dials without waiting.
    void redial();
    /// Everything that waits or is under way fails with this.
    void fail_all(const Error& why);
    PoolStatus status() const;
    /// What its pools have in common; the rest is the pools' sum.
    PeerDataStatus status_of_peer() const;

    // Called by its streams.
    void on_stream_up(ClientStream& stream);
    void on_stream_down(ClientStream& stream);
    void on_refusal(const std::string& end, const Error& why);
    void succeed(RequestPtr request, Value value);
    void fail_request(RequestPtr request, Error error);
    void give_back(RequestPtr request);

  private:
    void dial_one();
    void retire_surplus();
    void expire_requests();
    void back_off();
    std::uint32_t up_count() const;
    std::string why_down() const;

    Core& core_;
    const DataPeer config_;
    const Pool pool_;
    const StreamLimits limits_;
    const Result<SocketAddress> address_;
    const std::shared_ptr<Outstanding> outstanding_;
    const Adopt adopt_;

    std::deque<RequestPtr> waiting_;
    std::vector<ClientStream*> streams_; ///< All that were dialled and are not removed.
    std::uint64_t last_id_ = 0;
    std::size_t next_turn_ = 0; ///< Where pump() begins, so that equal streams get equal shares.
    bool pump_wanted_ = false;
    bool was_up_ = false;

    StreamState controller_;
    double delivery_rate_bps_ = 0;
    double rtt_ms_ = 0;
    double loss_ratio_ = 0;
    std::string congestion_now_;
    bool congestion_warned_ = false;

    Random jitter_;
    TimePoint dial_at_{}; ///< Not before.
    std::uint32_t failures_ = 0;
    std::string last_problem_;
};

} // namespace dwcp::links
