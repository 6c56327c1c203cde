#include "runtime/log/log.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

namespace dwcp::log {
namespace {

/// Sends the log to a file of its own, and back to standard error at the end.
class Capture {
  public:
    explicit Capture(Format format, Level level = Level::info, std::string node = "site-a") {
        std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-log-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        directory_ = pattern;
        configure({level, format, directory_ + "/log", std::move(node), 0xabc});
    }
    ~Capture() {
        configure({});
        std::filesystem::remove_all(directory_);
    }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    std::vector<std::string> lines() const {
        shutdown();
        std::ifstream file(directory_ + "/log");
        std::vector<std::string> all;
        for (std::string line; std::getline(file, line);)
            all.push_back(line);
        return all;
    }
    std::string line() const {
        const auto all = lines();
        REQUIRE(all.size() == 1);
        return all[0];
    }

  private:
    std::string directory_;
};

} // namespace

TEST_CASE("a JSON line carries every field with its type") {
    const Capture capture(Format::json);
    warn("block_corrupted",
         {{"key", "ab\"c\n"}, {"bytes", 7U}, {"delta", -3}, {"ratio", 0.25}, {"repaired", true}},
         {.actor = "manager/0", .trace = "00ff"});
    const auto json = nlohmann::json::parse(capture.line());
    CHECK(json["level"] == "warn");
    CHECK(json["node"] == "site-a");
    CHECK(json["incarnation"] == "0000000000000abc");
    CHECK(json["event"] == "block_corrupted");
    CHECK(json["actor"] == "manager/0");
    CHECK(json["trace"] == "00ff");
    CHECK(json["key"] == "ab\"c\n");
    CHECK(json["bytes"] == 7);
    CHECK(json["delta"] == -3);
    CHECK(json["ratio"] == 0.25);
    CHECK(json["repaired"] == true);
    CHECK_THAT(json["time"].get<std::string>(), Catch::Matches(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"));
}

TEST_CASE("a JSON line leaves out what there is not") {
    const Capture capture(Format::json, Level::info, "");
    info("started");
    const auto json = nlohmann::json::parse(capture.line());
    CHECK(json.size() == 3); // time, level, event
}

TEST_CASE("a JSON line stays one valid line whatever a value holds") {
    const Capture capture(Format::json);
    std::string hostile;
    for (int c = 0; c < 256; ++c)
        hostile.push_back(static_cast<char>(c));
    info("received", {{"bytes", hostile},
                      {"huge", std::numeric_limits<double>::infinity()},
                      {"nothing", std::numeric_limits<double>::quiet_NaN()},
                      {"most", std::numeric_limits<std::uint64_t>::max()},
                      {"least", std::numeric_limits<std::int64_t>::min()}});
    const auto json = nlohmann::json::parse(capture.line());
    CHECK(json["huge"].is_null());
    CHECK(json["nothing"].is_null());
    CHECK(json["most"] == std::numeric_limits<std::uint64_t>::max());
    CHECK(json["least"] == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("a console line is one line in which fields can be told apart") {
    const Capture capture(Format::console);
    error("peer_down", {{"peer", "site-b"}, {"reason", "reset by peer"}, {"after_ms", 12}},
          {.actor = "links/control", .trace = "77"});
    CHECK_THAT(capture.line(),
               Catch::Matches(R"(\d\d:\d\d:\d\d\.\d{3} error site-a peer_down actor=links/control trace=77 )"
                              R"(peer=site-b reason="reset by peer" after_ms=12)"));
}

TEST_CASE("a console line does not let a value forge a field, a line or a colour") {
    const Capture capture(Format::console);
    info("received", {{"a", "x=1"}, {"b", "x\ny"}, {"c", "\x1b[31m"}, {"d", "\"q\""}});
    const std::string line = capture.line();
    CHECK(line.ends_with(R"(a="x=1" b="x\ny" c="\u001b[31m" d="\"q\"")"));
}

TEST_CASE("a console line holds no control character and is UTF-8 whatever a value holds") {
    const Capture capture(Format::console);
    info("received", {{"a", std::string("x\0y", 3)}, {"b", "\b"}, {"c", "\xff"}, {"d", "\xc3\xbc"}});
    CHECK(capture.line().ends_with("a=\"x\\u0000y\" b=\"\\b\" c=\"\xef\xbf\xbd\" d=\"\xc3\xbc\""));
}

TEST_CASE("lines below the level are not written, and the level can change while running") {
    const Capture capture(Format::json, Level::warn);
    info("quiet");
    warn("loud");
    set_level(Level::trace);
    CHECK(level() == Level::trace);
    trace("finest");
    set_level(Level::off);
    error("unheard");
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 2);
    CHECK(nlohmann::json::parse(lines[0])["event"] == "loud");
    CHECK(nlohmann::json::parse(lines[1])["event"] == "finest");
}

TEST_CASE("every level is parsed by its name and nothing else is") {
    Level out = Level::info;
    const std::pair<const char*, Level> names[] = {{"trace", Level::trace}, {"debug", Level::debug},
                                                   {"info", Level::info},   {"warn", Level::warn},
                                                   {"error", Level::error}, {"off", Level::off}};
    for (const auto& [name, level] : names) {
        REQUIRE(parse_level(name, out));
        CHECK(out == level);
    }
    for (const char* bad : {"", "INFO", "warning", "information"})
        CHECK_FALSE(parse_level(bad, out));
}

TEST_CASE("lines of several threads never mix") {
    const Capture capture(Format::json);
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([t] {
                for (int i = 0; i < 250; ++i)
                    info("step", {{"thread", t}, {"i", i}});
            });
        }
    }
    const auto lines = capture.lines();
    CHECK(lines.size() == 1000);
    for (const auto& line : lines)
        REQUIRE(nlohmann::json::accept(line));
}

TEST_CASE("the last lines are kept as they were written, within their limits") {
    const Capture capture(Format::console);
    info("first_line", {{"answer", 42}});
    debug("too_quiet");
    CHECK(recent().back().find("first_line answer=42") != std::string::npos);
    for (std::size_t i = 0; i < kRecentLinesMax; ++i)
        info("filler", {{"i", i}});
    auto lines = recent();
    CHECK(lines.size() == kRecentLinesMax);
    CHECK(lines.front().find("filler i=0") != std::string::npos);
    info("long", {{"text", std::string(kRecentBytesMax, 'x')}});
    lines = recent();
    REQUIRE(lines.size() == 1); // it needs all the room
    CHECK(lines.front().size() == kRecentBytesMax);
}

} // namespace dwcp::log
