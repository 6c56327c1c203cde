#include "tests/unit/identity/identity_fixture.hpp"

#include <thread>

namespace dwcp::identity {
namespace {

PublicKey key_number(Byte number) {
    crypto::Seed seed{};
    seed[0] = number;
    return crypto::SigningKey::from_seed(seed).public_key();
}

std::unique_ptr<TrustStore> open(const DataDirectory& directory,
                                 const std::map<NodeName, std::string>& configured) {
    auto store = TrustStore::open(directory.path(), configured);
    if (!store) FAIL(store.error().render());
    return std::move(*store);
}

Error refusal(TrustStore& store, const NodeName& name, const PublicKey& key) {
    const auto checked = store.check(name, key);
    REQUIRE_FALSE(checked);
    return checked.error();
}

} // namespace

TEST_CASE("a configured key is the only one accepted, and is not written down") {
    const DataDirectory directory;
    const auto store = open(directory, {{"b", key_number(1).hex()}});
    CHECK(store->check("b", key_number(1)));
    const Error error = refusal(*store, "b", key_number(2));
    CHECK(error.code == Errc::unauthenticated);
    CHECK(error.message ==
          "node \"b\" shows key " + key_number(2).hex() + ", but its known key is " + key_number(1).hex());
    CHECK(contains(error.remedy, "set it as public_key"));
    CHECK_FALSE(std::filesystem::exists(directory.file("known_peers")));
}

TEST_CASE("a node that is not configured is refused by name") {
    const DataDirectory directory;
    const auto store = open(directory, {{"b", ""}});
    const Error error = refusal(*store, "c", key_number(1));
    CHECK(error.code == Errc::unauthenticated);
    CHECK(contains(error.message, "\"c\" is not a peer of this node"));
    CHECK(contains(error.remedy, "[[peers]]"));
}

TEST_CASE("the first key of a peer is pinned and survives a restart") {
    const DataDirectory directory;
    CHECK(open(directory, {{"b", ""}, {"c", ""}})->check("b", key_number(1)));
    CHECK(directory.read("known_peers") == "dwcp-known-peers 1\nb " + key_number(1).hex() + "\n");
    CHECK(directory.mode("known_peers") == 0600);

    const auto store = open(directory, {{"b", ""}, {"c", ""}});
    CHECK(store->check("b", key_number(1)));
    CHECK(store->check("c", key_number(2)));
    CHECK(open(directory, {{"b", ""}, {"c", ""}})->check("c", key_number(2)));
}

TEST_CASE("a changed key is refused, and the message's remedy works") {
    const DataDirectory directory;
    REQUIRE(open(directory, {{"b", ""}})->check("b", key_number(1)));
    const auto store = open(directory, {{"b", ""}});
    const Error error = refusal(*store, "b", key_number(2));
    CHECK(error.code == Errc::unauthenticated);
    CHECK(contains(error.message, key_number(1).hex()));
    CHECK(contains(error.message, key_number(2).hex()));
    CHECK(error.remedy == "if the new key is right, remove the line of b from " +
                              directory.file("known_peers") + " and restart this node");
    CHECK(store->check("b", key_number(1)));

    directory.write("known_peers", "dwcp-known-peers 1\n");
    CHECK(open(directory, {{"b", ""}})->check("b", key_number(2)));
}

TEST_CASE("one key cannot take a second name") {
    const DataDirectory directory;
    const auto store = open(directory, {{"b", ""}, {"c", ""}, {"d", key_number(4).hex()}});
    REQUIRE(store->check("b", key_number(1)));
    CHECK(contains(refusal(*store, "c", key_number(1)).message, "which is that of node \"b\""));
    CHECK(contains(refusal(*store, "c", key_number(4)).message, "which is that of node \"d\""));
    CHECK(store->check("c", key_number(2)));
}

TEST_CASE("a configured key replaces a pinned one") {
    const DataDirectory directory;
    REQUIRE(open(directory, {{"b", ""}})->check("b", key_number(1)));
    const auto store = open(directory, {{"b", key_number(2).hex()}, {"c", ""}});
    CHECK(store->check("b", key_number(2)));
    CHECK_FALSE(store->check("b", key_number(1)));
}

TEST_CASE("the pins of peers that are away from the configuration are kept") {
    const DataDirectory directory;
    REQUIRE(open(directory, {{"b", ""}})->check("b", key_number(1)));
    REQUIRE(open(directory, {{"c", ""}})->check("c", key_number(2)));
    CHECK_FALSE(open(directory, {{"b", ""}, {"c", ""}})->check("b", key_number(3)));
}

TEST_CASE("a damaged list of peers is refused instead of trusting anew") {
    const DataDirectory directory;
    REQUIRE(open(directory, {{"b", ""}})->check("b", key_number(1)));
    const std::string good = directory.read("known_peers");
    const std::string line = good.substr(good.find('\n') + 1);
    const std::string header = "dwcp-known-peers 1\n";
    for (const std::string& bad :
         {std::string(), std::string("x"), good.substr(0, good.size() - 1), header + "b\n",
          header + " " + key_number(1).hex() + "\n", good + "\n", good + line, header + "b 12\n"}) {
        directory.write("known_peers", bad);
        const auto store = TrustStore::open(directory.path(), {{"b", ""}});
        INFO(bad);
        REQUIRE_FALSE(store);
        CHECK(store.error().code == Errc::corrupted);
        CHECK(contains(store.error().message, "known_peers: damaged"));
    }
}

TEST_CASE("a list of peers that others can change is refused") {
    const DataDirectory directory;
    REQUIRE(open(directory, {{"b", ""}})->check("b", key_number(1)));
    directory.set_mode("known_peers", 0644);
    CHECK(TrustStore::open(directory.path(), {{"b", ""}}));
    directory.set_mode("known_peers", 0660);
    const auto store = TrustStore::open(directory.path(), {{"b", ""}});
    REQUIRE_FALSE(store);
    CHECK(store.error().code == Errc::permission_denied);
    CHECK(store.error().remedy == "chmod 600 " + directory.file("known_peers"));
}

TEST_CASE("a configured key that is not hex is refused") {
    const DataDirectory directory;
    const auto store = TrustStore::open(directory.path(), {{"b", "not hex"}});
    REQUIRE_FALSE(store);
    CHECK(store.error().code == Errc::invalid_argument);
}

TEST_CASE("a key that cannot be pinned is not trusted") {
    const DataDirectory directory;
    const auto store = open(directory, {{"b", ""}});
    std::filesystem::create_directory(directory.file("known_peers")); // rename onto a directory fails
    CHECK(refusal(*store, "b", key_number(1)).code == Errc::io_error);
    std::filesystem::remove(directory.file("known_peers"));
    CHECK(store->check("b", key_number(2)));
    CHECK_FALSE(store->check("b", key_number(1)));
}

TEST_CASE("of two keys that race for one name exactly one is pinned") {
    const DataDirectory directory;
    const auto store = open(directory, {{"b", ""}});
    bool first = false;
    bool second = false;
    {
        const std::jthread one([&] { first = store->check("b", key_number(1)).has_value(); });
        const std::jthread two([&] { second = store->check("b", key_number(2)).has_value(); });
    }
    CHECK(first != second);
    CHECK(open(directory, {{"b", ""}})->check("b", key_number(first ? 1 : 2)));
}

} // namespace dwcp::identity
