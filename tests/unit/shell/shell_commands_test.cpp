// The shell's commands against a real HTTP server with a fake node behind it.
#include "actors/gateway/operator_verbs.hpp"
#include "actors/gateway/routes.hpp"
#include "ops/shell/parser.hpp"
#include "ops/shell/presentation.hpp"
#include "ops/shell/printers.hpp"
#include "ops/shell/shell.hpp"
#include "ops/shell/words.hpp"
#include "protocols/base/random.hpp"
#include "tests/unit/http/fake_backend.hpp"
#include "tests/unit/http/gate.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace dwcp;
using dwcp::test::FakeBackend;
using dwcp::test::Gate;
using nlohmann::json;

namespace {

struct Fixture {
    FakeBackend backend;
    gateway::RouteOptions routes;
    http::Options options;
    std::unique_ptr<http::HttpServer> server = std::make_unique<http::HttpServer>();
    std::filesystem::path directory;

    std::string input;
    bool terminal = false;
    std::string out;
    std::string err;

    Fixture() {
        static std::atomic<int> number = 0;
        directory = std::filesystem::temp_directory_path() /
                    ("shell-commands-" + std::to_string(getpid()) + "-" + std::to_string(++number));
        std::filesystem::create_directories(directory);
        std::ofstream(directory / "token") << "secret\n";
        options.threads = 4;
    }
    ~Fixture() { std::filesystem::remove_all(directory); }

    struct Running {
        std::unique_ptr<http::HttpServer>& server;
        ~Running() { server.reset(); }
    };
    /// Kept by a test after everything that its hooks refer to, so that calls of them end before it goes.
    [[nodiscard]] Running start() {
        gateway::register_routes(*server, backend, routes);
        REQUIRE(server->start(options));
        return Running{server};
    }
    std::string node() const { return "127.0.0.1:" + std::to_string(server->port()); }

    int run(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--node", node()});
        return run_bare(std::move(arguments), {});
    }
    int run_bare(std::vector<std::string> arguments, std::map<std::string, std::string> environment) {
        std::istringstream in(input);
        std::ostringstream out_stream;
        std::ostringstream err_stream;
        const auto lookup = [&](const std::string& name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional(found->second);
        };
        shell::Terminal terminal_now{
            in, out_stream, err_stream, terminal, terminal, lookup, [] { return 1'700'000'060'000; }};
        const int code = shell::run_shell(arguments, terminal_now);
        out = out_stream.str();
        err = err_stream.str();
        return code;
    }
    std::string file(const std::string& name, const std::string& content) {
        std::ofstream(directory / name, std::ios::binary) << content;
        return directory / name;
    }
    std::string content_of(const std::string& name) const {
        std::ifstream in(directory / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::vector<std::string> files() const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            found.push_back(entry.path().filename());
        std::ranges::sort(found);
        return found;
    }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string pattern(std::size_t bytes) {
    Random random(bytes);
    std::string text(bytes, '\0');
    for (char& c : text)
        c = static_cast<char>(random.next());
    return text;
}

} // namespace

TEST_CASE_METHOD(Fixture, "a file is put and comes back verified") {
    const auto running = start();
    const std::string content = pattern(3 * kBlockBytes + 17);
    const std::string path = file("in put.bin", content);
    CHECK(run({"put", path, "some dir/grüße.bin", "--replicas", "2", "--codec", "zstd-3", "--type",
               "text/x"}) == 0);
    CHECK(has(out, "some dir/grüße.bin"));
    CHECK(has(out, "3.0 MiB"));
    CHECK(err.empty());
    const auto& begun = backend.begun.begin()->second;
    CHECK(begun.replicas == 2);
    CHECK(begun.codec == CodecChoice{Codec::zstd, 3});
    CHECK(begun.size_bytes == content.size());
    CHECK(run({"-c", "get 'some dir/grüße.bin' " + (directory / "out.bin").string()}) == 0);
    CHECK(has(out, "SHA-256 verified"));
    CHECK(content_of("out.bin") == content);
    CHECK(run({"get", "some dir/grüße.bin", directory}) == 0);
    CHECK(content_of("grüße.bin") == content);
    CHECK(run({"get", "some dir/grüße.bin", "-", "-o", "json"}) == 0);
    CHECK(out == content);
}

TEST_CASE_METHOD(Fixture, "an empty file is an object too") {
    const auto running = start();
    CHECK(run({"put", file("empty", ""), "k"}) == 0);
    CHECK(run({"get", "k", directory / "out"}) == 0);
    CHECK(std::filesystem::exists(directory / "out"));
    CHECK(content_of("out").empty());
}

TEST_CASE_METHOD(Fixture, "the standard input is put without a known length") {
    const auto running = start();
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{256U << 10}, std::size_t{2 * kBlockBytes}}) {
        CAPTURE(size);
        input = pattern(size);
        CHECK(run({"put", "-", "k", "-o", "ndjson"}) == 0);
        CHECK(json::parse(out)["size_bytes"] == size);
        CHECK(run({"get", "k", "-"}) == 0);
        CHECK(out == input);
    }
}

