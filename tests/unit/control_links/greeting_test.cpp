#include "runtime/links/control/greeting.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

using namespace dwcp;
using namespace dwcp::links;
using wire::control::Role;

namespace {

identity::Identity make_identity(const std::string& name) {
    return {name, "here", "test", 42,
            std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate())};
}

const Greeting::Settings kSettings{1, 500, 2000};

/// Trusts any key of a known name once.
struct Trust {
    std::filesystem::path directory;
    std::unique_ptr<identity::TrustStore> store;

    Trust() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-greeting-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        directory = pattern;
        store = identity::TrustStore::open(pattern, {{"site-a", ""}, {"site-b", ""}}).value();
    }
    ~Trust() { std::filesystem::remove_all(directory); }
};

struct Ends {
    identity::Identity id_a = make_identity("site-a");
    identity::Identity id_b = make_identity("site-b");
    Greeting::Settings settings_a = kSettings;
    Greeting::Settings settings_b = kSettings;
    std::string dialled = "site-b";

    /// What both ends say of the other's offer.
    std::pair<Result<void>, Result<void>> consider() const {
        Greeting a(id_a, settings_a, Role::dialler, dialled);
        Greeting b(id_b, settings_b, Role::acceptor, id_a.name);
        auto by_b = b.consider(a.own());
        auto by_a = a.consider(b.own());
        return {std::move(by_a), std::move(by_b)};
    }
};

} // namespace

TEST_CASE("two ends that match share a session") {
    Trust trust;
    Ends ends;
    Greeting a(ends.id_a, kSettings, Role::dialler, "site-b");
    Greeting b(ends.id_b, kSettings, Role::acceptor, "site-a");
    REQUIRE(b.consider(a.own()));
    REQUIRE(a.consider(b.own()));
    REQUIRE(a.prove(b.sign(), *trust.store));
    REQUIRE(b.prove(a.sign(), *trust.store));
    auto session_a = a.make_session();
    auto session_b = b.make_session();
    REQUIRE(session_a);
    REQUIRE(session_b);
    const auto frame = wire::control::decode(session_a->seal({1, "t", wire::control::Request{"s", 1, {}}}));
    CHECK(session_b->open(std::get<wire::control::Sealed>(*frame)));
}

TEST_CASE("a signature made in one role, or over other offers, proves nothing") {
    Trust trust;
    Ends ends;
    Greeting a(ends.id_a, kSettings, Role::dialler, "site-b");
    Greeting b(ends.id_b, kSettings, Role::acceptor, "site-a");
    REQUIRE(b.consider(a.own()));
    REQUIRE(a.consider(b.own()));
    SECTION("the peer's signature is not played back as ours") {
        CHECK(b.prove(b.sign(), *trust.store).error().code == Errc::unauthenticated);
    }
    SECTION("a greeting cannot be replayed: the nonce is another") {
        const auto signature = a.sign();
        Greeting later(ends.id_b, kSettings, Role::acceptor, "site-a");
        REQUIRE(later.consider(a.own()));
        CHECK(later.prove(signature, *trust.store).error().code == Errc::unauthenticated);
    }
    SECTION("a changed claim breaks the signature") {
        auto offer = a.own();
        offer.incarnation += 1;
        Greeting changed(ends.id_b, kSettings, Role::acceptor, "site-a");
        REQUIRE(changed.consider(offer));
        CHECK(changed.prove(a.sign(), *trust.store).error().code == Errc::unauthenticated);
    }
}

TEST_CASE("a key that changed since it was pinned is refused with a remedy") {
    Trust trust;
    Ends ends;
    REQUIRE(trust.store->check("site-a", ends.id_a.public_key()));
    ends.id_a = make_identity("site-a");
    Greeting a(ends.id_a, kSettings, Role::dialler, "site-b");
    Greeting b(ends.id_b, kSettings, Role::acceptor, "site-a");
    REQUIRE(b.consider(a.own()));
    REQUIRE(a.consider(b.own()));
    const auto proven = b.prove(a.sign(), *trust.store);
    REQUIRE(!proven);
    CHECK(proven.error().code == Errc::unauthenticated);
    CHECK(!proven.error().remedy.empty());
}

TEST_CASE("an older wire version is refused by the newer end only") {
    Ends ends;
    ends.settings_b.wire_version = 2;
    const auto [by_a, by_b] = ends.consider();
    CHECK(by_a);
    REQUIRE(!by_b);
    CHECK(by_b.error().message == "site-a speaks wire version 1, which is older than version 2 of site-b");
    CHECK(by_b.error().remedy == "upgrade site-a");
}

TEST_CASE("both ends refuse another cluster") {
    Ends ends;
    ends.id_a.cluster_id = "other";
    const auto [by_a, by_b] = ends.consider();
    REQUIRE(!by_a);
    REQUIRE(!by_b);
    CHECK(by_b.error().message == "site-b belongs to cluster \"test\", site-a to cluster \"other\"");
}

TEST_CASE("both ends refuse different heartbeat settings") {
    Ends ends;
    ends.settings_a.heartbeat_timeout_ms = 3000;
    const auto [by_a, by_b] = ends.consider();
    REQUIRE(!by_a);
    REQUIRE(!by_b);
    CHECK(by_a.error().message ==
          "heartbeat settings differ: site-a has interval 500 ms and timeout 3000 ms, "
          "site-b has 500 ms and 2000 ms");
}

TEST_CASE("both ends notice that another node answers than was dialled") {
    Ends ends;
    ends.dialled = "site-c";
    const auto [by_a, by_b] = ends.consider();
    REQUIRE(!by_a);
    REQUIRE(!by_b);
    CHECK(by_a.error().message == "site-b answers at the address where site-a expects site-c");
    CHECK(by_b.error().message == by_a.error().message);
    CHECK(by_a.error().remedy == "correct the control address in the [[peers]] entry of site-c on site-a");
}

TEST_CASE("a node that dialled itself is told so") {
    Ends ends;
    ends.id_b = ends.id_a;
    const auto [by_a, by_b] = ends.consider();
    REQUIRE(!by_b);
    CHECK(by_b.error().message == "the control address of site-b on site-a leads back to site-a itself");
}

TEST_CASE("two nodes with one name are told apart by their keys and refused") {
    Ends ends;
    ends.id_b = make_identity("site-a");
    ends.dialled = "site-a";
    const auto [by_a, by_b] = ends.consider();
    REQUIRE(!by_b);
    CHECK(by_b.error().message == "two nodes with different keys are both called site-a");
}
