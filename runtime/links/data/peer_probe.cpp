#include "runtime/links/data/peer_probe.hpp"

namespace dwcp::links {
namespace {

metrics::Counter bytes_counter(const NodeName& peer, const char* direction) {
    return metrics::counter("dwcp_data_bytes_total", "Block payload moved over data links.",
                            {{"peer", peer}, {"direction", direction}});
}

metrics::Counter bad_frame_counter(const NodeName& peer, wire::FrameError error) {
    return metrics::counter("dwcp_data_bad_frames_total", "Frames that were dropped, by peer and reason.",
                            {{"peer", peer}, {"reason", std::string(wire::to_string(error))}});
}

} // namespace

void count_bad_frame(const NodeName& peer, wire::FrameError error) { bad_frame_counter(peer, error).add(); }

PeerProbe::PeerProbe(const NodeName& peer)
    : peer_(peer), sent_(bytes_counter(peer, "sent")), received_(bytes_counter(peer, "received")),
      retransfers_(metrics::counter("dwcp_data_retransfers_total",
                                    "Requests sent again because their stream was lost.", {{"peer", peer}})),
      streams_(metrics::gauge("dwcp_data_streams", "Established streams to a peer.", {{"peer", peer}})),
      queue_(metrics::gauge("dwcp_data_queue_requests", "Requests to a peer, waiting or under way.",
                            {{"peer", peer}})) {
    bad_frame_counter(peer, wire::FrameError::bad_checksum); // there from the start, at 0
}

void PeerProbe::count_sent(std::size_t bytes) {
    bytes_sent_ += bytes;
    sent_.add(static_cast<double>(bytes));
}

void PeerProbe::count_received(std::size_t bytes) {
    bytes_received_ += bytes;
    received_.add(static_cast<double>(bytes));
}

void PeerProbe::count_bad_frame(wire::FrameError error) {
    ++bad_frames_;
    links::count_bad_frame(peer_, error);
}

} // namespace dwcp::links
