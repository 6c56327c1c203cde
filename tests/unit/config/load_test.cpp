#include "protocols/base/random.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/properties.hpp"
#include "tests/unit/config/config_fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace dwcp::config {
namespace {

/// All keys of both, as the table reads them: equality of configurations without an operator of their own.
std::vector<std::string> values_of(const NodeConfig& config) {
    std::vector<std::string> values;
    for (const auto& property : node_properties())
        values.push_back(toml_text(property.get(config)));
    for (const Peer& peer : config.peers) {
        for (const auto& property : peer_properties())
            values.push_back(toml_text(property.get(peer)));
    }
    return values;
}

} // namespace

TEST_CASE("a minimal file gives every other key its default") {
    const NodeConfig config = loaded(kMinimal);
    CHECK(config.name == "a");
    CHECK(config.control == Endpoint{"127.0.0.1", 1});
    CHECK(config.http == Endpoint{"127.0.0.1", 3});
    REQUIRE(config.peers.size() == 1);
    CHECK(config.peers[0].name == "b");
    CHECK(config.peers[0].data == Endpoint{"127.0.0.1", 5});
    CHECK(config.peers[0].public_key.empty());
    for (const auto& property : node_properties()) {
        INFO(property.path);
        if (!property.required) CHECK(property.get(config) == property.fallback);
    }
}

TEST_CASE("every key that is set arrives in the configuration") {
    // Each value differs from its default, so that a key wired to another key's field is noticed.
    std::string text = kMinimal;
    std::string_view table;
    std::vector<std::pair<const Property<NodeConfig>*, Value>> set;
    for (const auto& property : node_properties()) {
        if (property.required) continue;
        if (property.table() != table) text += fmt::format("[{}]\n", table = property.table());
        Value value = property.fallback;
        if (auto* number = std::get_if<std::int64_t>(&value))
            *number += 1 + static_cast<std::int64_t>(set.size());
        else if (auto* flag = std::get_if<bool>(&value))
            *flag = !*flag;
        else if (const auto* choice = std::get_if<Choice>(&property.rule))
            value = std::string(choice->names.back() == std::get<std::string>(value) ? choice->names.front()
                                                                                     : choice->names.back());
        else
            value = std::string(property.path == "consensus.sequencer" ? "b" : "some/path");
        if (property.path == "manager.replicas_default") value = std::int64_t{1};
        if (property.path == "roles.consensus") continue; // only its default is allowed in this version
        text += fmt::format("{} = {}\n", property.name(), toml_text(value));
        set.emplace_back(&property, value);
    }
    const NodeConfig config = loaded(text);
    for (const auto& [property, value] : set) {
        INFO(property->path);
        CHECK(value != property->fallback);
        CHECK(property->get(config) == value);
    }
}

TEST_CASE("what print_config writes is read back as the same configuration") {
    NodeConfig config = loaded(kMinimal);
    config.data_dir = "a path/with \"quotes\", 'ticks', \\ and ü";
    config.log_file = "#not a comment";
    config.streams_min = 3;
    config.gateway = false;
    config.data = {"::1", 9};
    config.peers[0].public_key = std::string(64, 'a');
    config.peers.push_back({"c", "north", {"localhost", 6}, {"localhost", 7}, "", "cubic"});
    for (auto level : {log::Level::trace, log::Level::debug, log::Level::info, log::Level::warn,
                       log::Level::error, log::Level::off}) {
        config.log_level = level;
        config.log_format = level == log::Level::warn ? log::Format::json : log::Format::console;
        const NodeConfig again = loaded(print_config(config));
        CHECK(again.log_level == level);
        CHECK(again.log_format == config.log_format);
        CHECK(values_of(again) == values_of(config));
    }
}