TEST_CASE_METHOD(Fixture, "what cannot be put is said before anything is sent") {
    const auto running = start();
    CHECK(run({"put", directory / "missing", "k"}) == 1);
    CHECK(has(err, "there is no file"));
    CHECK(run({"put", directory, "k"}) == 2);
    CHECK(has(err, "is a directory"));
    CHECK(backend.begun.empty());
    CHECK(run({"put", file("f", "x"), "a/../b"}) == 2);
    CHECK(run({"put", file("f", "x"), "k", "--codec", "zip"}) == 2);
    CHECK(run({"put", file("f", "x"), "k", "--replicas", "17"}) == 2);
}

TEST_CASE_METHOD(Fixture, "a node that refuses in the middle of an upload is heard") {
    backend.before_begin = []() -> Result<void> {
        return fail(Errc::resource_exhausted, "too many workloads", "wait a little");
    };
    const auto running = start();
    // Larger than all socket buffers together and than what the server takes after a refusal.
    const std::string path = file("large", "");
    std::filesystem::resize_file(path, 200U << 20);
    CHECK(run({"put", path, "k"}) == 1);
    CHECK(err == "error: too many workloads\n  try: wait a little\n");
}

TEST_CASE_METHOD(Fixture, "an object that breaks off leaves no file") {
    const std::string content = pattern(4 * kBlockBytes);
    std::atomic<bool> broken = false;
    Hash256 last;
    backend.before_read_block = [&](const BlockRef& ref) -> Result<void> {
        if (broken && ref.hash == last) return fail(Errc::corrupted, "damaged", "");
        return {};
    };
    const auto running = start();
    CHECK(run({"put", file("in", content), "k"}) == 0);
    last = backend.objects["k"].blocks.back().hash;
    broken = true;
    CHECK(run({"get", "k", directory / "out"}) == 3);
    CHECK(has(err, "broke off"));
    CHECK(files() == std::vector<std::string>{"in", "token"});
    CHECK(run({"get", "k", "-"}) == 7);
    CHECK(out.size() < content.size());
}

TEST_CASE_METHOD(Fixture, "a content that is not what its hash says leaves no file") {
    const auto running = start();
    CHECK(run({"put", file("in", "content"), "k"}) == 0);
    backend.objects["k"].sha256 = {};
    CHECK(run({"get", "k", directory / "out"}) == 1);
    CHECK(has(err, "SHA-256"));
    CHECK(files() == std::vector<std::string>{"in", "token"});
}

TEST_CASE_METHOD(Fixture, "objects are listed, in pages when there are many, and removed") {
    const auto running = start();
    for (const char* key : {"a/1", "a/2", "b"})
        CHECK(run({"put", file("f", key), key}) == 0);
    CHECK(run({"ls"}) == 0);
    CHECK(out.starts_with("KEY"));
    CHECK(has(out, "a/1   3 B  60 s ago  site-a,site-b  application/octet-stream"));
    CHECK(run({"ls", "a/", "-o", "ndjson"}) == 0);
    CHECK(std::ranges::count(out, '\n') == 2);
    CHECK(run({"ls", "-o", "json", "--limit", "2"}) == 0);
    CHECK(json::parse(out)["objects"].size() == 2);
    CHECK(json::parse(out)["next_cursor"] == "a/2");
    CHECK(run({"rm", "b"}) == 0);
    CHECK(out == "removed b\n");
    CHECK(run({"rm", "b"}) == 1);
    CHECK(has(err, "there is no object 'b'"));
    {
        const auto lock = backend.lock();
        const wire::Manifest any = backend.objects["a/1"];
        for (int i = 0; i < 2500; ++i) {
            wire::Manifest manifest = any;
            manifest.key = fmt::format("many/{:04}", i);
            backend.objects[manifest.key] = manifest;
        }
    }
    CHECK(run({"ls", "many/", "-o", "json"}) == 0);
    CHECK(json::parse(out)["objects"].size() == 2500);
}

