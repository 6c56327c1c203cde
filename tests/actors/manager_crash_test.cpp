// A put while its manager, or its whole process, ends in the middle.
#include "protocols/base/random.hpp"
#include "tests/actors/manager_rig.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

/// Kills what lives at the paths, in a random order and pace, until it goes out of scope.
class Killer {
  public:
    Killer(ManagerRig& rig, std::vector<std::string> paths, std::uint64_t seed)
        : thread_(
              [&rig, paths = std::move(paths), random = Random(seed), this](std::stop_token stop) mutable {
                  while (!stop.stop_requested()) {
                      rig.kill(paths[random.below(paths.size())]);
                      ++kills_;
                      std::this_thread::sleep_for(std::chrono::microseconds(random.below(15'000)));
                  }
              }) {}
    int kills() const { return kills_; }

  private:
    std::atomic<int> kills_{0};
    std::jthread thread_;
};

/// Keeps both threads of a pool busy until it goes out of scope.
class HeldDisk {
  public:
    explicit HeldDisk(WorkerPool& disk) {
        const auto go = go_.get_future().share();
        for (int thread = 0; thread < 2; ++thread) {
            REQUIRE(disk.try_submit([held = held_, go] {
                ++*held;
                go.wait();
            }));
        }
        REQUIRE(eventually([&] { return *held_ == 2; }));
    }
    ~HeldDisk() { go_.set_value(); }

  private:
    std::shared_ptr<std::atomic<int>> held_ = std::make_shared<std::atomic<int>>(0);
    std::promise<void> go_;
};

} // namespace

TEST_CASE_METHOD(RunningRig, "a put goes on although its manager is killed between its steps") {
    require_ok(begin("w"));
    kill_and_wait();
    std::vector<BlockRef> refs;
    for (std::uint32_t i = 0; i < 4; ++i) {
        const auto ref = put("w", raw_number(i, 20'000), i);
        require_ok(ref);
        refs.push_back(*ref);
        kill_and_wait();
    }
    const auto receipt = ask(seal_of("w", refs));
    require_ok(receipt);
    CHECK(receipt->blocks == 4);
    kill_and_wait();
    check_same(ask(seal_of("w", refs)), receipt);
    CHECK(with_played([](const Played& p) { return p.last_index; }) == 1);
    keeper().sweep();
    for (const auto& ref : refs)
        CHECK(keeper().read(ref.hash));
}

TEST_CASE_METHOD(RunningRig,
                 "a manager that is killed while the lane has its manifest gives the same receipt") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 2);
    with_played([](Played& p) { p.lane_silent = true; });
    std::optional<Result<PutReceipt>> receipt;
    {
        std::jthread client([&] { receipt = ask(seal_of("w", refs)); });
        REQUIRE(eventually([&] { return with_played([](const Played& p) { return p.submitted > 0; }); }));
        kill_and_wait();
        CHECK(state_of("w") == "sealed");
        CHECK(report("w")->resumed);
        with_played([](Played& p) { p.lane_silent = false; });
    }
    require_ok(*receipt);
    check_same(ask(seal_of("w", refs)), *receipt);
    CHECK(with_played([](const Played& p) { return p.last_index; }) == 1);
    CHECK(has_event("workload_resumed", "w"));
}

TEST_CASE("under a storm of kills every put completes, once, with one receipt") {
    const auto seed = dwcp::test::seed();
    ManagerRig rig;
    rig.start_process();
    constexpr int kClients = 3;
    constexpr int kKills = 60;
    std::mutex mutex;
    std::vector<std::pair<SealPut, PutReceipt>> receipts;
    std::vector<std::string> problems;
    {
        Killer killer(rig, {"manager/0", "manager/0", "compression/0", "allocator/0", "consensus/metadata"},
                      seed);
        std::vector<std::jthread> clients;
        for (int client = 0; client < kClients; ++client) {
            clients.emplace_back([&, client] {
                for (int number = 0; killer.kills() < kKills; ++number) {
                    const auto id = "w-" + std::to_string(client) + "-" + std::to_string(number);
                    std::string problem;
                    std::vector<BlockRef> refs;
                    if (auto begun = rig.begin(id, "k/" + id); !begun) problem = begun.error().render();
                    for (std::uint32_t i = 0; i < 3 && problem.empty(); ++i) {
                        auto ref = rig.put(id, raw_number(i + static_cast<std::uint64_t>(number), 5000), i);
                        if (ref)
                            refs.push_back(*ref);
                        else
                            problem = ref.error().render();
                    }
                    const auto seal = ManagerRig::seal_of(id, refs);
                    auto receipt = problem.empty() ? rig.ask(seal) : fail(Errc::internal, problem);
                    const std::lock_guard lock(mutex);
                    if (receipt)
                        receipts.emplace_back(seal, *receipt);
                    else
                        problems.push_back(id + ": " + receipt.error().render());
                }
            });
        }
        clients.clear();
    }
    for (const auto& problem : problems)
        FAIL_CHECK(problem);
    CHECK(receipts.size() >= kClients);
    rig.keeper().sweep();
    for (const auto& [seal, receipt] : receipts) {
        check_same(rig.ask(seal), receipt);
        const auto stored = rig.metadata().find(receipt.manifest.key).value();
        REQUIRE(stored);
        CHECK(stored->index == receipt.index);
        CHECK(stored->manifest.blocks == seal.blocks);
        for (const auto& ref : seal.blocks) {
            CHECK(rig.keeper().read(ref.hash));
            CHECK(rig.data.with("b", [&](const auto& peer) { return peer.blocks.contains(ref.hash); }));
        }
    }
    CHECK(rig.with_played([](const Played& p) { return p.last_index; }) == receipts.size());
}

TEST_CASE_METHOD(RunningRig, "an upload of an earlier process is reported as failed, and its blocks go") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 2);
    restart_process();
    REQUIRE(state_of("w") == "failed");
    CHECK(report("w")->reason.find("restarted") != std::string::npos);
    CHECK(has_event("workload_failed", "w"));
    CHECK_FALSE(store().has_block(refs[0].hash));
    CHECK(put("w", raw_number(1)).error().code == Errc::precondition_failed);
    CHECK(ask(seal_of("w", refs)).error().code == Errc::cancelled);
    require_ok(begin("w2"));
    restart_process();
    restart_process(); // a failed record stays what it is
    CHECK(state_of("w") == "failed");
    CHECK(state_of("w2") == "failed");
}

