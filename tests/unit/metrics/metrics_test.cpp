#include "runtime/metrics/metrics.hpp"
#include "runtime/metrics/process_metrics.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace dwcp::metrics {
namespace {

/// The value of a series without labels in an exposition.
std::optional<double> value_of(const std::string& exposition, const std::string& name) {
    std::istringstream lines(exposition);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("a hook sets a figure at the moment it is read, and no more once it is gone") {
    const Gauge depth = gauge("test_hooked_depth", "For this test.");
    int calls = 0;
    {
        const ExposeHook hook = on_expose([&] { depth.set(++calls); });
        CHECK(value_of(expose(), "test_hooked_depth") == 1);
        CHECK(value_of(expose(), "test_hooked_depth") == 2);
    }
    CHECK(value_of(expose(), "test_hooked_depth") == 2);
    CHECK(calls == 2);
}

TEST_CASE("a hook that moves is called once, and a replaced one never again") {
    int first = 0;
    int second = 0;
    ExposeHook one = on_expose([&] { ++first; });
    ExposeHook moved = std::move(one);
    expose();
    CHECK(first == 1);
    moved = on_expose([&] { ++second; });
    expose();
    CHECK(first == 1);
    CHECK(second == 1);
}

TEST_CASE("hooks may come and go while others read") {
    std::atomic<bool> stop = false;
    std::thread reader([&] {
        while (!stop)
            expose();
    });
    std::vector<std::thread> owners;
    for (int i = 0; i < 3; ++i) {
        owners.emplace_back([] {
            for (int turn = 0; turn < 200; ++turn) {
                // The hook goes first; a call after its end would be seen by the sanitizers.
                auto calls = std::make_unique<int>(0);
                const ExposeHook hook = on_expose([calls = calls.get()] { ++*calls; });
            }
        });
    }
    for (auto& owner : owners)
        owner.join();
    stop = true;
    reader.join();
}

TEST_CASE("the process tells what Prometheus expects of it") {
    const ProcessMetrics process;
    const std::vector<char> touched(32U << 20, 'x');
    const auto text = expose();
    CHECK(touched.back() == 'x');
    CHECK(value_of(text, "process_resident_memory_bytes") > static_cast<double>(32U << 20));
    CHECK(value_of(text, "process_virtual_memory_bytes") > value_of(text, "process_resident_memory_bytes"));
    CHECK(value_of(text, "process_open_fds") >= 3);
    CHECK(value_of(text, "process_max_fds") >= value_of(text, "process_open_fds"));
    CHECK(value_of(text, "process_threads") >= 1);
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    CHECK(value_of(text, "process_start_time_seconds") > now - 3600);
    CHECK(value_of(text, "process_start_time_seconds") < now + 5);
}

TEST_CASE("processor time only grows, and work makes it grow") {
    const ProcessMetrics process;
    const auto before = value_of(expose(), "process_cpu_seconds_total");
    REQUIRE(before);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    auto after = before;
    while (after <= before && std::chrono::steady_clock::now() < deadline)
        after = value_of(expose(), "process_cpu_seconds_total");
    CHECK(after > before);
}

} // namespace dwcp::metrics
