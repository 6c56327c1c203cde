// ops/certs, run as a person runs it, and judged by openssl and by what a node loads certificates with.
#include "runtime/tls/context.hpp"
#include "tests/unit/tls/tls_rig.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace dwcp;
using namespace dwcp::testing;
using tls::Clients;

namespace {

struct Outcome {
    int code = -1;
    std::string text; ///< Standard output and error.
};

struct Workshop {
    Directory directory;
    const std::string certs = (directory / "certs").string();

    Outcome shell(const std::string& command) const {
        std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
        REQUIRE(pipe != nullptr);
        Outcome outcome;
        char buffer[4096];
        while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
            outcome.text.append(buffer, got);
        outcome.code = WEXITSTATUS(::pclose(pipe));
        return outcome;
    }
    Outcome run(const std::string& arguments) const {
        return shell(DWCP_SOURCE_DIR "/ops/certs " + arguments + " --dir " + certs);
    }
    void must(const std::string& arguments) const {
        const Outcome outcome = run(arguments);
        if (outcome.code != 0) FAIL(outcome.text);
    }
    std::string path(const std::string& name) const { return certs + "/" + name; }
    tls::Files files(const std::string& name) const {
        return {path(name + ".pem"), path(name + ".key"), path("ca.pem")};
    }
    bool verifies(const std::string& name) const {
        return shell("openssl verify -x509_strict -CAfile " + path("ca.pem") + " " + path(name + ".pem"))
                   .code == 0;
    }
    std::string content(const std::string& name) const {
        std::ostringstream out;
        out << std::ifstream(path(name)).rdbuf();
        return out.str();
    }
    mode_t mode(const std::string& name) const {
        struct stat info {};
        REQUIRE(::stat(path(name).c_str(), &info) == 0);
        return info.st_mode & 0777;
    }
};

void check_refused(const Outcome& outcome, int code, const std::string& text) {
    INFO(outcome.text);
    CHECK(outcome.code == code);
    CHECK(outcome.text.find(text) != std::string::npos);
    CHECK(outcome.text.find("what to do: ") != std::string::npos);
}

bool meets(const tls::Files& node, const tls::Files& client) {
    const auto a = load(node, "");
    const auto b = load(client, "");
    const Pair pair;
    const auto accepting = a->accept(pair.fds[0], Clients::optional);
    const auto connecting = b->connect(pair.fds[1], a->own().subject.name);
    const Ends ends = meet(*accepting, *connecting, pair);
    if (ends.accepting) UNSCOPED_INFO(ends.accepting->render());
    if (ends.connecting) UNSCOPED_INFO(ends.connecting->render());
    return !ends.accepting && !ends.connecting && accepting->peer().has_value();
}

} // namespace

TEST_CASE("ops/certs makes what nodes and clients need", "[certs]") {
    const Workshop workshop;
    workshop.must("ca --cluster demo");
    workshop.must("node site-a --host site-a.example.org,10.0.0.1");
    workshop.must("client ann --role operator");
    CHECK(workshop.verifies("site-a"));
    CHECK(workshop.verifies("ann"));
    CHECK(load(workshop.files("site-a"))->own().subject.uri() == "dwcp://demo/node/site-a");
    CHECK(load(workshop.files("ann"))->own().subject.uri() == "dwcp://demo/operator/ann");
    CHECK(meets(workshop.files("site-a"), workshop.files("ann")));
    for (const char* key : {"ca.key", "site-a.key", "ann.key"})
        CHECK(workshop.mode(key) == 0600);
    for (const char* host : {"site-a.example.org", "localhost"})
        CHECK(workshop
                  .shell("openssl x509 -noout -checkhost " + std::string(host) + " -in " +
                         workshop.path("site-a.pem"))
                  .text.find("does match") != std::string::npos);
    for (const char* address : {"10.0.0.1", "127.0.0.1", "::1"})
        CHECK(workshop
                  .shell("openssl x509 -noout -checkip " + std::string(address) + " -in " +
                         workshop.path("site-a.pem"))
                  .text.find("does match") != std::string::npos);
    const Outcome list = workshop.run("show");
    for (const char* text :
         {"dwcp://demo/node/site-a", "dwcp://demo/operator/ann", "authority of cluster demo"})
        CHECK(list.text.find(text) != std::string::npos);
    CHECK(workshop.run("show site-a").text.find("DNS:site-a.example.org") != std::string::npos);
}