TEST_CASE_METHOD(RunningRig, "a sealed workload of an earlier process is taken up and committed") {
    require_ok(begin("w"));
    const std::size_t count = GENERATE(std::size_t{2}, wire::kInlineBlocksMax + 10);
    auto refs = put_all("w", 2, 5000);
    refs.resize(count, refs[0]);
    with_played([](Played& p) { p.lane_away = true; });
    CHECK(ask(seal_of("w", refs), 300ms).error().code == Errc::deadline_exceeded);
    CHECK(state_of("w") == "sealed");
    restart_process();
    CHECK(state_of("w") == "sealed");
    CHECK(report("w")->resumed);
    with_played([](Played& p) { p.lane_away = false; });
    const auto receipt = ask(seal_of("w", refs)); // the client comes back
    require_ok(receipt);
    CHECK(receipt->blocks == count);
    CHECK(metadata().find("dir/object").value().has_value());
    restart_process();
    CHECK(state_of("w") == "committed");
    check_same(ask(seal_of("w", refs)), receipt);
    for (const auto& ref : refs)
        REQUIRE(store().has_block(ref.hash));
}

TEST_CASE_METHOD(RunningRig,
                 "a workload that was committed but not yet journaled as such is not proposed again") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 2);
    const auto receipt = ask(seal_of("w", refs));
    require_ok(receipt);
    REQUIRE(eventually([&] { return state_of("w") == "committed"; }));
    end_process();
    back_to_sealed("w", refs); // the end came before the last write reached the disk
    const auto submitted = with_played([](const Played& p) { return p.submitted; });
    start_process();
    check_same(ask(seal_of("w", refs)), receipt);
    CHECK(with_played([](const Played& p) { return p.submitted; }) == submitted);
}

