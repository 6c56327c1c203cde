// What a node counts against a canary: the real look at this process' metrics.
#include "runtime/metrics/metrics.hpp"
#include "runtime/node/ramp_facts.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

using namespace dwcp;
using namespace std::chrono_literals;

namespace {

void drop_frame(const std::string& peer, const std::string& reason) {
    metrics::counter("dwcp_control_bad_frames_total",
                     "Control frames that were counted and dropped, by peer and reason.",
                     {{"peer", peer}, {"reason", reason}})
        .add();
}

/// What one whole look finds, counted since the process began.
std::uint64_t breaches() {
    ramp::FactsWindow window;
    const node::RampFacts facts({.health = [] { return nlohmann::json::object(); },
                                 .space = [] { return wire::NodeSpace{}; },
                                 .every = 10ms},
                                window);
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (window.total().metrics_expected == 0 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    return window.total().security_breaches;
}

} // namespace

TEST_CASE("a node that stalled or started again, and a stranger's noise, are no breach of security") {
    for (const char* reason : {"no_session", "stale_incarnation", "refused"})
        drop_frame("site-b", reason);
    drop_frame("unknown", "undecodable");
    CHECK(breaches() == 0);
    drop_frame("site-b", "bad_mac");
    CHECK(breaches() == 1);
}
