// What bad input gets from real nodes, one row of a table a case; the table is printed at the end.
#include "runtime/store/store.hpp"
#include "tests/cluster/cluster_fixture.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace dwcp::testing;
using nlohmann::json;
namespace fs = std::filesystem;
namespace runner = dwcp::runner;

namespace {

/// Rows in the order of the cases; printed when the program ends.
class Table {
  public:
    ~Table() {
        std::cout << "\n| bad input | what it gets |\n|---|---|\n";
        for (const auto& [input, got] : rows_)
            std::cout << fmt::format("| {} | {} |\n", input, got);
    }
    void add(const std::string& input, std::string got) {
        std::ranges::replace(got, '\n', ' ');
        rows_.emplace_back(input, std::move(got));
    }

  private:
    std::vector<std::pair<std::string, std::string>> rows_;
};
Table table;

/// A connection that sends whatever it likes.
class Raw {
  public:
    explicit Raw(std::uint16_t port, int receive_bytes = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_bytes > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    ~Raw() { ::close(fd_); }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;

    void send(std::string_view bytes) { (void)::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    void end_sending() { ::shutdown(fd_, SHUT_WR); }
    /// Everything until the other end closes; nullopt if it does not within the limit.
    std::optional<std::string> read_to_end(std::chrono::milliseconds limit) {
        std::string all;
        const auto end = std::chrono::steady_clock::now() + limit;
        for (;;) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
            pollfd watched{fd_, POLLIN, 0};
            if (left.count() <= 0 || ::poll(&watched, 1, static_cast<int>(left.count())) == 0)
                return std::nullopt;
            std::array<char, 65536> buffer;
            const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (got <= 0) return all;
            all.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }
    /// Whether the other end has ended the connection within the limit, whatever is still to be read.
    bool wait_cut(std::chrono::milliseconds limit) {
        pollfd watched{fd_, POLLRDHUP, 0};
        return ::poll(&watched, 1, static_cast<int>(limit.count())) == 1 &&
               (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    }

  private:
    int fd_;
};

/// "400 invalid_argument: MESSAGE" from a raw answer.
std::string verdict(const std::string& answer) {
    const auto head_end = answer.find("\r\n\r\n");
    const std::string status = answer.size() > 12 ? answer.substr(9, 3) : "nothing";
    if (head_end == std::string::npos) return status;
    const json body = json::parse(answer.substr(head_end + 4), nullptr, false);
    if (!body.is_object() || !body.contains("error")) return status;
    return fmt::format("{} {}: {}", status, body["error"].value("code", ""),
                       body["error"].value("message", ""));
}

double metric(NodeClient& client, const std::string& name) {
    const std::string text = client.get("/metrics").body;
    double sum = 0;
    for (std::size_t at = 0; (at = text.find("\n" + name, at)) != std::string::npos; ++at) {
        const char next = text[at + 1 + name.size()];
        if (next != ' ' && next != '{') continue;
        const std::size_t end = text.find('\n', at + 1);
        sum += std::strtod(text.c_str() + text.rfind(' ', end), nullptr);
    }
    return sum;
}

std::uint64_t resident(runner::Node& node) { return node.process().resident_bytes(); }

struct Start {
    int exit_code = -1;
    std::string text;
};
/// Starts a node that is expected to refuse, and waits for its end.
Start start_and_fail(runner::Node& node) {
    REQUIRE(node.start());
    REQUIRE(node.process().wait(20s));
    return {node.process().exit_code().value_or(-1), runner::last_lines(node.log_file(), 2)};
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

constexpr auto kSoon = 15s;

} // namespace

TEST_CASE("strangers at the data and control ports get nothing, and cost nothing") {
    auto cluster = TestCluster::running();
    auto& node = (*cluster)[0];
    auto client = cluster->client(0);
    REQUIRE(client.put(object_path("k"), noise(1, 100'000)).ok());
    struct Case {
        const char* input;
        std::string bytes;
        bool end; ///< Nothing follows.
    };
    std::string gigabyte(40, '\0');
    gigabyte[0] = 'D';
    for (int i = 4; i < 24; ++i)
        gigabyte[static_cast<std::size_t>(i)] = '\x40';
    const Case cases[] = {{"a frame that announces a gigabyte or more", gigabyte, false},
                          {"a frame that is cut short", "DWCP", true},
                          {"random bytes", noise(7, 3'000), false},
                          {"an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
                          {"silence", "", false}};
    const auto before = resident(node);
    for (const auto& [port, name] :
         {std::pair(node.config().data.port, "data"), {node.config().control.port, "control"}}) {
        for (const Case& one : cases) {
            Raw stranger(port);
            stranger.send(one.bytes);
            if (one.end) stranger.end_sending();
            INFO(name << ": " << one.input);
            const bool closed = stranger.read_to_end(kSoon).has_value();
            CHECK(closed);
            table.add(fmt::format("{} at the {} port", one.input, name),
                      "closed, counted; nothing is allocated");
        }
    }
    CHECK(resident(node) < before + (64U << 20));
    CHECK(metric(client, "dwcp_data_refused_total") + metric(client, "dwcp_data_bad_frames_total") > 0);
    CHECK(node.sees_all_peers());
    CHECK(body_of(client, "k") == noise(1, 100'000));
}

TEST_CASE("malformed HTTP is answered with what is wrong") {
    auto cluster = TestCluster::running(1);
    const auto port = (*cluster)[0].config().http.port;
    const std::string put = "PUT /v1/objects/k HTTP/1.1\r\nHost: localhost\r\n";
    const std::string post = "POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n";
    struct Case {
        const char* input;
        std::string bytes;
        const char* status;
    };
    const Case cases[] = {
        {"random bytes at the HTTP port", noise(3, 500) + "\r\n\r\n", "400"},
        {"a head without end", "GET / HTTP/1.1\r\nX: " + std::string(70'000, 'a'), "431"},
        {"a PUT without a length", put + "\r\n", "411"},
        {"a PUT that is cut in the middle", put + "Content-Length: 1000\r\n\r\nonly this", "400"},
        {"a chunk of negative size", put + "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", "400"},
        {"chunks that break off", put + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "400"},
        {"two lengths", put + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"},
        {"a length and chunks",
         put + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "400"},
        {"an object larger than the limit", put + "Content-Length: 99999999999999\r\n\r\n", "413"},
        {"a transaction larger than the limit", post + "Content-Length: 99999999\r\n\r\n", "413"},
        {"a key with '..'", "GET /v1/objects/a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
        {"a foreign Host (DNS rebinding)", "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"},
        {"a wrong token",
         "POST /v1/actors/kill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nContent-Length: "
         "2\r\n\r\n{}",
         "401"},
        {"an unknown path", "GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
        {"a method that the path does not take", "PATCH /v1/objects/k HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "405"},
        {"an unknown query parameter", "GET /v1/events?limt=3 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
    };
    for (const Case& one : cases) {
        Raw client(port);
        client.send(one.bytes);
        client.end_sending();
        const auto answer = client.read_to_end(kSoon);
        INFO(one.input);
        REQUIRE(answer.has_value());
        INFO(*answer);
        CHECK(answer->substr(9, 3) == one.status);
        CHECK(mentions(*answer, "\"message\""));
        table.add(one.input, verdict(*answer));
    }
    auto client = cluster->client(0);
    CHECK(client.get(object_path("k")).status == 404);
    CHECK(client.put(object_path("k"), "still serves").ok());
}

TEST_CASE("clients that stop reading or sending hold nobody up and are cut") {
    auto cluster = TestCluster::running(1);
    auto& node = (*cluster)[0];
    auto client = cluster->client(0);
    REQUIRE(client.put(object_path("large"), noise(5, 24U << 20)).ok());
    const auto before = resident(node);
    constexpr int kClients = 60; // twice the worker threads
    std::vector<std::unique_ptr<Raw>> readers;
    std::vector<std::unique_ptr<Raw>> senders;
    for (int i = 0; i < kClients; ++i) {
        readers.push_back(std::make_unique<Raw>(node.config().http.port, 4096));
        readers.back()->send("GET /v1/objects/large HTTP/1.1\r\nHost: localhost\r\n\r\n");
        senders.push_back(std::make_unique<Raw>(node.config().http.port));
        senders.back()->send(fmt::format(
            "PUT /v1/objects/slow-{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx", i));
    }
    // Served meanwhile.
    for (int i = 0; i < 20; ++i)
        REQUIRE(client.put(object_path(fmt::format("quick-{}", i)), "quick").ok());
    CHECK(client.get("/health").ok());
    const auto held = resident(node) - std::min(resident(node), before);
    CHECK(held < 300U << 20);
    // A reader that reads nothing does not see its end either: the node counts.
    CHECK(senders.front()->wait_cut(45s));
    CHECK(eventually(45s, [&] { return metric(client, "dwcp_http_connections") < kClients / 4; }));
    table.add("60 clients that stop reading and 60 that stop sending",
              fmt::format("others are served, {} MiB are held for them, cut when they are slower than "
                          "http.min_rate_bytes_per_s",
                          held >> 20));
}

TEST_CASE("a full disk refuses what is new with what to do, and serves what is there") {
    TempDirectory place;
    const fs::path disk = place.path() / "disk";
    fs::create_directories(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=420m,mode=0700") != 0) {
        WARN("SKIPPED: needs the right to mount a tmpfs (root)");
        return;
    }
    struct Unmount {
        fs::path path;
        ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    } unmount{disk};
    TestCluster cluster(1, [&](auto& configs) { configs[0].data_dir = (disk / "data").string(); });
    const auto started = cluster.all().start_all(kStartLimit);
    if (!started) FAIL(started.error().render());
    auto client = cluster.client(0);
    REQUIRE(client.put(object_path("kept"), noise(1, 200'000)).ok());
    {
        std::ofstream ballast(disk / "ballast");
        const std::string piece(1U << 20, 'x');
        while (ballast << piece << std::flush) {
        }
    }
    const Answer refused = client.put(object_path("new"), noise(2, 200'000));
    INFO(refused.describe());
    CHECK((refused.status == 429 || refused.status == 503 || refused.status == 507));
    CHECK(refused.error_code() == "resource_exhausted");
    table.add("a full disk",
              "a put gets " + refused.describe() + "; gets go on; works again when there is room");
    CHECK(body_of(client, "kept") == noise(1, 200'000));
    CHECK(mentions(client.get("/v1/status").json["alerts"].dump(), "disk_reserve_reached"));
    fs::remove(disk / "ballast");
    CHECK(eventually(20s, [&] { return client.put(object_path("new"), noise(2, 200'000)).ok(); }));
    CHECK(body_of(client, "new") == noise(2, 200'000));
}

TEST_CASE("a clock that jumps loses nothing and stops nothing") {
    TempDirectory place;
    const std::string offset_file = (place.path() / "offset").string();
    std::ofstream(offset_file, std::ios::binary) << std::string(sizeof(std::int64_t), '\0');
    const int fd = ::open(offset_file.c_str(), O_RDWR | O_CLOEXEC);
    auto* offset_s = static_cast<volatile std::int64_t*>(
        ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ::close(fd);
    REQUIRE(offset_s != MAP_FAILED);
    ::setenv("DWCP_CLOCK_SHIM", offset_file.c_str(), 1);
    ::setenv("LD_PRELOAD", DWCP_CLOCK_SHIM, 1);
    auto cluster = TestCluster::running();
    ::unsetenv("LD_PRELOAD");
    auto a = cluster->client(0), c = cluster->client(2);
    const auto newest = [&] {
        return a.get("/v1/events?limit=1").json["events"][0]["time_ms"].get<std::int64_t>();
    };
    REQUIRE(a.put(object_path("before"), "1").ok());
    const auto then = newest();
    for (const std::int64_t jump_s : {-7'200, 86'400, -3'600}) {
        *offset_s = jump_s;
        const std::string key = fmt::format("at{}", jump_s);
        const Answer put = a.put(object_path(key), key);
        INFO(put.describe());
        CHECK(put.ok());
        CHECK(eventually(5s, [&] { return c.get(object_path(key)).body == key; }));
        CHECK(a.post_raw("/v1/transactions", "pay", "text/plain", {{"X-DWCP-Transaction-Id", key}}).ok());
        CHECK((*cluster)[0].sees_all_peers());
        CHECK(a.get("/health").ok());
    }
    // The shim was really in the node's way.
    CHECK(a.kill_actor("allocator/0").ok());
    CHECK(eventually(5s, [&] { return has_event(a, "actor_restarted", "allocator/0"); }));
    CHECK(newest() < then);
    table.add(
        "a clock that jumps 2 hours back, a day on, an hour back",
        "puts, gets and transactions go on; order comes from the lanes, deadlines from the monotonic clock");
    ::munmap(const_cast<std::int64_t*>(offset_s), sizeof(std::int64_t));
}

TEST_CASE("a node does not start on files that it must not use, and says which and why") {
    auto cluster = TestCluster::running(1);
    auto& node = (*cluster)[0];
    REQUIRE(node.client().put(object_path("k"), "content").ok());
    node.process().stop(20s);
    const std::string data = node.config().data_dir;
    const auto refused = [&](const std::string& input, std::string_view why) {
        const Start start = start_and_fail(node);
        INFO(input << ": " << start.text);
        CHECK(start.exit_code == 1);
        CHECK(mentions(start.text, why));
        table.add(input, "does not start: " + start.text);
    };
    const auto mode = [](const std::string& path, unsigned bits) {
        fs::permissions(path, static_cast<fs::perms>(bits));
    };
    mode(data + "/node.key", 0644);
    refused("a node.key that others can read", "chmod 600");
    mode(data + "/node.key", 0600);

    fs::rename(data + "/node.key", data + "/aside");
    refused("a missing node.key", "restore it from a backup");
    std::ofstream(data + "/node.key") << "not a key\n";
    mode(data + "/node.key", 0600);
    refused("a damaged node.key", "node.key");
    fs::rename(data + "/aside", data + "/node.key");

    fs::rename(data + "/store/CURRENT", data + "/aside");
    refused("a store without its CURRENT", "CURRENT");
    fs::rename(data + "/aside", data + "/store/CURRENT");

    {
        std::vector<std::string> names;
        REQUIRE(rocksdb::DB::ListColumnFamilies({}, data + "/store", &names).ok());
        std::vector<rocksdb::ColumnFamilyDescriptor> families;
        for (const auto& name : names) {
            families.emplace_back(name, rocksdb::ColumnFamilyOptions());
            if (name == "blocks") families.back().options.enable_blob_files = true;
        }
        std::vector<rocksdb::ColumnFamilyHandle*> handles;
        rocksdb::DB* opened = nullptr;
        REQUIRE(rocksdb::DB::Open({}, data + "/store", families, &handles, &opened).ok());
        const std::unique_ptr<rocksdb::DB> db(opened);
        REQUIRE(db->Put({}, "format_version", std::to_string(dwcp::store::kFormatVersion + 1)).ok());
        for (auto* handle : handles)
            db->DestroyColumnFamilyHandle(handle);
    }
    refused("a store of a newer version", "start the newer dwcp-node that wrote it");
}