TEST_CASE_METHOD(Fixture, "the state of a node is shown as tables and as the API's answer") {
    const json status = {{"node", "site-a"},
                         {"site", "a"},
                         {"cluster", "c"},
                         {"state", "running"},
                         {"health", "healthy"},
                         {"uptime_s", 65.2},
                         {"actors", 9},
                         {"restarts_total", 1},
                         {"workloads", {{"open", 1}, {"committed", 2}}},
                         {"store", {{"blocks_bytes", 1048576}, {"disk_free_bytes", 0}, {"corruptions", 0}}},
                         {"lanes",
                          {{{"lane", "metadata"},
                            {"available", false},
                            {"note", "no quorum"},
                            {"members", {"a", "b", "c"}},
                            {"members_up", 1},
                            {"quorum", 2}}}}};
    const json nodes = {
        {"nodes",
         {{{"name", "site-a"}, {"self", true}, {"up", true}},
          {{"name", "site-b"},
           {"up", false},
           {"problem", "refused"},
           {"rtt_ms", 0.234},
           {"data", {{"up", true}, {"streams", 4}, {"congestion", "bbr"}, {"bytes_sent", 2048}}}}}}};
    const json tree = {
        {"actors",
         {{{"path", "compression/0"},
           {"parent", "supervisor/data"},
           {"state", "quarantined"},
           {"quarantine", "20 ends"},
           {"last_reason", "killed"}},
          {{"path", "manager/0"},
           {"parent", "supervisor/manager"},
           {"state", "running"},
           {"life", 2},
           {"restarts", 1},
           {"uptime_ms", 65'000},
           {"release", "multi-stream-1"},
           {"last_good_release", "one-stream-1"}},
          {{"path", "supervisor"}, {"parent", ""}, {"state", "running"}, {"strategy", "one_for_one"}},
          {{"path", "supervisor/data"}, {"parent", "supervisor"}, {"state", "running"}},
          {{"path", "supervisor/manager"}, {"parent", "supervisor"}, {"state", "running"}},
          {{"path", "orphan"}, {"parent", "gone"}, {"state", "backing off"}},
          {{"path", "self"}, {"parent", "self"}}}}};
    const json events = {{"events",
                          {{{"id", 7},
                            {"time_ms", 1'700'000'000'000},
                            {"name", "actor_restarted"},
                            {"subject", "manager/0"},
                            {"fields", {{"delay_ms", "10"}, {"n", 3}}}}}},
                         {"last_id", 7}};
    backend.on_admin = [&](const std::string& verb, const json&) -> Result<json> {
        return verb == "status" ? status : verb == "nodes" ? nodes : verb == "tree" ? tree : events;
    };
    const auto running = start();
    CHECK(run({"status"}) == 0);
    CHECK(has(out, "running, healthy"));
    CHECK(has(out, "65 s"));
    CHECK(has(out, "NO "));
    CHECK(has(out, "no quorum\n"));
    CHECK(has(out, "1/3"));
    CHECK(run({"-c", "status", "-o", "json"}) == 0);
    CHECK(json::parse(out) == status);
    CHECK(run({"nodes"}) == 0);
    CHECK(has(out, "this node"));
    CHECK(has(out, "DOWN"));
    CHECK(has(out, "4 streams, bbr"));
    CHECK(run({"nodes", "-o", "ndjson"}) == 0);
    CHECK(std::ranges::count(out, '\n') == 2);
    CHECK(run({"tree", "site-b"}) == 0);
    CHECK(backend.admin_calls.back().second == json{{"node", "site-b"}});
    CHECK(has(out, "\nsupervisor            one_for_one  running"));
    CHECK(has(out, "\n  supervisor/data "));
    CHECK(has(out, "\n    compression/0 "));
    CHECK(has(out, "quarantine: 20 ends"));
    CHECK(has(out, "\n  supervisor/manager "));
    CHECK(has(out, "\n    manager/0 "));
    CHECK(has(out, "65 s"));
    CHECK(has(out, "multi-stream-1 (good: one-stream-1)"));
    CHECK(has(out, "orphan"));
    CHECK(run({"events", "--after", "3", "--limit", "5"}) == 0);
    CHECK(backend.admin_calls.back().second == json{{"after", 3}, {"limit", 5}});
    CHECK(has(out, "7  60 s ago  actor_restarted  manager/0  delay_ms=10 n=3"));
    CHECK(run({"events"}) == 0);
    CHECK(backend.admin_calls.back().second == json{{"limit", 100}});
    CHECK(run({"actor", "show", "site-b:manager/0"}) == 0);
    CHECK(backend.admin_calls.back() ==
          std::pair<std::string, json>("actor.show", {{"path", "manager/0"}, {"node", "site-b"}}));
}

TEST_CASE_METHOD(Fixture, "odd answers of a node break nothing") {
    json answer;
    backend.on_admin = [&](const std::string&, const json&) -> Result<json> { return answer; };
    const auto running = start();
    for (const json& odd :
         {json(), json(1), json::array(), json::object(),
          json{{"nodes", 1}, {"actors", "x"}, {"events", {1, "x", nullptr}}},
          json{{"actors", {{{"path", "a"}, {"parent", "b"}}, {{"path", "b"}, {"parent", "a"}}}},
               {"lanes", {nullptr}},
               {"nodes", {nullptr, {{"data", 1}}}},
               {"store", 1},
               {"workloads", nullptr}}}) {
        CAPTURE(odd.dump());
        answer = odd;
        for (const char* verb : {"status", "nodes", "tree", "events", "actor show x"})
            CHECK(run({"-c", verb}) == 0);
    }
}

TEST_CASE_METHOD(Fixture, "commands on actors need a confirmation and the token") {
    backend.on_admin = [](const std::string&, const json&) -> Result<json> {
        return json{{"outcome", "killed manager/0"}};
    };
    const auto running = start();
    const std::string token = directory / "token";
    CHECK(run({"--token-file", token, "actor", "kill", "manager/0"}) == 2);
    CHECK(has(err, "--yes"));
    CHECK(run({"actor", "kill", "manager/0", "--yes"}) == 4);
    CHECK(run({"--token-file", file("wrong", "wrong"), "actor", "kill", "manager/0", "--yes"}) == 4);
    terminal = true;
    input = "manager/1\n";
    CHECK(run({"--token-file", token, "actor", "kill", "manager/0"}) == 1);
    CHECK(backend.admin_calls.empty());
    input = "site-b:manager/0\n";
    CHECK(run({"--token-file", token, "actor", "kill", "site-b:manager/0"}) == 0);
    CHECK(out == "killed manager/0\n");
    const auto& [verb, args] = backend.admin_calls.back();
    CHECK(verb == "actor.kill");
    CHECK(args["path"] == "manager/0");
    CHECK(args["node"] == "site-b");
    CHECK(has(args["who"].get<std::string>(), "@"));
    terminal = false;
    CHECK(run_bare({"actor", "restart", "manager/0", "--yes"},
                   {{"DWCP_NODE", node()}, {"DWCP_TOKEN_FILE", token}}) == 0);
    CHECK(backend.admin_calls.back().first == "actor.restart");
}

TEST_CASE_METHOD(Fixture, "failures have the promised exit codes and a remedy") {
    std::optional<Error> error;
    backend.on_admin = [&](const std::string&, const json&) -> Result<json> {
        return std::unexpected(*error);
    };
    const auto running = start();
    for (const auto& [code, expected] : std::vector<std::pair<Errc, int>>{{Errc::not_found, 1},
                                                                          {Errc::internal, 1},
                                                                          {Errc::invalid_argument, 2},
                                                                          {Errc::unavailable, 3},
                                                                          {Errc::permission_denied, 4},
                                                                          {Errc::precondition_failed, 5},
                                                                          {Errc::deadline_exceeded, 6}}) {
        error = Error{code, "what", "remedy"};
        CHECK(run({"status"}) == expected);
        CHECK(err == "error: what\n  try: remedy\n");
    }
    const std::string gone = node();
    server->stop();
    CHECK(run_bare({"--node", gone, "status"}, {}) == 3);
    CHECK(has(err, "cannot reach a node at " + gone));
}

TEST_CASE_METHOD(Fixture, "a node that does not answer in time is a timeout") {
    Gate gate;
    backend.on_admin = [&](const std::string&, const json&) -> Result<json> {
        gate.pass();
        return json::object();
    };
    const auto running = start();
    CHECK(run({"--timeout", "0.05", "status"}) == 6);
    CHECK(has(err, "--timeout"));
    gate.open();
}

TEST_CASE_METHOD(Fixture, "wrong usage is exit code 2 with a hint") {
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"-c"},
                                               {"-c", ""},
                                               {"-c", "status", "-c", "status"},
                                               {"-c", "put 'a"},
                                               {"nope"},
                                               {"put", "a"},
                                               {"put", "a", "b", "c"},
                                               {"-o", "xml", "status"},
                                               {"--timeout", "x", "status"},
                                               {"--node", "a:b", "status"},
                                               {"--config", "/does/not/exist.toml", "status"},
                                               {"actor"},
                                               {"events", "--limit", "0"},
                                               {"help", "nope"}}) {
        CAPTURE(arguments);
        CHECK(run_bare(arguments, {}) == 2);
        CHECK(has(err, "error: "));
        CHECK(out.empty());
    }
}

