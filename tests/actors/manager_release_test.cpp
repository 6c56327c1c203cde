// Two releases of the manager under one load: what a rollback does to work under way, and what is counted.
#include "protocols/base/random.hpp"
#include "tests/actors/manager_rig.hpp"

#include <cstdlib>
#include <future>
#include <iostream>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

using links::Pool;

class ReleaseRig : public ManagerRig {
  public:
    ReleaseRig() {
        releases = &registry.add(release_names());
        selector = &registry.add(compression::release_names());
        abandoning_ =
            releases->on_withdrawn([this] { data.abandon(Pool::multi_stream); }); // as the node does
        start_process();
    }

    void weigh(double percent) { releases->obey({percent, false, false, Duration(60s)}); }
    std::size_t asked(const NodeName& peer, Pool pool) {
        return data.with(peer, [&](FakeDataPlane::Peer& at) { return at.asked[pool]; });
    }
    std::future<Result<PutReceipt>> seal(const WorkloadId& id, std::vector<BlockRef> refs) {
        return std::async(std::launch::async,
                          [this, id, refs = std::move(refs)] { return ask(seal_of(id, refs)); });
    }
    ramp::Work work(release::Release of) { return releases->report().total[static_cast<std::size_t>(of)]; }

  private:
    std::shared_ptr<const std::function<void()>> abandoning_;
};

std::uint64_t seed_of_run() {
    const char* given = std::getenv("DWCP_SEED");
    const std::uint64_t seed =
        given ? std::strtoull(given, nullptr, 10)
              : static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    std::cout << "DWCP_SEED=" << seed << '\n';
    return seed;
}

} // namespace

