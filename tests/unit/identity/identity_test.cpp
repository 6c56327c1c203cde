#include "runtime/identity/identity.hpp"
#include "tests/unit/identity/identity_fixture.hpp"

namespace dwcp::identity {
namespace {

Result<Identity> load(const DataDirectory& directory, const std::string& name = "site-a",
                      const std::string& cluster = "demo") {
    return load_or_create(directory.path(), name, "east", cluster);
}

/// The error of a start that must be refused.
Error refusal(const DataDirectory& directory, const std::string& name = "site-a",
              const std::string& cluster = "demo") {
    const auto identity = load(directory, name, cluster);
    REQUIRE_FALSE(identity);
    return identity.error();
}

} // namespace

TEST_CASE("the first start makes a key that only its owner can read") {
    const DataDirectory directory;
    const auto identity = load(directory);
    REQUIRE(identity);
    CHECK(identity->name == "site-a");
    CHECK(identity->site == "east");
    CHECK(identity->cluster_id == "demo");
    CHECK(directory.mode("node.key") == 0600);
    CHECK(contains(directory.read("node.id"),
                   "name site-a\ncluster demo\npublic " + identity->public_key().hex()));
    CHECK_FALSE(contains(directory.read("node.id"), to_hex(identity->key->seed())));
    CHECK_FALSE(std::filesystem::exists(directory.file("node.key.tmp")));
}

TEST_CASE("the data directory is made with its parents, closed to others") {
    const DataDirectory directory;
    REQUIRE(load_or_create(directory.file("x/y"), "site-a", "east", "demo"));
    CHECK(directory.mode("x/y") == 0700);
}

TEST_CASE("a restart keeps the key and draws a new incarnation") {
    const DataDirectory directory;
    const auto first = load(directory);
    const auto second = load(directory);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->public_key() == second->public_key());
    CHECK(first->incarnation != 0);
    CHECK(second->incarnation != 0);
    CHECK(first->incarnation != second->incarnation);
    const auto message = as_bytes("hello");
    CHECK(crypto::verify(first->public_key(), message, second->key->sign(message)));
}

TEST_CASE("two directories give two keys") {
    const DataDirectory a;
    const DataDirectory b;
    CHECK(load(a)->public_key() != load(b)->public_key());
}

TEST_CASE("a key file that others can reach is refused until its mode is mended") {
    const DataDirectory directory;
    const PublicKey key = load(directory)->public_key();
    for (mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666, 0777}) {
        directory.set_mode("node.key", mode);
        const Error error = refusal(directory);
        CHECK(error.code == Errc::permission_denied);
        CHECK(contains(error.message, "node.key: mode 0"));
        CHECK(error.remedy == "chmod 600 " + directory.file("node.key"));
    }
    for (mode_t mode : {0600, 0400}) {
        directory.set_mode("node.key", mode);
        const auto again = load(directory);
        REQUIRE(again);
        CHECK(again->public_key() == key);
    }
}

TEST_CASE("node.id may be read by others but not changed by them") {
    const DataDirectory directory;
    REQUIRE(load(directory));
    directory.set_mode("node.id", 0644);
    CHECK(load(directory));
    directory.set_mode("node.id", 0664);
    CHECK(refusal(directory).code == Errc::permission_denied);
}

TEST_CASE("a damaged key file is noticed, whatever byte is changed or lost") {
    const DataDirectory directory;
    REQUIRE(load(directory));
    const std::string good = directory.read("node.key");
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] ^= 1;
        directory.write("node.key", bad);
        CHECK(refusal(directory).code == Errc::corrupted);
        directory.write("node.key", good.substr(0, i));
        CHECK(refusal(directory).code == Errc::corrupted);
    }
    directory.write("node.key", good + "x");
    const Error error = refusal(directory);
    CHECK(error.code == Errc::corrupted);
    CHECK(contains(error.message, "node.key: damaged"));
    CHECK_FALSE(error.remedy.empty());
    directory.write("node.key", good);
    CHECK(load(directory));
}

