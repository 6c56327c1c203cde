// Requests as steps of their workloads: the root of what `dwcp-shell trace ID` shows. Reads and tells W3C
// `traceparent`, so that a caller's own trace goes on here.
#pragma once

#include "runtime/http/route.hpp"
#include "runtime/trace/ring.hpp"

namespace dwcp::gateway {

/// Reads come by the thousand a second, and each would push an upload's steps out of memory: so many a second
/// are followed. One whose `traceparent` says that its caller records it always is.
inline constexpr std::uint32_t kReadsFollowedPerS = 20;

/// Whether the steps of this read are to be recorded. Thread-safe.
bool follows_read(const http::Request& request);

/// Records each request that has a workload when it ends, and answers it with a `traceparent` that names the
/// trace and the request's span.
class RequestTrace final : public http::Follower {
  public:
    explicit RequestTrace(NodeName node) : recorder_(std::move(node), "http") {}

    void answering(const http::Request& request, http::Response& response) override;
    void ended(const http::Request& request, int status, std::uint64_t body_bytes, Duration took) override;

  private:
    const trace::Recorder recorder_;
};

} // namespace dwcp::gateway