TEST_CASE_METHOD(ReleaseRig, "each release ships over its own streams, and the receipt says which it was") {
    require_ok(begin("plain"));
    auto receipt = ask(seal_of("plain", put_all("plain", 2)));
    require_ok(receipt);
    CHECK(receipt->releases == "manager=stable, selector=stable");
    CHECK(asked("b", Pool::one_stream) > 0);
    CHECK(asked("b", Pool::multi_stream) == 0);
    const auto before = asked("b", Pool::one_stream);
    weigh(100);
    require_ok(begin("better"));
    receipt = ask(seal_of("better", put_all("better", 2)));
    require_ok(receipt);
    CHECK(receipt->releases == "manager=canary, selector=stable");
    CHECK(asked("b", Pool::one_stream) == before);
    CHECK(asked("b", Pool::multi_stream) > 0);
    CHECK(work(release::Release::canary).requests == 1);
    CHECK(work(release::Release::canary).bytes == 40'000);
    CHECK(work(release::Release::canary).latency.count() == 1);
}

TEST_CASE_METHOD(ReleaseRig, "a rollback in the middle of a put replays it on stable and loses nothing") {
    weigh(100);
    data.hold(Pool::multi_stream);
    require_ok(begin("w"));
    const auto refs = put_all("w", 4);
    auto receipt = seal("w", refs);
    REQUIRE(eventually([&] { return state_of("w") == "sealed" && asked("b", Pool::multi_stream) == 5; }));
    CHECK(releases->canary_in_flight() == 1);
    CHECK(data.blocks_at("b") == 0);
    weigh(0);
    CHECK(eventually([&] { return releases->canary_in_flight() == 0; }));
    const auto got = receipt.get();
    require_ok(got);
    CHECK(got->releases == "manager=stable, selector=stable");
    CHECK(data.blocks_at("b") == 4);
    CHECK(asked("b", Pool::multi_stream) == 5); // not one more
    CHECK(releases->unsettled().empty());
    CHECK(work(release::Release::canary).requests + work(release::Release::stable).requests == 0);
}

TEST_CASE_METHOD(ReleaseRig, "a rollback while a client still uploads holds nobody up") {
    weigh(100);
    data.hold(Pool::multi_stream);
    require_ok(begin("w"));
    auto refs = put_all("w", 3);
    weigh(0);
    REQUIRE(eventually([&] { return releases->canary_in_flight() == 0; }));
    auto more = put("w", raw_number(77, 20'000), 3);
    require_ok(more);
    refs.push_back(*more);
    require_ok(ask(seal_of("w", refs)));
    CHECK(data.blocks_at("b") == 4);
}

TEST_CASE_METHOD(ReleaseRig,
                 "an injected error is the canary's, comes before any promise, and ends with the fault") {
    weigh(100);
    const auto id = faults.add({"manager", 100, {.error = true}});
    const auto refused = begin("w");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(state_of("w") == "unknown");
    CHECK(work(release::Release::canary).errors == 1);
    CHECK(releases->canary_in_flight() == 0);
    faults.remove(id);
    require_ok(begin("w"));
    weigh(0);
    faults.add({"manager", 100, {.error = true}});
    require_ok(begin("stable is not touched"));
}

TEST_CASE_METHOD(ReleaseRig,
                 "a canary that crashes its manager again and again is rolled back by supervision") {
    weigh(100);
    faults.add({"manager", 100, {.crash = true}});
    bool begun = false;
    REQUIRE(eventually([&] {
        begun = begin("w").has_value();
        return begun || !releases->forced().empty();
    }));
    REQUIRE(eventually([&] { return begin("x").has_value(); }));
    CHECK_FALSE(releases->forced().empty());
    CHECK(releases->canary_percent() == 0);
    CHECK(work(release::Release::canary).errors >= 3);
    require_ok(ask(seal_of("x", put_all("x", 1))));
}

TEST_CASE_METHOD(ReleaseRig,
                 "the sampling selector chooses for its share, and leaves the rules' histories alone") {
    selector->obey({100, false, false, Duration(60s)});
    require_ok(begin("w"));
    const auto receipt = ask(seal_of("w", put_all("w", 3)));
    require_ok(receipt);
    CHECK(receipt->releases == "manager=stable, selector=canary");
    CHECK(selector->report().total[1].requests == 3);
    CHECK(selector->report().total[0].requests == 0);
    CHECK(selector->report().total[1].cost_us > 0);
}

TEST_CASE_METHOD(ReleaseRig,
                 "a block that the canary selector fails at is one error of its own, and no client's") {
    selector->obey({100, false, false, Duration(60s)});
    const auto id = faults.add({"selector", 100, {.error = true}});
    require_ok(begin("w"));
    const auto receipt = ask(seal_of("w", put_all("w", 3)));
    require_ok(receipt);
    CHECK(receipt->releases == "manager=stable, selector=stable");
    CHECK(selector->report().total[1].requests == 3);
    CHECK(selector->report().total[1].errors == 3);
    CHECK(selector->report().total[0].requests == 0); // it is not judged by the canary's blocks
    CHECK(selector->canary_in_flight() == 0);
    faults.remove(id);
    require_ok(begin("x"));
    CHECK(ask(seal_of("x", put_all("x", 1)))->releases == "manager=stable, selector=canary");
}

TEST_CASE_METHOD(ReleaseRig, "a shadow is worked out apart and answers nothing") {
    selector->obey({100, true, false, Duration(60s)});
    require_ok(begin("w"));
    const auto receipt = ask(seal_of("w", put_all("w", 40)));
    require_ok(receipt);
    CHECK(receipt->releases == "manager=stable, selector=stable");
    CHECK(eventually([&] { return selector->report().shadow.requests > 0; }));
    CHECK(selector->report().shadow.requests <= 5);
    CHECK(selector->report().total[1].requests == 0);
    CHECK(selector->report().total[0].requests == 40);
}

TEST_CASE_METHOD(ReleaseRig, "while weights flip, each key's last acknowledged write wins and none is lost") {
    const auto seed = seed_of_run();
    constexpr int kWriters = 4;
    constexpr int kWrites = 25;
    std::atomic<int> writing = kWriters;
    std::vector<std::future<WorkloadId>> last;
    for (int writer = 0; writer < kWriters; ++writer) {
        last.push_back(std::async(std::launch::async, [&, writer] {
            WorkloadId acknowledged;
            for (int i = 0; i < kWrites; ++i) {
                const WorkloadId id = std::to_string(writer) + "-" + std::to_string(i);
                const auto key = "key-" + std::to_string(writer);
                const auto began = begin(id, key);
                const auto ref = began
                                     ? put(id, raw_number(static_cast<std::uint64_t>(writer * 100 + i), 5000))
                                     : Result<BlockRef>(std::unexpected(began.error()));
                if (ref && ask(seal_of(id, {*ref}))) acknowledged = id;
            }
            --writing;
            return acknowledged;
        }));
    }
    Random random(seed);
    while (writing > 0) {
        weigh(random.below(3) == 0 ? 0 : static_cast<double>(random.below(101)));
        std::this_thread::yield();
    }
    for (int writer = 0; writer < kWriters; ++writer) {
        const auto acknowledged = last[static_cast<std::size_t>(writer)].get();
        CHECK(acknowledged == std::to_string(writer) + "-" + std::to_string(kWrites - 1));
        const auto found = metadata().find("key-" + std::to_string(writer));
        require_ok(found);
        REQUIRE(found->has_value());
        CHECK((*found)->manifest.workload == acknowledged);
    }
    weigh(0);
    CHECK(eventually([&] { return releases->canary_in_flight() == 0; }));
}