TEST_CASE_METHOD(Fixture, "help explains every verb with an example") {
    CHECK(run_bare({"help"}, {}) == 0);
    const std::string overview = out;
    const shell::Parser parser;
    CHECK(parser.verbs.size() > gateway::operator_verbs().size());
    for (const shell::Verb& verb : parser.verbs) {
        CAPTURE(verb.name);
        CHECK(has(overview, verb.name));
        CHECK(run_bare({"-c", "help " + verb.name}, {}) == 0);
        CHECK(has(out, "example: dwcp-shell " + verb.name));
        CHECK(has(out, "-o json: "));
        // The example is one that the parser takes.
        shell::Parser again;
        CHECK(again.parse(*shell::split_words(verb.example)));
        CHECK(again.parsed() != nullptr);
    }
    CHECK(run_bare({"put", "--help"}, {}) == 0);
    CHECK(has(out, "usage: dwcp-shell put FILE KEY"));
    CHECK(run_bare({"help", "watch"}, {}) == 0);
    CHECK(has(out, "example: dwcp-shell watch"));
    CHECK(run_bare({"--help"}, {}) == 0);
    CHECK(out == overview);
    CHECK(run_bare({"--version"}, {}) == 0);
    CHECK(out.starts_with("dwcp-shell "));
}

