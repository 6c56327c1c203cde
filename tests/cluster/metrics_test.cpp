// What live nodes say to Prometheus: well formed, and everything that rules and dashboards name.
#include "ops/runner/process.hpp"
#include "tests/cluster/cluster_fixture.hpp"
#include "tests/ops/rule_files.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdlib>
#include <fstream>
#include <httplib.h>
#include <iterator>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

using namespace dwcp::testing;
namespace fs = std::filesystem;
namespace ops_files = dwcp::ops_files;

namespace {

const fs::path kSource = DWCP_SOURCE_DIR;

/// What a stranger may do to a port: everything it sends is refused.
void send_garbage(std::uint16_t port, char first) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    const std::string garbage = first + std::string(4096, 'x');
    CHECK(send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0);
    std::array<char, 256> answer{};
    while (recv(fd, answer.data(), answer.size(), 0) > 0) { // until it hangs up
    }
    close(fd);
}

std::string scrape(NodeClient& client) {
    const auto answer = client.get("/metrics");
    REQUIRE(answer.ok());
    return answer.body;
}

/// Three nodes that have done a little of everything.
std::unique_ptr<TestCluster> exercised() {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    REQUIRE(a.put(object_path("one"), noise(1, 300'000)).ok());
    REQUIRE(a.put(object_path("text"), std::string(300'000, 't')).ok());
    CHECK(body_of(a, "text").size() == 300'000);
    CHECK(a.get(object_path("absent")).status == 404);
    CHECK(a.remove(object_path("one")).ok());
    CHECK(a.kill_actor("compression/0").ok());
    send_garbage((*cluster)[0].config().data.port, 'x');
    return cluster;
}

/// Runs a program to its end; its output is in the message if that is not 0.
void run(const fs::path& program, const std::vector<std::string>& arguments, const fs::path& output) {
    auto process =
        dwcp::runner::Process::start({.program = program, .arguments = arguments, .output = output});
    REQUIRE(process);
    REQUIRE(process->wait(60s));
    INFO(dwcp::runner::last_lines(output, 50));
    REQUIRE(process->exit_code() == 0);
}

/// The metrics of a node that speaks TLS, as Prometheus gets them: with the certificate of a viewer.
std::string scrape_with_tls(const fs::path& directory) {
    const fs::path certs = directory / "certs";
    const auto make = [&](std::vector<std::string> words) {
        words.insert(words.end(), {"--dir", certs.string()});
        run(kSource / "ops/certs", words, directory / "certs.log");
    };
    make({"ca", "--cluster", "test"});
    make({"node", "site-a", "--host", "127.0.0.1"});
    make({"client", "prometheus", "--role", "viewer"});
    TestCluster cluster(1, [&](auto& configs) {
        configs[0].cluster_id = "test";
        configs[0].tls_certificate = certs / "site-a.pem";
        configs[0].tls_key = certs / "site-a.key";
        configs[0].tls_ca = certs / "ca.pem";
    });
    REQUIRE(cluster[0].start());
    httplib::SSLClient client("127.0.0.1", cluster[0].config().http.port, certs / "prometheus.pem",
                              certs / "prometheus.key");
    client.set_ca_cert_path((certs / "ca.pem").c_str());
    std::string body;
    const bool scraped = eventually(kStartLimit, [&] {
        const auto answer = client.Get("/metrics");
        if (answer && answer->status == 200) body = answer->body;
        if (!body.empty() && body.find("handshake_failures_total{") == std::string::npos)
            send_garbage(cluster[0].config().http.port, '\x16'); // as a TLS handshake begins
        return body.find("handshake_failures_total{") != std::string::npos;
    });
    INFO(dwcp::runner::last_lines(cluster[0].log_file(), 20));
    REQUIRE(scraped);
    return body;
}

} // namespace

TEST_CASE("every metric that a rule or a dashboard names is emitted by a live node") {
    std::set<std::string> named;
    for (const char* folder : {"ops/prometheus", "ops/dashboards"}) {
        if (!fs::exists(kSource / folder)) continue;
        for (const auto& file : fs::directory_iterator(kSource / folder)) {
            if (file.is_regular_file())
                named.merge(ops_files::metrics_named_in(ops_files::content_of(file.path())));
        }
    }
    REQUIRE(named.size() > 20); // the files were read

    TempDirectory directory;
    auto emitted = ops_files::metrics_exposed_in(scrape_with_tls(directory.path()));
    auto cluster = exercised();
    std::vector<std::string> missing;
    CHECK(eventually(20s, [&] { // the watch over health looks every few seconds
        missing.clear();
        for (std::size_t i = 0; i < 3; ++i) {
            auto client = cluster->client(i);
            emitted.merge(ops_files::metrics_exposed_in(scrape(client)));
        }
        std::ranges::set_difference(named, emitted, std::back_inserter(missing));
        return missing.empty();
    }));
    for (const auto& name : missing)
        FAIL_CHECK(name << " is named under ops/, and no node emits it");
}

TEST_CASE("promtool finds nothing to complain about in a live scrape") {
    if (std::system("command -v promtool >/dev/null") != 0) {
        WARN("SKIPPED: promtool is missing; apt-get install prometheus");
        return;
    }
    auto cluster = exercised();
    auto client = cluster->client(0);
    const auto check = [&](const std::string& exposition) {
        const fs::path file = cluster->directory() / "scrape";
        std::ofstream(file) << exposition;
        const auto command = "promtool check metrics <" + file.string() + " >" + file.string() + ".said 2>&1";
        return std::system(command.c_str());
    };
    const auto status = check(scrape(client));
    INFO(ops_files::content_of(cluster->directory() / "scrape.said"));
    CHECK(status == 0);
    CHECK(check("# TYPE bad_total gauge\nbad_total 1\n") != 0); // it would have told
}

TEST_CASE("a node's figures follow what happens to it") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    const auto figure = [&](const std::string& series) {
        const auto text = scrape(a);
        const auto at = text.find("\n" + series + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
    };
    const std::string restarts = R"(dwcp_supervisor_restarts_total{actor="manager/0"})";
    CHECK(figure(restarts) == 0);
    REQUIRE(a.kill_actor("manager/0").ok());
    CHECK(eventually(20s, [&] { return figure(restarts) == 1; }));
    CHECK(eventually(20s, [&] { return figure(R"(dwcp_actor_up{actor="manager/0"})") == 1; }));
    CHECK(eventually(20s, [&] { return figure(R"(dwcp_lane_members_up{lane="metadata"})") == 3; }));
    REQUIRE(a.put(object_path("x"), "content").ok());
    CHECK(figure("dwcp_manager_workloads_committed_total") == 1);
    CHECK(figure(R"(dwcp_manager_workloads{state="sealed"})") == 0);
    CHECK(figure(R"(dwcp_lane_committed_index{lane="metadata"})") >= 1);

    (*cluster)[2].process().kill();
    CHECK(eventually(20s, [&] { return figure(R"(dwcp_control_peer_up{peer="site-c"})") == 0; }));
    CHECK(eventually(20s, [&] { return figure(R"(dwcp_data_peer_up{peer="site-c"})") == 0; }));
    CHECK(eventually(20s, [&] { return figure(R"(dwcp_lane_members_up{lane="metadata"})") == 2; }));
    CHECK(figure(R"(dwcp_lane_available{lane="metadata"})") == 1);
    CHECK(figure(R"(dwcp_health_status{status="degraded"})") == 1);
}
