#include "runtime/chaos/ballast.hpp"
#include "runtime/chaos/faults.hpp"
#include "runtime/chaos/link_faults.hpp"
#include "runtime/log/log.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <future>

using namespace dwcp;
using namespace dwcp::chaos;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Fixture() { log::set_level(log::Level::off); }
    ~Fixture() { log::set_level(log::Level::info); }
    FaultPlan plan(std::string target, Duration lasts, std::function<void()> end) {
        return {"pause", std::move(target), "a drill", lasts, std::move(end)};
    }
    EventRing events;
    Deadlines deadlines;
    Faults faults{deadlines, events};
};

} // namespace

TEST_CASE("a link fault strikes its peer and its link only, by its share of the frames") {
    LinkFaults links(7);
    CHECK_FALSE(links.any());
    LinkFault fault;
    fault.peer = "site-b";
    fault.data = true;
    fault.percent = 30;
    fault.verdict = {.drop = true};
    const auto hits = fault.hits;
    const auto id = links.add(fault);
    CHECK(links.any());
    CHECK_FALSE(links.judge(Link::control, "site-b").drop);
    CHECK_FALSE(links.judge(Link::data, "site-c").drop);
    int dropped = 0;
    for (int i = 0; i < 10'000; ++i)
        dropped += links.judge(Link::data, "site-b").drop ? 1 : 0;
    CHECK(dropped > 2'700);
    CHECK(dropped < 3'300);
    CHECK(*hits == static_cast<std::uint64_t>(dropped));
    links.remove(id);
    CHECK_FALSE(links.any());
}

TEST_CASE("several link faults add up") {
    LinkFaults links(7);
    for (const auto delay : {10ms, 20ms}) {
        LinkFault fault;
        fault.peer = "site-b";
        fault.control = true;
        fault.verdict = {.delay = delay};
        links.add(fault);
    }
    CHECK(links.judge(Link::control, "site-b").delay == 30ms);
}

TEST_CASE_METHOD(Fixture, "a fault ends by itself, with an event at its begin and its end") {
    std::promise<void> ended;
    const auto begun = faults.began(plan("manager/0", 5ms, [&] { ended.set_value(); }));
    CHECK(begun.id == 1);
    REQUIRE(ended.get_future().wait_for(10s) == std::future_status::ready);
    while (events.last_id() < 2)
        std::this_thread::yield();
    CHECK(faults.all().empty());
    const auto told = events.latest(10);
    CHECK(told[0].name == "chaos_begun");
    CHECK(told[0].subject == "manager/0");
    CHECK(told[0].fields.at("reason") == "a drill");
    CHECK(told[1].name == "chaos_ended");
}

TEST_CASE_METHOD(Fixture, "faults are ended one by one or all, once each") {
    int ends = 0;
    for (const char* target : {"a", "b", "c"})
        faults.began(plan(target, 1h, [&] { ++ends; }));
    CHECK(faults.all().size() == 3);
    CHECK(faults.all()[1].target == "b");
    CHECK(faults.all()[1].ends_in_s > 3500);
    CHECK(faults.stop(2) == 1);
    CHECK(faults.stop(2) == 0);
    CHECK(faults.stop({}) == 2);
    CHECK(ends == 3);
}

TEST_CASE_METHOD(Fixture, "there is a limit to faults at once") {
    for (std::size_t i = 0; i < kFaultsMax; ++i) {
        CHECK(faults.check());
        faults.began(plan("x", 1h, [] {}));
    }
    CHECK(faults.check().error().code == Errc::resource_exhausted);
}

TEST_CASE("a ballast file is as large as planned, and goes") {
    std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-ballast-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    const std::string directory = pattern;
    const auto file = directory + "/chaos-ballast";
    CHECK(plan_ballast(directory, 1, 1 << 20).value() == 1 << 20);
    CHECK_FALSE(std::filesystem::exists(file));
    CHECK(place_ballast(directory, 1, 1 << 20).value() == 1 << 20);
    CHECK(std::filesystem::file_size(file) == 1 << 20);
    remove_ballast(directory);
    CHECK_FALSE(std::filesystem::exists(file));
    const auto full = place_ballast(directory, ~0ULL, 1);
    REQUIRE_FALSE(full);
    CHECK(full.error().code == Errc::precondition_failed);
    remove_ballast(directory);
    std::filesystem::remove_all(directory);
}
