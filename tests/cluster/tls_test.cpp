// Nodes on machines of their own: mutual TLS everywhere, strangers refused in words that both sides can read,
// certificates exchanged under traffic.
#include "tests/cluster/eavesdropper.hpp"
#include "tests/cluster/secure_cluster.hpp"

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <set>
#include <thread>

using namespace dwcp::testing;
using Catch::Contains;
using dwcp::tls::Files;

namespace {

/// Says why and ends the test case; ctest shows it as skipped, not as passed.
bool skipped() {
    const auto reason = Namespaces::why_not();
    if (!reason) return false;
    std::cout << "SKIPPED: nodes on separate network namespaces are not tested here: " << *reason
              << std::endl;
    WARN("SKIPPED: " << *reason);
    return true;
}

constexpr int kPorts[] = {SecureCluster::kControlPort, SecureCluster::kDataPort, SecureCluster::kHttpPort};

/// What a node records of connections that it refuses, by port.
const char* refusal_event(int port) {
    switch (port) {
    case SecureCluster::kControlPort:
        return "control_connection_refused";
    case SecureCluster::kDataPort:
        return "data_peer_refused";
    default:
        return "http_handshake_failed";
    }
}

/// Some bytes of each megabyte.
std::vector<std::string> samples_of(const std::string& object) {
    std::vector<std::string> samples;
    for (std::size_t at = 500'000; at + 24 < object.size(); at += 1U << 20)
        samples.push_back(object.substr(at, 24));
    return samples;
}

} // namespace

TEST_CASE("nodes off loopback ship objects and obey an operator, over TLS alone", "[tls]") {
    if (skipped()) return;
    SecureCluster cluster(3);
    const auto file = cluster.directory() / "object";
    const std::string object = noise(42, 8 << 20); // no codec makes something else of it
    std::ofstream(file) << object;
    auto needles = samples_of(object);
    needles.push_back("GET /v1/status");
    const Eavesdropper stranger(cluster.network(), needles);

    SecureCluster::Reply put;
    const bool stored = eventually(10s, [&] { // the lanes may still be finding each other
        put = cluster.curl(0, "writer", "/v1/objects/letter", "--upload-file " + file.string());
        return put.status == 201;
    });
    INFO(put.text);
    REQUIRE(stored);
    CHECK(put.json()["replicas"].size() == 2);
    for (std::size_t node : {1, 2}) { // one of them must fetch it from another
        CHECK(eventually(10s,
                         [&] { return cluster.curl(node, "viewer", "/v1/objects/letter").text == object; }));
    }
    cluster.plain_text(0, SecureCluster::kHttpPort);
    CHECK(eventually(10s, [&] { return stranger.heard("GET /v1/status"); })); // it does hear what is plain
    CHECK(stranger.bytes() > 3 * object.size());
    for (const auto& sample : samples_of(object))
        CHECK_FALSE(stranger.heard(sample));

    const Output status = cluster.shell(1, "operator", "status");
    INFO(status.text);
    CHECK(status.exit_code == 0);
    CHECK_THAT(status.text, Contains("site-b"));
    const Output killed = cluster.shell(1, "operator", "actor kill manager/0 --yes");
    INFO(killed.text);
    CHECK(killed.exit_code == 0);
    CHECK(eventually(10s, [&] { return cluster.has_event(1, "actor_restarted", "manager/0"); }));

    const auto tls = cluster.curl(0, "viewer", "/v1/status").json()["tls"];
    CHECK(tls["enabled"] == true);
    CHECK(tls["certificate"] == "dwcp://test/node/site-a");
}

TEST_CASE("a role that does not suffice is refused, and the client is told which one it has", "[tls]") {
    if (skipped()) return;
    SecureCluster cluster(1);
    const std::string kill = "-X POST -H 'Content-Type: application/json' -d '{\"path\": \"manager/0\"}'";
    const auto viewer = cluster.curl(0, "viewer", "/v1/actors/kill", kill);
    CHECK(viewer.status == 403);
    CHECK_THAT(viewer.text,
               Contains("needs the role operator; the certificate of viewer viewer gives viewer"));
    const Output shell = cluster.shell(0, "viewer", "actor kill manager/0 --yes");
    CHECK(shell.exit_code == 4);
    CHECK_THAT(shell.text, Contains("operator"));
    const auto nobody = cluster.curl(0, "", "/v1/status");
    CHECK(nobody.status == 401);
    CHECK_THAT(nobody.text, Contains("ops/certs client"));
    CHECK(cluster.curl(0, "", "/health").status == 200);
    const auto node = cluster.curl(0, "site-a", "/v1/status");
    CHECK(node.status == 403);
    CHECK_THAT(node.text, Contains("the certificate of node site-a gives none"));
    // Who was turned away is kept a little after the answer.
    CHECK(eventually(10s, [&] {
        return cluster.curl(0, "admin", "/v1/audit").text.find("\"viewer\"") != std::string::npos;
    }));
}

TEST_CASE("an unknown authority, a client's certificate and plain text are refused at every port", "[tls]") {
    if (skipped()) return;
    SecureCluster cluster(2);
    REQUIRE(cluster.certs("ca --cluster test", "foreign").exit_code == 0);
    REQUIRE(cluster.certs("node site-b --host 10.77.0.3", "foreign").exit_code == 0);
    // The stranger trusts the cluster, so that it is the cluster that refuses.
    Files stranger = cluster.files("site-b", "foreign");
    const auto both = cluster.directory() / "both.pem";
    run_command(fmt::format("cat {} {} > {}", stranger.ca, cluster.files("ca").ca, both.string()));
    stranger.ca = both.string();

    // A node tells only so much a second of strangers, so each of them knocks until it is told.
    const auto refused = [&](std::size_t machine, int port, const Files& files, const std::string& answer,
                             const std::string& told) {
        INFO("port " << port);
        CHECK(eventually(10s, [&] {
            CHECK_THAT(cluster.knock(machine, 0, port, files), Contains(answer));
            return cluster.has_event(0, refusal_event(port), told);
        }));
    };
    for (const int port : kPorts)
        refused(2, port, stranger,
                "refused this end's certificate: it does not trust the authority that signed it",
                "signed by an authority that is not trusted here");
    for (const int port : {SecureCluster::kControlPort, SecureCluster::kDataPort})
        refused(0, port, cluster.files("operator"),
                "refused this end's certificate: it is of another cluster, kind or node",
                "belongs to operator operator; only a node's");

    CHECK(eventually(10s, [&] {
        cluster.plain_text(0, SecureCluster::kControlPort); // only closed: it has no words for plain text
        CHECK_THAT(cluster.plain_text(0, SecureCluster::kDataPort), Contains("was called in plain text"));
        return cluster.has_event(0, "control_connection_refused", "does not speak TLS") &&
               cluster.has_event(0, "data_peer_refused", "plain text");
    }));
    CHECK_THAT(cluster.plain_text(0, SecureCluster::kHttpPort),
               Contains("this port speaks TLS, not plain HTTP"));
    CHECK_THAT(cluster.curl(0, "viewer", "/metrics").text,
               Contains("dwcp_http_refused_total{reason=\"handshake\"}"));
    CHECK(eventually(10s, [&] {
        cluster.plain_text(0, SecureCluster::kHttpPort);
        return cluster.has_event(0, "http_handshake_failed", "speaks TLS, not plain HTTP");
    }));
    // And the cluster is none the worse for it.
    CHECK(cluster.curl(0, "viewer", "/ready").status == 200);
    CHECK(cluster.curl(1, "viewer", "/v1/nodes").text.find("\"up\":false") == std::string::npos);
}

TEST_CASE("a node's certificate is exchanged under traffic without a failed request", "[tls]") {
    if (skipped()) return;
    SecureCluster cluster(2);
    const auto file = cluster.directory() / "object";
    std::ofstream(file) << noise(7, 300'000);
    REQUIRE(eventually(10s, [&] {
        return cluster.curl(0, "writer", "/v1/objects/k", "--upload-file " + file.string()).status == 201;
    }));

    std::atomic<bool> done = false;
    std::atomic<int> requests = 0;
    std::string failure; // read after the threads have ended
    std::mutex mutex;
    const auto traffic = [&](std::size_t node, const std::string& who, const std::string& options) {
        while (!done) {
            const auto reply = cluster.curl(node, who, "/v1/objects/k", options);
            ++requests;
            if (reply.status / 100 == 2) continue;
            const std::lock_guard lock(mutex);
            failure += fmt::format("{} of node {}: {} {}\n", options, node, reply.status, reply.text);
        }
    };
    // From site-b an object comes over the data link; a put goes over both links.
    std::thread reads(traffic, 0, "viewer", "--output /dev/null");
    std::thread far_reads(traffic, 1, "viewer", "--output /dev/null");
    std::thread writes(traffic, 0, "writer", "--upload-file " + file.string());
    const auto serial = [&] { // on a new connection
        const Output shown = cluster.network().run(
            0, fmt::format("sh -c 'openssl s_client -connect {}:{} </dev/null 2>/dev/null | "
                           "openssl x509 -noout -serial'",
                           SecureCluster::address(0), SecureCluster::kHttpPort));
        return shown.text;
    };
    const auto moves_on = [&] {
        const int seen = requests;
        return eventually(20s, [&] { return requests > seen + 20; });
    };
    CHECK(moves_on());
    std::set<std::string> serials{serial()};
    int rotations = 0;
    for (const char* how : {"", "--new-key", "--new-key"}) {
        REQUIRE(cluster.certs(std::string("renew site-a ") + how).exit_code == 0);
        if (rotations < 2) cluster.signal(0, SIGHUP); // the third time it must notice by itself
        CHECK(eventually(
            20s, [&] { return !serials.contains(serial()); }, 50ms));
        serials.insert(serial());
        ++rotations;
        CHECK(moves_on());
    }
    done = true;
    reads.join();
    far_reads.join();
    writes.join();
    CHECK(failure.empty());
    INFO(failure);
    CHECK(serials.size() == 4);
    const auto status = cluster.curl(0, "viewer", "/v1/status").json()["tls"];
    CHECK(serials.contains("serial=" + status["serial"].get<std::string>() + "\n"));
    CHECK(cluster.has_event(0, "tls_reloaded", status["serial"]));
    CHECK_FALSE(cluster.has_event(0, "tls_reload_failed", ""));
    CHECK_FALSE(cluster.has_event(0, "peer_down", "site-b"));
    std::cout << requests << " requests, none failed\n";
}
