#include "protocols/consensus/client_table.hpp"

#include <catch2/catch.hpp>

#include <map>

namespace dwcp::consensus {
namespace {

struct Kept {
    std::map<std::string, Bytes> keys;
    KeyValue access() {
        return {.get = [this](const std::string& key) -> std::optional<Bytes> {
                    const auto at = keys.find(key);
                    return at == keys.end() ? std::nullopt : std::optional(at->second);
                },
                .put = [this](const std::string& key, Bytes value) { keys[key] = std::move(value); },
                .erase = [this](const std::string& key) { keys.erase(key); }};
    }
};

template<class Verdict>
bool is(const Result<ClientTable::Verdict>& verdict) {
    return verdict && std::holds_alternative<Verdict>(*verdict);
}

TEST_CASE("a client's next command is fresh, its last a duplicate with its outcome, an earlier one too old") {
    Kept kept;
    ClientTable table(kept.access());
    CHECK(is<ClientTable::Fresh>(table.check("client", 0)));
    const Outcome outcome{.height = 7, .index = 3, .result = to_bytes("done")};
    REQUIRE(table.record("client", 5, outcome));
    CHECK(is<ClientTable::Fresh>(table.check("client", 6)));
    CHECK(is<ClientTable::Fresh>(table.check("another", 5)));
    const auto again = table.check("client", 5);
    REQUIRE(is<ClientTable::Duplicate>(again));
    CHECK(std::get<ClientTable::Duplicate>(*again).earlier == outcome);
    const auto old = table.check("client", 4);
    REQUIRE(is<ClientTable::TooOld>(old));
    CHECK(std::get<ClientTable::TooOld>(*old).last == 5);
}

TEST_CASE("a client that sent none of the last commands is forgotten, one that did is not") {
    Kept kept;
    ClientTable table(kept.access(), 10);
    REQUIRE(table.record("quiet", 1, {}));
    for (std::uint64_t i = 1; i <= 9; ++i)
        REQUIRE(table.record("busy", i, {}));
    CHECK(is<ClientTable::Duplicate>(table.check("quiet", 1)));
    REQUIRE(table.record("busy", 10, {}));
    CHECK(is<ClientTable::Fresh>(table.check("quiet", 1)));
    CHECK(is<ClientTable::Duplicate>(table.check("busy", 10)));
    CHECK(kept.keys.size() == 3);
}

TEST_CASE("many clients take no more room than the table has") {
    Kept kept;
    ClientTable table(kept.access(), 10);
    for (int i = 0; i < 1000; ++i)
        REQUIRE(table.record("client-" + std::to_string(i), 1, {}));
    CHECK(kept.keys.size() == 2 * 10 + 1);
}

TEST_CASE("an outcome that is too long is cut, a damaged record is an error") {
    Kept kept;
    ClientTable table(kept.access());
    REQUIRE(table.record("client", 1, {.height = 1, .index = 0, .result = Bytes(5000, 1)}));
    const auto again = table.check("client", 1);
    REQUIRE(is<ClientTable::Duplicate>(again));
    CHECK(std::get<ClientTable::Duplicate>(*again).earlier.result.size() == kOutcomeBytesMax);
    kept.keys["c/client"].resize(5);
    CHECK(table.check("client", 1).error().code == Errc::corrupted);
    CHECK(table.record("client", 2, {}).error().code == Errc::corrupted);
}

} // namespace
} // namespace dwcp::consensus