TEST_CASE("print_config documents every key, also those of peers when there is none") {
    NodeConfig config = loaded(kMinimal);
    config.peers.clear();
    config.replicas_default = 1;
    const std::string text = print_config(config);
    for (const Key* key : all_keys()) {
        INFO(key->path);
        CHECK(contains(text, fmt::format("# {}\n# ", key->sentence)));
        CHECK(contains(text, fmt::format("{} = ", key->name())));
    }
    CHECK(values_of(loaded(text)) == values_of(config));
}

TEST_CASE("the configured level names are those that the log understands") {
    for (const auto& property : node_properties()) {
        if (property.path != "log.level") continue;
        for (std::string_view name : std::get<Choice>(property.rule).names) {
            NodeConfig config;
            property.set(config, std::string(name));
            log::Level level{};
            REQUIRE(log::parse_level(name, level));
            CHECK(config.log_level == level);
        }
    }
}

TEST_CASE("an unknown key names the nearest known one, its file and its line") {
    CHECK(problems_of(kMinimal + "[data]\n\nstream_max = 3\n") ==
          std::vector<std::string>{
              "f.toml:17: data.stream_max: unknown key; the nearest known is data.streams_max"});
    CHECK(problems_of(kMinimal + "pubic_key = \"\"\n") ==
          std::vector<std::string>{
              "f.toml:15: peers[0].pubic_key: unknown key; the nearest known is peers.public_key"});
    CHECK(problems_of("replica_default = 1\n" + kMinimal) ==
          std::vector<std::string>{
              "f.toml:1: replica_default: unknown key; the nearest known is manager.replicas_default"});
    CHECK(problems_of(kMinimal + "[data]\nheartbeat_interval_ms = 100\n") ==
          std::vector<std::string>{"f.toml:16: data.heartbeat_interval_ms: unknown key; the nearest known is "
                                   "control.heartbeat_interval_ms"});
}

TEST_CASE("an unknown table names the nearest known one") {
    CHECK(
        problems_of(kMinimal + "[superviser]\nx = 1\n") ==
        std::vector<std::string>{"f.toml:15: superviser: unknown table; the nearest known is [supervisor]"});
}

TEST_CASE("a wrong value says where it is, what was found and what is allowed") {
    CHECK(problems_of(kMinimal + "[data]\nstreams_max = 65\n") ==
          std::vector<std::string>{
              "f.toml:16: data.streams_max: found 65; allowed: an integer from 1 to 64 (streams)"});
    CHECK(problems_of(kMinimal + "[control]\nconnect_timeout_ms = 1.5\n") ==
          std::vector<std::string>{
              "f.toml:16: control.connect_timeout_ms: found 1.5; allowed: an integer from 10 to 60000 (ms)"});
    CHECK(problems_of(kMinimal + "[data]\ncongestion = [\"bbr\"]\n") ==
          std::vector<std::string>{
              "f.toml:16: data.congestion: found an array; allowed: one of \"bbr\", \"cubic\""});
    CHECK(problems_of(kMinimal + "[roles]\ngateway = 2020-01-01\n") ==
          std::vector<std::string>{"f.toml:16: roles.gateway: found 2020-01-01; allowed: true or false"});
    CHECK(problems_of(kMinimal + "public_key = \"12\"\n") ==
          std::vector<std::string>{
              "f.toml:15: peers[0].public_key: found \"12\"; allowed: 64 hex digits or empty"});
}