TEST_CASE("workloads that resume hold their places until they end") {
    ManagerRig rig;
    rig.options.admission = {100'000, 100'000, 2};
    rig.start_process();
    rig.played.lane_away = true;
    for (const char* id : {"w1", "w2"}) {
        require_ok(rig.begin(id, id));
        CHECK_FALSE(rig.ask(ManagerRig::seal_of(id, rig.put_all(id, 1)), 200ms));
    }
    rig.kill_and_wait();
    CHECK(rig.begin("w3").error().code == Errc::resource_exhausted);
    rig.with_played([](Played& p) { p.lane_away = false; });
    REQUIRE(
        eventually([&] { return rig.state_of("w1") == "committed" && rig.state_of("w2") == "committed"; }));
    require_ok(rig.begin("w3"));
    require_ok(rig.begin("w4"));
    CHECK(rig.begin("w5").error().code == Errc::resource_exhausted);
}

TEST_CASE_METHOD(RunningRig, "an abort after a kill frees what the earlier life had taken in") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 2);
    kill_and_wait();
    require_ok(ask(AbortPut{"w", "gone"}));
    CHECK(eventually([&] { return !store().has_block(refs[0].hash); }));
    CHECK_FALSE(uploads().find("w"));
}

TEST_CASE_METHOD(RunningRig, "an abort of a begin that was never journaled leaves nothing behind") {
    uploads().add("w", {}); // as a life that ended right then would have left it
    require_ok(keeper().take_in(block_number(9), "w"));
    require_ok(ask(AbortPut{"w", "gone"}));
    CHECK_FALSE(uploads().find("w"));
    CHECK(eventually([&] { return !store().has_block(block_number(9).hash); }));
}

TEST_CASE("a killed manager lets go of the blocks it held") {
    ManagerRig rig;
    rig.played.compression_silent = true;
    rig.start_process();
    require_ok(rig.begin("w"));
    caf::scoped_actor client{rig.system().get()};
    const auto put = [&] { // without waiting for an answer
        auto raw = raw_number(1, 500'000);
        std::weak_ptr<const Bytes> watched = raw;
        const auto live =
            rig.resolver().wait_for_life_after("manager/0", 0, std::chrono::steady_clock::now() + kPatience);
        REQUIRE(live);
        client->send(live->handle, actor::Local<PutBlock>(PutBlock{"w", 0, std::move(raw)}));
        return watched;
    };
    SECTION("while they are being encoded") {
        const auto watched = put();
        REQUIRE(
            eventually([&] { return rig.with_played([](const Played& p) { return p.unanswered == 1; }); }));
        CHECK_FALSE(watched.expired());
        rig.kill_and_wait();
        CHECK(eventually([&] { return watched.expired(); }));
    }
    SECTION("while the journal is being read") {
        const HeldDisk held(rig.disk());
        rig.kill_and_wait();
        const auto watched = put(); // the next life holds it back
        rig.kill_and_wait();
        CHECK(eventually([&] { return watched.expired(); }));
    }
}

TEST_CASE_METHOD(RunningRig,
                 "a manager that still reads its journal holds back some requests and refuses the rest") {
    auto held = std::make_unique<HeldDisk>(disk());
    kill_and_wait();
    std::atomic<int> taken{0};
    std::atomic<int> refused{0};
    {
        std::vector<std::jthread> clients;
        for (int i = 0; i < 300; ++i) {
            clients.emplace_back([&, i] {
                const auto begun = begin("w" + std::to_string(i));
                if (!begun && begun.error().code == Errc::resource_exhausted)
                    ++refused;
                else
                    ++taken;
            });
        }
        CHECK(eventually([&] { return refused == 300 - 256; }));
        CHECK(taken == 0);
        held.reset();
    }
    CHECK(taken + refused == 300);
    CHECK(taken == 100); // which is what admission lets in
}

TEST_CASE("a full disk queue refuses what may be refused, and delays what may not") {
    ManagerRig rig;
    rig.start_process();
    require_ok(rig.begin("w"));
    const auto refs = rig.put_all("w", 1);
    auto held = std::make_unique<HeldDisk>(rig.disk());
    while (rig.disk().try_submit([] {})) {
    }
    const auto refused = rig.begin("w2");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::resource_exhausted);
    std::optional<Result<PutReceipt>> receipt;
    {
        std::jthread client([&] { receipt = rig.ask(ManagerRig::seal_of("w", refs)); });
        REQUIRE(eventually([&] { return !rig.put("w", raw_number(2)); })); // it is being sealed
        held.reset();
    }
    require_ok(*receipt);
    require_ok(rig.begin("w2")); // the refused one left nothing behind
}
