#include "protocols/consensus/membership.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::consensus;

namespace {

Member member(const std::string& name, Byte key = 1) { return {name, PublicKey{{key}}}; }

Committee committee_with(std::initializer_list<const char*> names) {
    Committee made;
    made.epoch = 4;
    made.first = 90;
    made.engine = EngineKind::probft;
    for (const auto* name : names)
        made.members.push_back(member(name));
    return made;
}

std::vector<std::string> names_of(const Reconfigure& change) {
    std::vector<std::string> names;
    for (const auto& one : change.members)
        names.push_back(one.name);
    return names;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("members that are added stand behind the others, and the change follows the epoch") {
    const auto now = committee_with({"a/1", "b/1", "c/1"});
    const auto change = edited(now, {{member("a/2"), member("b/2")}, {}});
    REQUIRE(change);
    CHECK(names_of(*change) == Names{"a/1", "b/1", "c/1", "a/2", "b/2"});
    CHECK(change->from_epoch == 4);
    CHECK(change->engine == EngineKind::probft);
    Block block;
    block.height = 120;
    block.epoch = 4;
    block.transactions.push_back({command_of(*change), "a", {}});
    const auto next = next_committee(now, block);
    REQUIRE(next);
    CHECK(next->members == change->members);
    CHECK(next->first == 121);
}

TEST_CASE("a member is removed, or replaced in its place") {
    const auto now = committee_with({"a/1", "b/1", "c/1"});
    CHECK(names_of(*edited(now, {{}, {"b/1"}})) == Names{"a/1", "c/1"});
    CHECK(names_of(*edited(now, {{member("d/1")}, {"b/1"}})) == Names{"a/1", "d/1", "c/1"});
    const auto rekeyed = edited(now, {{member("b/1", 9)}, {"b/1"}});
    REQUIRE(rekeyed);
    CHECK(rekeyed->members[1] == member("b/1", 9));
}

TEST_CASE("an edit that cannot be made says why and what to do") {
    const auto now = committee_with({"a/1", "b/1"});
    const auto code = [&](const MembershipEdit& edit) {
        const auto change = edited(now, edit);
        REQUIRE(!change);
        CHECK(!change.error().remedy.empty());
        return change.error().code;
    };
    CHECK(code({{member("a/1")}, {}}) == Errc::already_exists);
    CHECK(code({{}, {"z/1"}}) == Errc::not_found);
    CHECK(code({{member("c/1")}, {"z/1"}}) == Errc::not_found);
    CHECK(code({{}, {"a/1", "b/1"}}) == Errc::precondition_failed);
    CHECK(code({{member("c/1"), member("c/1")}, {}}) == Errc::invalid_argument);
    CHECK(code({{member("no name")}, {}}) == Errc::invalid_argument);
    CHECK(code({{member("c/1", 0)}, {}}) == Errc::invalid_argument);
    CHECK(code({{}, {"a/1", "a/1"}}) == Errc::not_found);
}

TEST_CASE("a change is told in what it survives, with a warning where that is nothing or less") {
    const auto now = committee_with({"a/1", "b/1", "c/1", "d/1"});
    const auto less = describe_change(now, *edited(now, {{}, {"d/1"}}));
    CHECK(less.find("survives f = 1 Byzantine, quorum 3 -> n = 3, survives f = 0 Byzantine") !=
          std::string::npos);
    CHECK(less.find("WARNING") != std::string::npos);
    CHECK(describe_change(now, *edited(now, {{member("e/1")}, {}})).find("WARNING") == std::string::npos);
    const auto seven = committee_with({"a/1", "b/1", "c/1", "d/1", "e/1", "f/1", "g/1"});
    CHECK(describe_change(seven, *edited(seven, {{}, {"g/1"}})).find("fewer dishonest") != std::string::npos);
}
