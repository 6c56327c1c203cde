// The figures of one peer, kept over all its links of both directions and over reconnects.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/wire/frame.hpp"
#include "runtime/metrics/metrics.hpp"

#include <cstdint>

namespace dwcp::links {

class PeerProbe {
  public:
    explicit PeerProbe(const NodeName& peer);

    void count_sent(std::size_t bytes);
    void count_received(std::size_t bytes);
    void count_retransfer() { retransfers_.add(); }
    void count_bad_frame(wire::FrameError error);
    void set_streams(std::uint32_t streams) { streams_.set(streams); }
    void set_queue(std::size_t requests) { queue_.set(static_cast<double>(requests)); }

    std::uint64_t bytes_sent() const { return bytes_sent_; }
    std::uint64_t bytes_received() const { return bytes_received_; }
    std::uint64_t bad_frames() const { return bad_frames_; }

  private:
    const NodeName peer_;
    std::uint64_t bytes_sent_ = 0;
    std::uint64_t bytes_received_ = 0;
    std::uint64_t bad_frames_ = 0;
    metrics::Counter sent_;
    metrics::Counter received_;
    metrics::Counter retransfers_;
    metrics::Gauge streams_;
    metrics::Gauge queue_;
};

/// Stands for a peer that has not proven its name, in labels and logs.
inline constexpr const char* kUnauthenticated = "unauthenticated";

/// Counts a bad frame under a peer's name or kUnauthenticated.
void count_bad_frame(const NodeName& peer, wire::FrameError error);

} // namespace dwcp::links