TEST_CASE("no error message repeats the secret") {
    const DataDirectory directory;
    const std::string secret = to_hex(load(directory)->key->seed());
    directory.write("node.key", directory.read("node.key") + "x");
    CHECK_FALSE(contains(refusal(directory).render(), secret.substr(0, 16)));
}

TEST_CASE("a damaged node.id is noticed") {
    const DataDirectory directory;
    REQUIRE(load(directory));
    const std::string good = directory.read("node.id");
    for (std::size_t length = 0; length < good.size(); ++length) {
        directory.write("node.id", good.substr(0, length));
        CHECK(refusal(directory).code == Errc::corrupted);
    }
    directory.write("node.id", good + "more\n");
    CHECK(refusal(directory).code == Errc::corrupted);
}

TEST_CASE("the directory of another node or cluster is refused by name") {
    const DataDirectory directory;
    REQUIRE(load(directory));
    const Error other_name = refusal(directory, "site-b");
    CHECK(other_name.code == Errc::precondition_failed);
    CHECK(contains(other_name.message,
                   "belongs to node \"site-a\" of cluster \"demo\", not to node \"site-b\""));
    CHECK(contains(other_name.remedy, "node.data_dir"));
    CHECK(refusal(directory, "site-a", "production").code == Errc::precondition_failed);
    CHECK(load(directory));
}

TEST_CASE("a key that is lost is not silently replaced") {
    const DataDirectory directory;
    REQUIRE(load(directory));
    std::filesystem::remove(directory.file("node.key"));
    const Error error = refusal(directory);
    CHECK(error.code == Errc::not_found);
    CHECK(contains(error.message, "node.key: missing, though this node has run before"));
    CHECK_FALSE(std::filesystem::exists(directory.file("node.key")));

    std::filesystem::remove(directory.file("node.id"));
    CHECK(load(directory)); // the remedy works
}

TEST_CASE("the key of another directory is noticed") {
    const DataDirectory directory;
    const DataDirectory other;
    REQUIRE(load(directory));
    REQUIRE(load(other));
    directory.write("node.key", other.read("node.key"));
    const Error error = refusal(directory);
    CHECK(error.code == Errc::precondition_failed);
    CHECK(contains(error.message, "this directory was made with key"));
}

TEST_CASE("a first start that was cut short is completed with the same key") {
    const DataDirectory directory;
    const PublicKey key = load(directory)->public_key();
    std::filesystem::remove(directory.file("node.id"));
    directory.write("node.id.tmp", "half");
    const auto again = load(directory);
    REQUIRE(again);
    CHECK(again->public_key() == key);
    CHECK(contains(directory.read("node.id"), key.hex()));
}

TEST_CASE("a temporary file left by a crash neither blocks a start nor leaks its mode") {
    const DataDirectory directory;
    directory.write("node.key.tmp", "half a key");
    directory.set_mode("node.key.tmp", 0666);
    REQUIRE(load(directory));
    CHECK(directory.mode("node.key") == 0600);
}

TEST_CASE("something else in the place of the key file is refused") {
    const DataDirectory directory;
    REQUIRE(load(directory));
    std::filesystem::remove(directory.file("node.key"));
    SECTION("a directory") { std::filesystem::create_directory(directory.file("node.key")); }
    SECTION("a pipe, which must not hang") {
        REQUIRE(::mkfifo(directory.file("node.key").c_str(), 0600) == 0);
    }
    SECTION("a huge file") {
        directory.write("node.key", "");
        directory.set_mode("node.key", 0600);
        std::filesystem::resize_file(directory.file("node.key"), 1ULL << 40);
    }
    CHECK(refusal(directory).code == Errc::corrupted);
}

TEST_CASE("a directory that cannot be made says why") {
    const DataDirectory directory;
    directory.write("file", "");
    const auto identity = load_or_create(directory.file("file/below"), "site-a", "east", "demo");
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code == Errc::io_error);
    CHECK(contains(identity.error().remedy, "node.data_dir"));
}

} // namespace dwcp::identity
