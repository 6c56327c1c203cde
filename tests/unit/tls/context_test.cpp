#include "tests/unit/tls/tls_rig.hpp"

#include <atomic>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

using namespace dwcp;
using namespace dwcp::testing;
using tls::Clients;
using tls::Context;
namespace fs = std::filesystem;

namespace {

std::string content_of(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

void check_refused(const tls::Files& files, const std::string& message, const std::string& remedy) {
    const auto loaded = Context::load(files, "demo");
    REQUIRE_FALSE(loaded.has_value());
    INFO(loaded.error().render());
    CHECK(loaded.error().message.find(message) != std::string::npos);
    CHECK(loaded.error().remedy.find(remedy) != std::string::npos);
}

struct Rig {
    Directory directory;
    TestAuthority authority{"demo"};
    tls::Files files = authority.node(directory / "a", "site-a");
};

/// The serial that a client sees on a new connection.
std::string serial_shown(Context& server, Context& client) {
    const Pair pair;
    const auto accepting = server.accept(pair.fds[0], Clients::optional);
    const auto connecting = client.connect(pair.fds[1], "");
    const Ends ends = meet(*accepting, *connecting, pair);
    REQUIRE_FALSE(ends.connecting);
    return connecting->peer()->serial;
}

} // namespace

TEST_CASE("good files load and say whose they are", "[tls]") {
    Rig rig;
    const auto context = load(rig.files);
    CHECK(context->own().subject.uri() == "dwcp://demo/node/site-a");
    CHECK(context->own().until_ms > context->own().from_ms);
    CHECK(context->ca_until_ms() > context->own().until_ms);
}

TEST_CASE("a file that is missing is named", "[tls]") {
    for (auto member : {&tls::Files::certificate, &tls::Files::key, &tls::Files::ca}) {
        Rig rig;
        fs::remove(rig.files.*member);
        check_refused(rig.files, rig.files.*member + ": does not exist", "ops/certs");
    }
}

TEST_CASE("a key that others can read is refused with the command that mends it", "[tls]") {
    Rig rig;
    fs::permissions(rig.files.key, fs::perms::group_read, fs::perm_options::add);
    check_refused(rig.files, rig.files.key + ": mode 0640", "chmod 600 " + rig.files.key);
}

TEST_CASE("a certificate that others can change is refused", "[tls]") {
    Rig rig;
    fs::permissions(rig.files.ca, fs::perms::others_write, fs::perm_options::add);
    check_refused(rig.files, "ca.pem: mode 0646 lets other users change it", "chmod");
}

TEST_CASE("what is no PEM is said so, file by file", "[tls]") {
    Rig rig;
    write_file(rig.files.key, "garbage\n", true);
    check_refused(rig.files, "site-a.key: no private key in PEM form", "ops/certs");
    rig.files = rig.authority.node(rig.directory / "a", "site-a");
    write_file(rig.files.certificate, "");
    check_refused(rig.files, "site-a.pem: no certificate in PEM form", "ops/certs");
    rig.files = rig.authority.node(rig.directory / "a", "site-a");
    write_file(rig.files.ca, rig.authority.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n");
    check_refused(rig.files, "ca.pem: certificate 2 in it cannot be read", "ops/certs");
}

TEST_CASE("an encrypted key is refused without asking on the terminal", "[tls]") {
    Rig rig;
    write_file(rig.files.key,
               "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
               "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
               "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAAAAAAAAAAAAAAAAAAAAAAEgZAA\n"
               "-----END ENCRYPTED PRIVATE KEY-----\n",
               true);
    const auto loaded = Context::load(rig.files, "demo");
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().message.find(rig.files.key) == 0);
}

TEST_CASE("a key of another certificate is refused", "[tls]") {
    Rig rig;
    const auto other = rig.authority.node(rig.directory / "b", "site-b");
    check_refused({rig.files.certificate, other.key, rig.files.ca},
                  "is not the key of " + rig.files.certificate, "together");
}

TEST_CASE("a certificate that another authority signed is refused", "[tls]") {
    Rig rig;
    const TestAuthority other("demo", "another authority");
    const auto wrong = other.node(rig.directory / "x", "site-a");
    check_refused({wrong.certificate, wrong.key, rig.files.ca},
                  "is signed by an authority that is not trusted here (CN = another authority)",
                  rig.files.ca + " is not");
    check_refused({rig.files.certificate, rig.files.key, rig.files.certificate},
                  "is no certificate authority", "ca.pem");
}

TEST_CASE("expired, early and foreign certificates are refused", "[tls]") {
    Rig rig;
    CertificateWish wish;
    wish.file = "x";
    wish.uris = {"dwcp://demo/node/site-a"};
    wish.until_s = -60;
    check_refused(rig.authority.issue(rig.directory / "x", wish), "x.pem: the certificate expired on 20",
                  "ops/certs renew");
    wish.until_s = 7'200;
    wish.from_s = 3'600;
    check_refused(rig.authority.issue(rig.directory / "x", wish), "is valid only from 20", "clocks");
    wish.from_s = -60;
    wish.uris = {"dwcp://other/node/site-a"};
    check_refused(rig.authority.issue(rig.directory / "x", wish), "is of cluster other, not demo",
                  "cluster demo");
    const TestAuthority old("demo", "old authority", -86'400, -60);
    check_refused(old.node(rig.directory / "o", "site-a"),
                  "is signed by CN = old authority, which expired on", "rollover");
}

TEST_CASE("while one authority replaces the other, certificates of both are good", "[tls]") {
    Rig rig;
    const auto both = rig.directory / "a" / "both.pem";
    const TestAuthority second("demo", "second authority");
    write_file(both, rig.authority.pem() + second.pem());
    const auto moved = second.node(rig.directory / "b", "site-b");
    const auto client = load({moved.certificate, moved.key, both.string()});
    const auto server = load({rig.files.certificate, rig.files.key, both.string()});
    CHECK(serial_shown(*server, *client) == server->own().serial);
}

TEST_CASE("a chain through an intermediate authority is shown whole", "[tls]") {
    Rig rig;
    const TestAuthority intermediate("demo", "intermediate", rig.authority);
    const auto files = intermediate.node(rig.directory / "b", "site-b");
    write_file(files.ca, rig.authority.pem()); // the root alone is trusted
    check_refused(files, "is signed by an authority that is not trusted here (CN = intermediate)", "tls.ca");
    write_file(files.certificate, content_of(files.certificate) + intermediate.pem());
    const auto server = load(files);
    const auto client = load(rig.authority.client(rig.directory / "c", "viewer", "ann"));
    CHECK(serial_shown(*server, *client) == server->own().serial);
}

TEST_CASE("new files are taken over, and connections that are open stay", "[tls]") {
    Rig rig;
    const auto server = load(rig.files);
    const auto client = load(rig.authority.client(rig.directory / "c", "viewer", "ann"));
    const std::string before = server->own().serial;
    CHECK(server->reload().value() == false);

    const Pair pair;
    const auto accepting = server->accept(pair.fds[0], Clients::optional);
    const auto connecting = client->connect(pair.fds[1], "");
    REQUIRE_FALSE(meet(*accepting, *connecting, pair).connecting);

    rig.authority.node(rig.directory / "a", "site-a");
    CHECK(serial_shown(*server, *client) == before);
    CHECK(server->reload().value() == true);
    CHECK(server->own().serial != before);
    CHECK(serial_shown(*server, *client) == server->own().serial);
    CHECK(server->reload().value() == false);

    Byte byte = 'y';
    REQUIRE(connecting->write({&byte, 1})->bytes == 1);
    CHECK(accepting->read({&byte, 1})->bytes == 1);
}

TEST_CASE("files that do not fit leave the old ones in use", "[tls]") {
    Rig rig;
    const auto server = load(rig.files);
    const auto client = load(rig.authority.client(rig.directory / "c", "viewer", "ann"));
    const std::string before = server->own().serial;
    const std::string old_key = content_of(rig.files.key);

    rig.authority.node(rig.directory / "a", "site-a");
    const std::string new_key = content_of(rig.files.key);
    write_file(rig.files.key, old_key, true); // as between the two renames of a rotation
    const auto refused = server->reload();
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message.find("is not the key of") != std::string::npos);
    CHECK(serial_shown(*server, *client) == before);

    write_file(rig.files.key, new_key, true);
    CHECK(server->reload().value() == true);

    const auto other = rig.authority.node(rig.directory / "b", "site-b");
    write_file(rig.files.certificate, content_of(other.certificate));
    write_file(rig.files.key, content_of(other.key), true);
    const auto renamed = server->reload();
    REQUIRE_FALSE(renamed.has_value());
    CHECK(renamed.error().message.find("is now of dwcp://demo/node/site-b") != std::string::npos);
}

TEST_CASE("connections are made while the files are exchanged", "[tls]") {
    Rig rig;
    const auto server = load(rig.files);
    const auto client = load(rig.authority.client(rig.directory / "c", "viewer", "ann"));
    std::atomic<bool> done = false;
    std::thread rotating([&] {
        for (int i = 0; i < 20; ++i) {
            rig.authority.node(rig.directory / "a", "site-a");
            (void)server->reload();
        }
        done = true;
    });
    std::set<std::string> serials;
    while (!done)
        serials.insert(serial_shown(*server, *client));
    rotating.join();
    serials.insert(serial_shown(*server, *client));
    CHECK(serials.contains(server->own().serial));
}