TEST_CASE("a value too long for one line is cut in the message") {
    const auto problems = problems_of(kMinimal + "public_key = \"" + std::string(100'000, 'x') + "\"\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].size() < 200);
}

TEST_CASE("a table where a value stands, and the reverse, is told by its shape") {
    CHECK(problems_of("data = 3\n" + kMinimal) ==
          std::vector<std::string>{"f.toml:1: data: found 3; allowed: a table, written [data]"});
    const std::string lone =
        kMinimal.substr(0, kMinimal.find("[[peers]]")) + "[manager]\nreplicas_default = 1\n";
    CHECK(
        problems_of("peers = {}\n" + lone) ==
        std::vector<std::string>{"f.toml:1: peers: found a table; allowed: tables, each written [[peers]]"});
    CHECK(problems_of("peers = [1]\n" + lone) ==
          std::vector<std::string>{"f.toml:1: peers[0]: found 1; allowed: a table, written [[peers]]"});
}

TEST_CASE("everything that is wrong is told at once, in the order of the file") {
    const auto problems = problems_of(R"([node]
name = "Bad Name"
site = 7
cluster_id = "demo"
[listen]
control = "0.0.0.0:1"
data = "127.0.0.1:2"
http = "127.0.0.1:2"
[data]
streams_min = 9
streems = 1
[contrl]
[[peers]]
name = "b"
site = "west"
control = "127.0.0.1:4"
)");
    const std::vector<std::string> starts = {
        "f.toml:1: node.data_dir: missing;",
        "f.toml:2: node.name: found \"Bad Name\";",
        "f.toml:3: node.site: found 7;",
        "f.toml:6: listen.control: found \"0.0.0.0:1\";",
        "f.toml:8: listen.http: found 2; allowed: a port other than that of listen.data",
        "f.toml:10: data.streams_max: found 8 (the default);",
        "f.toml:11: data.streems: unknown key;",
        "f.toml:12: contrl: unknown table;",
        "f.toml:13: peers[0].data: missing;",
    };
    INFO(fmt::format("{}", fmt::join(problems, "\n")));
    REQUIRE(problems.size() == starts.size());
    for (std::size_t i = 0; i < starts.size(); ++i)
        CHECK(problems[i].starts_with(starts[i]));
}

TEST_CASE("a syntax error is one problem with its line") {
    for (const char* tail : {"[data\n", "x = \n", "[node]\n", "name = \"b\"\n", "x = \"\xff\"\n",
                             "x = 99999999999999999999\n"}) {
        const auto problems = problems_of(kMinimal + tail);
        INFO(tail);
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].starts_with("f.toml:15: TOML syntax: "));
    }
}

TEST_CASE("a damaged file is reported or read, whatever the damage") {
    const char* given = std::getenv("DWCP_SEED");
    const std::uint64_t seed = given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
    INFO("DWCP_SEED=" << seed);
    Random random(seed);
    const std::string example = print_example();
    for (int round = 0; round < 500; ++round) {
        std::string text = example;
        for (std::uint64_t damage = random.below(4); damage < 4; ++damage) {
            const std::size_t at = random.below(text.size());
            if (random.below(2) == 0)
                text[at] = static_cast<char>(random.next());
            else
                text.erase(at, random.below(200));
        }
        const auto result = load_text(text, "f.toml");
        if (result) continue;
        REQUIRE_FALSE(result.error().list.empty());
        for (const std::string& problem : result.error().list)
            REQUIRE(problem.starts_with("f.toml"));
    }
}

TEST_CASE("a file that cannot be read says why and what to give instead") {
    const auto missing = load_file("/nonexistent/x.toml");
    REQUIRE_FALSE(missing);
    REQUIRE(missing.error().list.size() == 1);
    CHECK(missing.error().list[0] ==
          "/nonexistent/x.toml: cannot be read: No such file or directory; give a node's "
          "configuration file; node_configs/example.toml shows every key");

    const auto directory = load_file("/");
    REQUIRE_FALSE(directory);
    CHECK(contains(directory.error().list[0], "/: cannot be read: Is a directory"));

    const auto endless = load_file("/dev/zero");
    REQUIRE_FALSE(endless);
    CHECK(contains(endless.error().list[0], "larger than 1048576 bytes"));
}

TEST_CASE("a file is read from disk like its text") {
    const auto path = std::filesystem::temp_directory_path() / fmt::format("dwcp-config-{}.toml", ::getpid());
    std::ofstream(path) << kMinimal;
    const auto config = load_file(path.string());
    std::filesystem::remove(path);
    REQUIRE(config);
    CHECK(values_of(*config) == values_of(loaded(kMinimal)));
}

} // namespace dwcp::config
