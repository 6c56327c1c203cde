#include "actors/gateway/request_trace.hpp"

#include "runtime/trace/traceparent.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>

namespace dwcp::gateway {
namespace {

/// Two of them contradict each other: then there is none.
std::optional<trace::TraceParent> parent_of(const http::Request& request) {
    if (request.headers.count("traceparent") != 1) return std::nullopt;
    return trace::parse_traceparent(request.headers.find("traceparent")->second);
}

std::string trace_id_of(const http::Request& request, const std::optional<trace::TraceParent>& parent) {
    return parent ? parent->trace_id : request.id;
}

} // namespace

bool follows_read(const http::Request& request) {
    if (const auto parent = parent_of(request); parent && parent->sampled) return true;
    static std::atomic<std::int64_t> second = 0;
    static std::atomic<std::uint32_t> followed = 0;
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    if (second.exchange(now) != now) followed = 0;
    return followed++ < kReadsFollowedPerS;
}

void RequestTrace::answering(const http::Request& request, http::Response& response) {
    if (request.workload.empty()) return;
    response.headers.emplace_back("traceparent",
                                  trace::make_traceparent(trace_id_of(request, parent_of(request)),
                                                          recorder_.request(request.workload)));
}

void RequestTrace::ended(const http::Request& request, int status, std::uint64_t body_bytes, Duration took) {
    if (request.workload.empty()) return;
    const auto parent = parent_of(request);
    trace::Mark begin = trace::mark();
    begin.at -= took;
    begin.unix_us -= std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    trace::Span span;
    span.workload = request.workload;
    span.name = trace::kRequest;
    span.parent = parent ? parent->parent : 0;
    span.trace_id = trace_id_of(request, parent);
    if (status >= 400) span.error = fmt::format("answered {}", status);
    span.numbers = {{"received_bytes", request.content_length.value_or(0)}, {"answer_bytes", body_bytes}};
    span.texts = {{"method", request.method}, {"path", request.path}, {"status", std::to_string(status)}};
    recorder_.record(std::move(span), begin);
}

} // namespace dwcp::gateway
