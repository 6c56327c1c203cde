// A request to a peer, from send_block(), sync(), fetch() or echo() to its one answer.
#pragma once

#include "protocols/wire/frame.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/links/data/work_queue.hpp"
#include "runtime/resilience/breakers.hpp"

#include <atomic>
#include <memory>
#include <variant>

namespace dwcp::links {

/// How many requests a peer has, waiting or under way: counted by the callers, so that a full queue refuses
/// at once.
using Outstanding = std::atomic<std::uint32_t>;

struct Request {
    wire::FrameKind kind = wire::FrameKind::block; ///< block, sync, fetch or echo.
    std::uint64_t id = 0;                          ///< In the order of arrival at the peer; the frame's id.
    wire::Words header;
    SharedBytes payload; ///< Block bytes or hashes; null for fetch.
    std::uint32_t payload_checksum = 0;
    TimePoint deadline{};
    bool sent = false; ///< At least once.
    std::variant<DataPlane::Done, DataPlane::Missing, DataPlane::Fetched> done;
    resilience::Call call; ///< Of the operation's breaker; of nothing if it was refused before that.
    std::shared_ptr<Outstanding> outstanding; ///< Where it is counted; null if it was refused before that.
};

/// As its breaker is called; empty: it has none. An echo is itself the question whether the peer is there.
std::string_view operation_of(wire::FrameKind kind);

using RequestPtr = std::unique_ptr<Request>;

/// The one place where a request fails: its callback runs on a worker thread.
void fail_with(WorkQueue& work, RequestPtr request, Error error);

} // namespace dwcp::links