TEST_CASE("ops/certs never overwrites what is there unless it is forced", "[certs]") {
    const Workshop workshop;
    workshop.must("ca --cluster demo");
    workshop.must("node site-a --host a");
    const std::string authority = workshop.content("ca.pem");
    const std::string certificate = workshop.content("site-a.pem");
    check_refused(workshop.run("ca --cluster demo"), 1, "has an authority");
    check_refused(workshop.run("node site-a --host a"), 1, "is already there");
    check_refused(workshop.run("client site-a --role viewer"), 1, "is already there");
    CHECK(workshop.content("ca.pem") == authority);
    CHECK(workshop.content("site-a.pem") == certificate);
    workshop.must("node site-a --host a --force");
    CHECK(workshop.content("site-a.pem") != certificate);
}

TEST_CASE("a renewed certificate says the same and lives longer", "[certs]") {
    const Workshop workshop;
    workshop.must("ca --cluster demo");
    workshop.must("node site-a --host site-a.example.org --days 5");
    const auto before = load(workshop.files("site-a"));
    const std::string key = workshop.content("site-a.key");
    workshop.must("renew site-a --days 9");
    CHECK(workshop.content("site-a.key") == key);
    REQUIRE(before->reload().value());
    CHECK(workshop.verifies("site-a"));
    CHECK(workshop.run("show site-a").text.find("DNS:site-a.example.org") != std::string::npos);
    CHECK(workshop.run("show").text.find("expires soon") != std::string::npos);
    const UnixMillis until_ms = before->own().until_ms;
    workshop.must("renew site-a --new-key --days 40");
    CHECK(workshop.content("site-a.key") != key);
    CHECK(workshop.mode("site-a.key") == 0600);
    REQUIRE(before->reload().value());
    CHECK(before->own().until_ms > until_ms);
}

TEST_CASE("an authority is replaced in steps, and everyone meets everyone at each of them", "[certs]") {
    const Workshop workshop;
    workshop.must("ca --cluster demo");
    workshop.must("node site-a --host a");
    workshop.must("client ann --role viewer");
    workshop.must("ca --roll");
    CHECK(meets(workshop.files("site-a"), workshop.files("ann"))); // both old
    workshop.must("renew site-a");
    CHECK(meets(workshop.files("site-a"), workshop.files("ann"))); // one of each
    check_refused(workshop.run("ca --retire"), 1, "ann.pem is still signed by the old authority");
    workshop.must("renew ann");
    workshop.must("ca --retire");
    CHECK(meets(workshop.files("site-a"), workshop.files("ann")));
    CHECK(workshop.content("ca.pem").find("BEGIN CERTIFICATE") ==
          workshop.content("ca.pem").rfind("BEGIN CERTIFICATE"));
}

TEST_CASE("wrong usage of ops/certs is told with what to do", "[certs]") {
    const Workshop workshop;
    check_refused(workshop.run("node site-a --host a"), 1, "there is no authority");
    workshop.must("ca --cluster demo");
    check_refused(workshop.run("ca"), 2, "--cluster");
    check_refused(workshop.run("node site-a"), 2, "--host");
    check_refused(workshop.run("node Site_A --host a"), 2, "'Site_A' is no name");
    check_refused(workshop.run("node site-a --host 'a b'"), 2, "neither a host name nor an address");
    check_refused(workshop.run("node site-a --host a --days x"), 2, "--days");
    check_refused(workshop.run("client ann"), 2, "--role");
    check_refused(workshop.run("client ann --role root"), 2, "there is no role 'root'");
    check_refused(workshop.run("renew nobody"), 1, "there is no certificate");
    check_refused(workshop.run("frobnicate"), 2, "there is no verb");
    check_refused(workshop.run("show --verbose"), 2, "there is no option");
    std::filesystem::remove(workshop.path("ca.key"));
    check_refused(workshop.run("client ann --role viewer"), 1, "ca.key is not there");
    CHECK(workshop.run("--help").code == 0);
}