TEST_CASE_METHOD(Fixture, "every operator verb has its way of being shown") {
    for (const auto& verb : gateway::operator_verbs()) {
        CAPTURE(verb.name);
        if (verb.name == "events" || verb.name == "bundle") continue; // commands of their own
        CHECK(shell::presentation_of(verb.name).verb == verb.name);
    }
}

TEST_CASE_METHOD(Fixture, "a verb that overrides needs a reason, asks for it, and can be tried dry") {
    backend.on_admin = [](const std::string&, const json&) -> Result<json> {
        return json{{"outcome", "done"}};
    };
    const auto running = start();
    const std::string token = directory / "token";
    const auto command = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"--token-file", token, "actor", "quarantine", "compression/0"});
        return run(more);
    };
    CHECK(command({"--yes"}) == 2);
    CHECK(has(err, "--reason"));
    CHECK(backend.admin_calls.empty());
    terminal = true;
    input = "spoils blocks\ncompression/0\n";
    CHECK(command({}) == 0);
    CHECK(backend.admin_calls.back().second["reason"] == "spoils blocks");
    terminal = false;
    CHECK(command({"--dry-run", "--reason", "why"}) == 0);
    CHECK(backend.admin_calls.back().second["dry_run"] == true);
}

TEST_CASE_METHOD(Fixture, "an object is removed dry without being removed") {
    const auto running = start();
    CHECK(run({"put", file("f", "abc"), "k"}) == 0);
    CHECK(run({"rm", "k", "--dry-run"}) == 0);
    CHECK(out == "would remove k, 3 B\n");
    CHECK(run({"rm", "nope", "--dry-run"}) == 1);
    CHECK(run({"get", "k", "-"}) == 0);
    CHECK(run({"rm", "k"}) == 0);
}

