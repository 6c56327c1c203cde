#include "runtime/config/settings.hpp"
#include "tests/unit/config/config_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace dwcp;
using namespace dwcp::config;

namespace {

const std::string kSecondPeer =
    "[[peers]]\nname = 'c'\nsite = 'north'\ncontrol = '127.0.0.1:6'\ndata = '127.0.0.1:7'\n";

const Setting& setting(const std::vector<Setting>& all, const std::string& key) {
    const auto found = std::ranges::find(all, key, &Setting::key);
    if (found == all.end()) FAIL("no " + key);
    return *found;
}

} // namespace

TEST_CASE("every key is listed with its value and whether the file says it") {
    const auto config = loaded(kMinimal + "[data]\nstreams_max = 5\n");
    const auto all = settings(config);
    CHECK(setting(all, "data.streams_max").value == Value{std::int64_t{5}});
    CHECK(setting(all, "data.streams_max").given);
    CHECK_FALSE(setting(all, "data.streams_min").given);
    CHECK(setting(all, "log.level").value == Value{std::string("info")});
    CHECK(setting(all, "peers[0].name").given);
    CHECK(all.size() == node_properties().size() + peer_properties().size());
}

TEST_CASE("a changed file is told key by key, and what a running node may take over") {
    const auto running = loaded(kMinimal);
    CHECK(changes(running, running).empty());
    const auto file = loaded(kMinimal + kSecondPeer + "[data]\nstreams_max = 5\n[log]\nlevel = 'debug'\n");
    const auto found = changes(running, file);
    REQUIRE(found.size() == 2 + peer_properties().size());
    CHECK(found[0].key == "data.streams_max");
    CHECK_FALSE(found[0].live);
    CHECK(found[1].key == "log.level");
    CHECK(found[1].was == Value{std::string("info")});
    CHECK(found[1].now == Value{std::string("debug")});
    CHECK(found[1].live);
    CHECK(found[2].key == "peers[1].name");
    CHECK_FALSE(found[2].was);
    CHECK_FALSE(changes(file, running).back().now);

    const auto merged = with_live_keys(running, file);
    CHECK(merged.log_level == log::Level::debug);
    CHECK(merged.given.contains("log.level"));
    CHECK(merged.streams_max == running.streams_max);
    CHECK(merged.peers.size() == 1);
    CHECK_FALSE(with_live_keys(merged, running).given.contains("log.level"));
}
