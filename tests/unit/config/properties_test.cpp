// Everything that the table of keys promises, generated from the table: no key can be added without being
// covered.
#include "runtime/config/properties.hpp"
#include "tests/unit/config/config_fixture.hpp"

#include <cctype>
#include <set>

namespace dwcp::config {
namespace {

/// A file that sets one key, and what else must change so that nothing but this key can be wrong.
std::string file_with(const Key& key, const Value& value) {
    const std::string line = fmt::format("{} = {}\n", key.name(), toml_text(value));
    if (key.table() == "peers" || key.required) {
        const std::string table = key.table() == "peers" ? "[[peers]]\n" : fmt::format("[{}]\n", key.table());
        std::string text = kMinimal;
        const auto start = text.find(table) + table.size();
        // Take out the line that has the key already.
        if (key.required) {
            const auto old = text.find(fmt::format("{} = ", key.name()), start);
            text.erase(old, text.find('\n', old) + 1 - old);
        }
        return text.insert(start, line);
    }
    return fmt::format("{}[{}]\n{}", kMinimal, key.table(), line);
}

/// True if the file's problems name the key itself. A bound may contradict another key's default; that is not
/// its rule.
bool rule_broken(const Key& key, const Value& value) {
    const auto problems = problems_of(file_with(key, value));
    const std::string path =
        key.table() == "peers" ? fmt::format("peers[0].{}", key.name()) : std::string(key.path);
    const std::string allowed = "allowed: " + allowed_text(key.rule, key.unit);
    return std::ranges::any_of(problems, [&](const std::string& problem) {
        return contains(problem, fmt::format(": {}: found {}; {}", path, toml_text(value), allowed));
    });
}

} // namespace

TEST_CASE("every bound of every number is enforced, and the bound itself is accepted") {
    for (const Key* key : all_keys()) {
        const auto* range = std::get_if<Range>(&key->rule);
        if (range == nullptr) continue;
        INFO(key->path);
        CHECK_FALSE(rule_broken(*key, range->min));
        CHECK_FALSE(rule_broken(*key, range->max));
        CHECK(rule_broken(*key, range->min - 1));
        CHECK(rule_broken(*key, range->max + 1));
        CHECK(rule_broken(*key, std::string("500")));
        CHECK(rule_broken(*key, true));
    }
}

TEST_CASE("every choice is accepted and anything else is refused") {
    for (const Key* key : all_keys()) {
        const auto* choice = std::get_if<Choice>(&key->rule);
        if (choice == nullptr) continue;
        INFO(key->path);
        for (std::string_view name : choice->names)
            CHECK_FALSE(rule_broken(*key, std::string(name)));
        CHECK(rule_broken(*key, std::string("reno")));
        CHECK(rule_broken(*key, std::int64_t{1}));
    }
}

TEST_CASE("every switch takes true and false and nothing else") {
    for (const Key* key : all_keys()) {
        if (!std::holds_alternative<AnyBool>(key->rule)) continue;
        INFO(key->path);
        CHECK_FALSE(rule_broken(*key, true));
        CHECK_FALSE(rule_broken(*key, false));
        CHECK(rule_broken(*key, std::int64_t{1}));
        CHECK(rule_broken(*key, std::string("yes")));
    }
}

TEST_CASE("every text key refuses numbers and control characters") {
    for (const Key* key : all_keys()) {
        if (!std::holds_alternative<Text>(key->rule)) continue;
        INFO(key->path);
        CHECK(rule_broken(*key, std::int64_t{1}));
        CHECK_FALSE(accepts(key->rule, Value{std::string("a\nb")}));
        CHECK_FALSE(accepts(key->rule, Value{std::string("a\0b", 3)}));
    }
}

TEST_CASE("every required key is reported when it is missing") {
    const auto problems = problems_of("[[peers]]\n");
    for (const Key* key : all_keys()) {
        if (!key->required) continue;
        const std::string path = key->table() == "peers" ? fmt::format("f.toml:1: peers[0].{}", key->name())
                                                         : "f.toml: " + std::string(key->path);
        const auto expected =
            fmt::format("{}: missing; allowed: {}", path, allowed_text(key->rule, key->unit));
        INFO(expected);
        CHECK(std::ranges::any_of(problems, [&](const std::string& p) { return p.starts_with(expected); }));
    }
}

TEST_CASE("every default satisfies its own rule and bounds fit the field that keeps them") {
    NodeConfig config;
    for (const auto& property : node_properties()) {
        INFO(property.path);
        CHECK(accepts(property.rule, property.fallback));
        if (const auto* range = std::get_if<Range>(&property.rule)) {
            property.set(config, range->max);
            CHECK(property.get(config) == Value{range->max});
        }
        property.set(config, property.fallback);
        CHECK(property.get(config) == property.fallback);
    }
    Peer peer;
    for (const auto& property : peer_properties()) {
        INFO(property.path);
        CHECK(accepts(property.rule, property.fallback));
        property.set(peer, property.fallback);
        CHECK(property.get(peer) == property.fallback);
    }
}

TEST_CASE("every key has a sentence, a unit where it counts something, and an explanation that holds both") {
    std::set<std::string_view> paths;
    for (const Key* key : all_keys()) {
        INFO(key->path);
        CHECK(paths.insert(key->path).second);
        CHECK(key->sentence.size() > 10);
        CHECK(key->sentence.back() == '.');
        CHECK(std::isupper(static_cast<unsigned char>(key->sentence.front())) != 0);
        CHECK(std::holds_alternative<Range>(key->rule) == !key->unit.empty());
        for (std::string_view unit : {"ms", "bytes"}) {
            if (key->name().ends_with(fmt::format("_{}", unit))) CHECK(key->unit == unit);
        }
        const auto explained = explain(std::string(key->path));
        REQUIRE(explained);
        for (std::string_view part : {key->sentence, key->unit, std::string_view(key->path)})
            CHECK(contains(*explained, part));
        CHECK(contains(*explained, allowed_text(key->rule, key->unit)));
        CHECK(contains(*explained,
                       key->required ? "Required." : "Default: " + shown_text(key->fallback, key->unit)));
    }
}

TEST_CASE("explaining an unknown key names the nearest known one") {
    const auto explained = explain("data.stream_max");
    REQUIRE_FALSE(explained);
    CHECK(explained.error().code == Errc::not_found);
    CHECK(explained.error().render() ==
          "data.stream_max is not a configuration key (the nearest known is data.streams_max)");
}

TEST_CASE("byte bounds are also told in binary units") {
    CHECK(allowed_text(Range{1 << 20, 3LL << 40}, "bytes") ==
          "an integer from 1048576 (1 MiB) to 3298534883328 (3 TiB)");
    CHECK(allowed_text(Range{1000, 1024}, "ms") == "an integer from 1000 to 1024");
}

TEST_CASE("an endpoint is HOST:PORT, with brackets around an IPv6 host") {
    CHECK(parse_endpoint("127.0.0.1:7101") == Endpoint{"127.0.0.1", 7101});
    CHECK(parse_endpoint("[::1]:65535") == Endpoint{"::1", 65535});
    CHECK(parse_endpoint("[::1]:65535")->text() == "[::1]:65535");
    CHECK(parse_endpoint("localhost:0")->text() == "localhost:0");
    for (const char* bad : {"", ":", ":1", "host", "host:", "host:x", "host:1x", "host:-1", "host:65536",
                            "::1:80", "[::1]", "[host]:1", "[]:1", "host: 1"}) {
        INFO(bad);
        CHECK_FALSE(parse_endpoint(bad));
    }
}

TEST_CASE("a peer's endpoint needs a port, a listener's does not") {
    CHECK(is_listen_endpoint("127.0.0.1:0"));
    CHECK_FALSE(is_peer_endpoint("127.0.0.1:0"));
    CHECK(is_peer_endpoint("site-b.example.org:7101"));
}

TEST_CASE("loopback hosts are told from others, and no name is resolved for it") {
    for (const char* good : {"127.0.0.1", "127.255.255.254", "::1", "localhost"}) {
        INFO(good);
        CHECK(is_loopback(good));
    }
    for (const char* bad : {"0.0.0.0", "10.0.0.1", "128.0.0.1", "::", "fe80::1", "example.org",
                            "localhost.example.org", "127.1", "::ffff:10.0.0.1"}) {
        INFO(bad);
        CHECK_FALSE(is_loopback(bad));
    }
}

TEST_CASE("a node name is a lower-case host label") {
    for (const std::string& good :
         {std::string("a"), std::string("site-a"), std::string("0-9"), std::string(63, 'x')}) {
        CHECK(is_node_name(good));
    }
    for (const std::string& bad : {std::string(), std::string("Site"), std::string("a b"), std::string("a.b"),
                                   std::string("ä"), std::string("a/b"), std::string(64, 'x')}) {
        INFO(bad);
        CHECK_FALSE(is_node_name(bad));
    }
}

TEST_CASE("the nearest candidate is the one with the fewest edits") {
    CHECK(nearest("contrl", {"data", "control", "consensus"}) == "control");
    CHECK(nearest("data", {"data", "date"}) == "data");
    CHECK(nearest("anything", {}).empty());
}

} // namespace dwcp::config
