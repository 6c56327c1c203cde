#include "tests/unit/config/config_fixture.hpp"

namespace dwcp::config {
namespace {

/// The one problem that a text must have.
std::string problem_of(const std::string& text) {
    const auto problems = problems_of(text);
    INFO(fmt::format("{}", fmt::join(problems, "\n")));
    REQUIRE(problems.size() == 1);
    return problems[0];
}

const std::string kSecondPeer = R"([[peers]]
name = "c"
site = "north"
control = "127.0.0.1:6"
data = "127.0.0.1:7"
)";

} // namespace

TEST_CASE("a heartbeat timeout must allow for one late heartbeat") {
    CHECK(problem_of(kMinimal + "[control]\nheartbeat_interval_ms = 300\nheartbeat_timeout_ms = 599\n") ==
          "f.toml:17: control.heartbeat_timeout_ms: found 599; allowed: at least twice "
          "control.heartbeat_interval_ms "
          "(300), so 600 or more (ms)");
    CHECK(problems_of(kMinimal + "[control]\nheartbeat_interval_ms = 300\nheartbeat_timeout_ms = 600\n")
              .empty());
    CHECK(problem_of(kMinimal + "[control]\nheartbeat_interval_ms = 1001\n")
              .starts_with("f.toml:16: control.heartbeat_timeout_ms: found 2000 (the default); allowed: at "
                           "least twice"));
}

TEST_CASE("a minimum must not exceed its maximum") {
    CHECK(problem_of(kMinimal + "[data]\nstreams_min = 4\nstreams_max = 3\n") ==
          "f.toml:17: data.streams_max: found 3; allowed: at least data.streams_min (4)");
    CHECK(problems_of(kMinimal + "[data]\nstreams_min = 4\nstreams_max = 4\n").empty());
    CHECK(
        contains(problem_of(kMinimal + "[control]\nreconnect_min_ms = 2001\n"), "control.reconnect_max_ms"));
    CHECK(contains(problem_of(kMinimal + "[supervisor]\nrestart_backoff_max_ms = 9\n"),
                   "supervisor.restart_backoff_max_ms: found 9; allowed: at least "
                   "supervisor.restart_backoff_min_ms (10)"));
}

TEST_CASE("a key that is already reported is not compared with others") {
    CHECK(contains(problem_of(kMinimal + "[data]\nstreams_min = 64\nstreams_max = 65\n"), "from 1 to 64"));
}

TEST_CASE("nothing leaves loopback without TLS, and the refusal says what to do") {
    const std::string why =
        "; allowed: a loopback host (127.0.0.0/8, [::1] or localhost), as [tls] is not set; to leave this "
        "machine, make certificates with ops/certs (ops/certs --help) and set tls.certificate, tls.key and "
        "tls.ca";
    CHECK(problem_of(replaced(kMinimal, "127.0.0.1:3", "0.0.0.0:3")) ==
          "f.toml:9: listen.http: found \"0.0.0.0:3\"" + why);
    CHECK(problem_of(replaced(kMinimal, "127.0.0.1:5", "[fd00::2]:5")) ==
          "f.toml:14: peers[0].data: found \"[fd00::2]:5\"" + why);
    std::string all = kMinimal;
    for (const char* port : {":1\"", ":2\"", ":3\"", ":4\"", ":5\""})
        all = replaced(all, std::string("127.0.0.1") + port, std::string("10.0.0.1") + port);
    CHECK(problems_of(all).size() == 5);
    CHECK(problems_of(all + "[tls]\ncertificate = 'c'\nkey = 'k'\nca = 'a'\n").empty());
    CHECK(contains(problem_of(all + "[tls]\ncertificate = 'c'\nkey = 'k'\n"), "tls.ca")); // one at a time
}

TEST_CASE("names are unique in the cluster") {
    CHECK(problem_of(replaced(kMinimal, "name = \"b\"", "name = \"a\"")) ==
          "f.toml:11: peers[0].name: found \"a\"; allowed: a name other than that of node.name");
    CHECK(problem_of(kMinimal + replaced(kSecondPeer, "\"c\"", "\"b\"")) ==
          "f.toml:16: peers[1].name: found \"b\"; allowed: a name other than that of peers[0].name");
}

TEST_CASE("two peers cannot have one key, in whatever case it is written") {
    const auto text = [](char a, char b) {
        return fmt::format("{}public_key = \"{}\"\n{}public_key = \"{}\"\n", kMinimal, std::string(64, a),
                           kSecondPeer, std::string(64, b));
    };
    CHECK(contains(problem_of(text('a', 'A')), "peers[1].public_key"));
    CHECK(problems_of(text('a', 'b')).empty());
}

TEST_CASE("own listeners have distinct ports, whatever the host") {
    const auto problem = problem_of(replaced(kMinimal, "127.0.0.1:3", "localhost:1"));
    CHECK(problem == "f.toml:9: listen.http: found 1; allowed: a port other than that of listen.control");
    std::string any_port = kMinimal;
    for (const char* own : {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"})
        any_port = replaced(any_port, own, "127.0.0.1:0");
    CHECK(problems_of(any_port).empty());
}

TEST_CASE("a peer's address is neither this node's nor another peer's") {
    CHECK(contains(problem_of(replaced(kMinimal, "127.0.0.1:4", "127.0.0.1:1")),
                   "f.toml:13: peers[0].control: found \"127.0.0.1:1\"; allowed: an address other than that "
                   "of listen.control"));
    CHECK(contains(problem_of(kMinimal + replaced(kSecondPeer, "127.0.0.1:7", "127.0.0.1:4")),
                   "peers[1].data"));
}

TEST_CASE("the sequencer is this node or a peer") {
    for (const char* name : {"", "a", "b"}) {
        CHECK(problems_of(fmt::format("{}[consensus]\nsequencer = \"{}\"\n", kMinimal, name)).empty());
    }
    CHECK(problem_of(kMinimal + "[consensus]\nsequencer = \"c\"\n") ==
          "f.toml:16: consensus.sequencer: found \"c\"; allowed: this node's or a peer's name, so one of "
          "\"a\", \"b\", or "
          "empty");
}

TEST_CASE("no more replicas than nodes") {
    CHECK(problem_of(kMinimal + "[manager]\nreplicas_default = 3\n") ==
          "f.toml:16: manager.replicas_default: found 3; allowed: at most 2: this node and its 1 peers");
    CHECK(problems_of(kMinimal + kSecondPeer + "[manager]\nreplicas_default = 3\n").empty());
    const std::string lone = kMinimal.substr(0, kMinimal.find("[[peers]]"));
    CHECK(contains(problem_of(lone), "manager.replicas_default: found 2 (the default); allowed: at most 1"));
    CHECK(problems_of(lone + "[manager]\nreplicas_default = 1\n").empty());
}

TEST_CASE("a role is refused on a node without the roles that it asks") {
    const auto roles = [](std::string_view text) { return fmt::format("{}[roles]\n{}\n", kMinimal, text); };
    CHECK(problem_of(roles("compression = 0")) ==
          "f.toml:16: roles.manager: found 1 (the default); allowed: only on a node with roles.compression");
    CHECK(contains(problem_of(roles("allocator = 0")), "only on a node with roles.allocator"));
    CHECK(contains(problem_of(roles("consensus = false")), "roles.consensus: found false; allowed: true"));
    CHECK(contains(problem_of(roles("manager = 0\ngateway = true")),
                   "roles.gateway: found true; allowed: only on a node with roles.manager"));
    CHECK(problems_of(roles("manager = 0\ngateway = false\ncompression = 0\nallocator = 0")).empty());
}

} // namespace dwcp::config
