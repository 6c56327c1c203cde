// A canary that damages what it sends, over real data links to a real store: nothing of it is kept or
// acknowledged, and the ramp sees it.
#include "protocols/ramp/judge.hpp"
#include "runtime/node/ramp_facts.hpp"
#include "tests/unit/data_links/fixture.hpp"
#include "tests/unit/manager/keeper_fixture.hpp"

using namespace dwcp;
using namespace dwcp::test;
using links::Pool;
using manager::test::block_number;

namespace {

links::DataPlaneOptions both_pools(chaos::CanaryFaults* faults) {
    auto options = quick_options();
    options.pools = {Pool::one_stream, Pool::multi_stream};
    options.canary_faults = faults;
    return options;
}

/// A node whose blocks go where those of a real one go.
struct StoringNode {
    StoringNode(const NodeName& name, const NodeName& peer) : stored(name), self(make_identity(name)) {
        trust = std::move(*identity::TrustStore::open(directory.path(), {{peer, ""}}));
        plane = std::move(
            *links::DataPlane::start(both_pools(nullptr), self, *trust, stored.keeper(), stored.events()));
    }
    manager::test::KeeperFixture stored;
    TemporaryDirectory directory;
    identity::Identity self;
    std::unique_ptr<identity::TrustStore> trust;
    std::unique_ptr<links::DataPlane> plane; ///< Destroyed first.
};

struct Shipping {
    Result<void> send(const EncodedBlock& block, Pool pool) {
        Answer<void> answer;
        sender.plane->send_block("b", block, "w", in(kPatience), answer.callback(), pool);
        return answer.wait();
    }
    /// Which of them the receiver says that it has not.
    std::vector<Hash256> missing(const EncodedBlock& block) {
        Answer<std::vector<Hash256>> answer;
        sender.plane->sync("b", {block.hash}, "w", in(kPatience), answer.callback(), Pool::one_stream);
        const auto named = answer.wait();
        if (!named) FAIL(named.error().render());
        return *named;
    }

    chaos::CanaryFaults faults{7};
    StoringNode receiver{"b", "a"};
    TestNode sender{"a", {"b"}, both_pools(&faults)};
};

/// What a plan's trigger on corruption says of a node with these counts.
std::vector<ramp::Alarm> alarms(const ramp::Facts& facts) {
    ramp::NodeReport report;
    report.node = "b";
    report.total = report.recent = facts;
    ramp::Evidence evidence;
    evidence.systems = {"manager"};
    evidence.observation.nodes = {report};
    return ramp::look({{.name = "data corruption detected", .what = ramp::Trigger::What::corruptions}},
                      evidence, {});
}

} // namespace

TEST_CASE_METHOD(Shipping, "what a canary damages is refused, kept nowhere, and pulls the trigger") {
    ramp::FactsWindow window;
    const node::RampFacts facts({.health = [] { return nlohmann::json::object(); },
                                 .space = [] { return wire::NodeSpace{}; },
                                 .lanes = 0,
                                 .tls = false,
                                 .every = 5ms},
                                window);
    sender.add_peer("b", receiver.plane->port());
    REQUIRE(send(block_number(1), Pool::multi_stream).has_value());
    REQUIRE(eventually([&] { return window.total().metrics_expected > 0; }));
    window.open();
    CHECK(alarms(window.total()).empty());

    const auto fault = faults.add({.system = "manager", .percent = 100, .strike = {.corruption = true}});
    const auto block = block_number(2, 50'000);
    const auto sent = send(block, Pool::multi_stream);
    REQUIRE_FALSE(sent.has_value());
    CHECK(sent.error().code == Errc::corrupted);
    CHECK_FALSE(receiver.stored.has(block));
    CHECK(missing(block) == std::vector<Hash256>{block.hash});
    CHECK(send(block_number(3), Pool::one_stream).has_value()); // stable is not touched
    CHECK(sender.up("b"));                                      // nor is the link to blame
    REQUIRE(eventually([&] { return window.total().corruptions > 0; }));
    CHECK(window.total().corruptions == 1);
    const auto told = alarms(window.total());
    REQUIRE(told.size() == 1);
    CHECK(told[0].at_once);
    CHECK(told[0].measured == 1);

    faults.remove(fault);
    CHECK(send(block, Pool::multi_stream).has_value());
    CHECK(missing(block).empty());
    CHECK(receiver.stored.has(block));
}
