#include "runtime/node/backups.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;

TEST_CASE("a node that ends takes no further backup, and still answers other nodes") {
    const store::test::TempDir directory;
    const auto store = store::test::open_store(directory.store());
    const auto self = identity::load_or_create(directory / "", "site-a", "here", "test");
    REQUIRE(self);
    EventRing events;
    node::BackupOptions options;
    options.data_dir = directory / "";
    options.directory = directory / "backups";
    options.keep = 1;
    options.sequencer = "site-a";
    options.nodes = {"site-a"};
    node::BackupService backups(options, *self, *store, events);

    const auto begun = backups.start({{"scope", "node"}}, nullptr);
    REQUIRE(begun);
    backups.stop();

    const auto refused = backups.start({{"scope", "node"}}, nullptr);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    const auto list = backups.list();
    REQUIRE(list);
    CHECK((*list)["job"]["id"] == (*begun)["id"]);
    CHECK((*list)["job"]["state"] != "running");
}
