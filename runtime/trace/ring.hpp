// The finished spans of this process, in memory, for `dwcp-shell trace ID`.
//
// One a process, like the metrics: actors that are restarted find it as they left it; a restart of the node
// empties it. Thread-safe. A span that is recorded again (the same id) is added to the earlier one, so that
// an upload of a thousand blocks leaves one "ship" a peer, with the bytes and the time of all.
//
// Each actor has its own room, so that a flood of steps of one kind does not push out the others' spans.
#pragma once

#include "runtime/trace/span.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dwcp::trace {

/// Spans kept of one actor; the oldest go. A put leaves about ten on the node that takes it.
inline constexpr std::size_t kSpansPerActor = 2048;
/// Actors with a room of their own; further ones share the last. A node has about ten.
inline constexpr std::size_t kActorsMax = 24;
/// Names, details and values are cut to this. With kFieldsMax it bounds a span to about 2 KiB, usually 400
/// bytes: the whole ring to 100 MiB at the very worst, 4 MiB on a busy node.
inline constexpr std::size_t kTextBytesMax = 96;
inline constexpr std::size_t kFieldsMax = 12;

class Ring {
  public:
    /// Does nothing without a workload: that is how a request which is not to be followed is passed on.
    void record(Span span);
    /// Spans of the workload or W3C trace `id` on `node`, in the order of their beginning.
    std::vector<Span> find(std::string_view id, std::string_view node) const;

  private:
    struct Room {
        std::vector<Span> spans; ///< A ring once it is full.
        std::size_t next = 0;    ///< The oldest, which goes first.
        std::unordered_map<SpanId, std::size_t> where;
    };
    Room& room_of(const std::string& actor);

    mutable std::mutex mutex_;
    std::map<std::string, Room, std::less<>> rooms_;
};

/// This process's.
Ring& ring();

/// Records the spans of one part of a node.
class Recorder {
  public:
    Recorder(NodeName node, std::string actor) : node_(std::move(node)), actor_(std::move(actor)) {}

    SpanId request(std::string_view workload) const { return request_span(workload, node_); }
    SpanId id_of(std::string_view workload, std::string_view name, std::string_view detail = {}) const {
        return span_id(workload, name, node_, detail);
    }
    /// `span` began at `begin` and ends now. Fills in node, actor and times, and the request as its parent if
    /// it has none.
    void record(Span span, const Mark& begin) const;

  private:
    NodeName node_;
    std::string actor_;
};

} // namespace dwcp::trace