TEST_CASE_METHOD(Fixture, "a script stops at the first failure, with its place, or goes on if told to") {
    backend.on_admin = [](const std::string& verb, const json&) -> Result<json> {
        if (verb == "tree") return fail(Errc::unavailable, "away", "later");
        return json{{"node", "site-a"}};
    };
    const auto running = start();
    const std::string script = file(
        "script", "#!/usr/bin/env -S dwcp-shell -f\n\n  # what it does\nstatus -o ndjson\r\ntree\nstatus -o "
                  "ndjson\nquit\nnope\n");
    const std::string line = "{\"node\":\"site-a\"}\n";
    CHECK(run({"-f", script}) == 3);
    CHECK(out == line);
    CHECK(err == script + ":5: error: away\n  try: later\n");
    CHECK(run({"-f", script, "--keep-going"}) == 7);
    CHECK(out == line + line);
    input = "tree\nnope\n";
    CHECK(run({"--keep-going"}) == 3);
    CHECK(has(err, "stdin:2: error: there is no command 'nope'"));
    input = "put 'a\n";
    CHECK(run({}) == 2);
    input = "";
    CHECK(run({}) == 0);
    CHECK(run({"-f", directory / "missing"}) == 2);
    CHECK(run({"-f", script, "status"}) == 2);
}

TEST_CASE_METHOD(Fixture, "watch repeats what only looks") {
    backend.on_admin = [](const std::string&, const json&) -> Result<json> { return json{{"node", "a"}}; };
    const auto running = start();
    CHECK(run({"watch", "-n", "0.1", "--count", "3", "status", "site-b", "-o", "ndjson"}) == 0);
    CHECK(out == "{\"node\":\"a\"}\n{\"node\":\"a\"}\n{\"node\":\"a\"}\n");
    CHECK(backend.admin_calls.size() == 3);
    CHECK(backend.admin_calls.back().second == json{{"node", "site-b"}});
    for (const char* command : {"watch", "watch drain", "watch rm k", "watch nope", "watch watch status"}) {
        CAPTURE(command);
        CHECK(run({"-c", command}) == 2);
    }
}

TEST_CASE_METHOD(Fixture, "a transaction is submitted once by its id") {
    const auto running = start();
    CHECK(run({"-c", "tx submit 'pay 5 to Ann' --id pay-1"}) == 0);
    CHECK(has(out, "pay-1 is committed as 12 B"));
    CHECK(run({"tx", "submit"}) == 2);
    CHECK(run({"tx", "submit", "--file", file("payload", "x"), "--id", "pay-2", "-o", "json"}) == 0);
    CHECK(json::parse(out)["id"] == "pay-2");
}

TEST_CASE_METHOD(Fixture, "an interrupt in the middle of a download leaves no file") {
    const std::string content = pattern(6 * kBlockBytes);
    Gate gate;
    std::atomic<int> reads = 0;
    backend.before_read_block = [&](const BlockRef&) -> Result<void> {
        if (++reads > 4) gate.pass();
        return {};
    };
    const auto running = start();
    CHECK(run({"put", file("in", content), "k"}) == 0);
    const std::string where = node();
    const std::string target = directory / "out";
    std::vector<std::string> words = {DWCP_SHELL_PROGRAM, "--node", where, "get", "k", target};
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    REQUIRE(posix_spawn(&child, DWCP_SHELL_PROGRAM, nullptr, nullptr, arguments.data(), environ) == 0);
    gate.wait_for_arrivals(1);
    // Its first blocks are there or on their way: its file exists as soon as the head came.
    while (files().size() < 3)
        std::this_thread::yield();
    kill(child, SIGINT);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + SIGINT);
    CHECK(files() == std::vector<std::string>{"in", "token"});
    gate.open();
}

TEST_CASE_METHOD(Fixture, "the help says what each verb is for, and no bounds in a parser's tongue") {
    CHECK(run_bare({"help"}, {}) == 0);
    const std::string help = out;
    std::istringstream lines(help.substr(0, help.find("\nOptions:")));
    std::size_t verbs = 0;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("  ")) continue;
        CAPTURE(line);
        CHECK(line.ends_with('.'));
        ++verbs;
    }
    CHECK(verbs > 30);
    for (const char* verb : {"events", "ls", "put", "watch", "actor", "exit", "help"}) {
        CAPTURE(verb);
        CHECK(run_bare({"help", verb}, {}) == 0);
        CHECK_FALSE(has(out, " in ["));
    }
}

TEST_CASE_METHOD(Fixture, "a misspelt verb is told what it resembles") {
    CHECK(run_bare({"staus"}, {}) == 2);
    CHECK(has(err, "there is no command 'staus'; did you mean 'status'?"));
    CHECK(run_bare({"atcor", "show", "manager/0"}, {}) == 2);
    CHECK(has(err, "did you mean 'actor'?"));
    for (const std::string& word : {std::string("elephants"), std::string(5000, 'x')}) {
        CHECK(run_bare({word}, {}) == 2);
        CHECK_FALSE(has(err, "did you mean"));
    }
}

TEST_CASE("the audit log is a line a deed, with a head that verify takes") {
    const json answer = json::parse(R"({"head": {"n": 4, "hash": "abcd"}, "node": "site-a", "size_bytes": 9,
        "records": [
        {"n": 1, "kind": "begin", "time_ms": 1700000000000, "verb": "drain", "args": {"node": "site-b"},
         "by": {"name": "local", "how": "token"}, "claims": "ann@host", "reason": "new disk",
         "dry_run": false},
        {"n": 2, "kind": "end", "of": 1, "time_ms": 1700000000100,
         "result": {"outcome": "done", "answer": {"outcome": "drains"}}},
        {"n": 3, "kind": "begin", "time_ms": 1700000000200, "verb": "undrain", "args": {},
         "by": {"name": "ben", "how": "certificate"}, "reason": "", "dry_run": true},
        {"n": 4, "kind": "refused", "time_ms": 1700000000300, "verb": "drain", "args": {},
         "by": {"name": "eve", "how": "certificate"}, "result": {"message": "needs operator"}}]})");
    std::ostringstream text;
    shell::print_audit(text, answer, {1'700'000'060'000, false});
    CHECK(has(text.str(), "local (token), says ann@host"));
    CHECK(has(text.str(), "done: drains"));
    CHECK(has(text.str(), "(dry run)"));
    CHECK(has(text.str(), "no end on this page"));
    CHECK(has(text.str(), "refused: needs operator"));
    CHECK(has(text.str(), "head 4-abcd\n"));
    CHECK_FALSE(has(text.str(), "end of 1"));
    CHECK(shell::shown_value("head", answer["head"], 0) == "4-abcd");
}

TEST_CASE("why a lane commits nothing stands below the table of lanes, whole") {
    const json status = json::parse(R"({"node": "site-a", "lanes": [
        {"lane": "bulk", "available": true, "members": ["site-a"], "members_up": 1, "note": "is fine"},
        {"lane": "metadata", "available": false, "members": ["site-a"], "members_up": 1,
         "note": "stopped sequencing: its store was lost"}]})");
    std::ostringstream text;
    shell::print_status(text, status, {});
    CHECK(has(text.str(), "\n\nmetadata  stopped sequencing: its store was lost\n"));
    CHECK_FALSE(has(text.str(), "is fine"));
}

TEST_CASE("the list of backups says which of them are a set, and their sizes as people read them") {
    const json answer = json::parse(R"({"backups": [{"id": "20261124-102910-site-a", "node": "site-a",
        "set": "20261124-102910-cluster", "files": 11, "bytes": 41185}]})");
    std::ostringstream text;
    shell::print_answer(text, answer, shell::presentation_of("backup.list").columns, {});
    CHECK(has(text.str(), "20261124-102910-cluster"));
    CHECK(has(text.str(), "40.2 KiB"));
}

TEST_CASE("of two tables in an answer each says what it is") {
    const json answer = json::parse(R"({"applied": [{"key": "log.level", "was": "info", "value": "debug"}],
        "needs_restart": [{"key": "log.format", "was": "console", "value": "json"}]})");
    const std::string columns = shell::presentation_of("config.reload").columns;
    std::ostringstream text;
    shell::print_answer(text, answer, columns, {});
    CHECK(text.str().starts_with("applied:\nKEY"));
    CHECK(has(text.str(), "\n\nneeds restart:\nKEY"));
    std::ostringstream one;
    shell::print_answer(one, {{"applied", answer["applied"]}, {"needs_restart", json::array()}}, columns, {});
    CHECK(has(one.str(), "\n\nKEY"));
}
