// A put through a real manager: what it promises while nothing breaks down.
#include "tests/actors/manager_rig.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

/// Asks on a thread of its own, for requests whose answer is to come later.
template<class Request>
class Asked {
  public:
    Asked(ManagerRig& rig, Request request)
        : thread_([this, &rig, request = std::move(request)] {
              auto answer = rig.ask(request);
              const std::lock_guard lock(mutex_);
              answer_ = std::move(answer);
          }) {}

    Result<typename Request::Reply> get() {
        thread_.join();
        return *answer_;
    }
    bool answered() {
        const std::lock_guard lock(mutex_);
        return answer_.has_value();
    }

  private:
    std::mutex mutex_;
    std::optional<Result<typename Request::Reply>> answer_;
    std::jthread thread_;
};

} // namespace

TEST_CASE_METHOD(RunningRig, "a put goes from its begin to its receipt") {
    const auto begun = begin("w");
    require_ok(begun);
    CHECK(begun->placement == std::vector<NodeName>{"a", "b"});
    CHECK(state_of("w") == "open");
    const auto refs = put_all("w", 3);
    const auto receipt = ask(seal_of("w", refs));
    require_ok(receipt);
    CHECK(receipt->index == 1);
    CHECK(receipt->blocks == 3);
    CHECK(receipt->stored_bytes == refs[0].stored_bytes + refs[1].stored_bytes + refs[2].stored_bytes);
    std::uint64_t counted = 0;
    for (const auto& [codec, blocks] : receipt->blocks_by_codec)
        counted += blocks;
    CHECK(counted == 3);
    CHECK(receipt->manifest.size_bytes == 60'000);

    const auto stored = metadata().find("dir/object").value();
    REQUIRE(stored);
    CHECK(stored->manifest.blocks == refs);
    CHECK(stored->manifest.replicas == std::vector<NodeName>{"a", "b"});
    CHECK(stored->manifest.content_type == "text/plain");
    keeper().sweep();
    for (std::size_t i = 0; i < refs.size(); ++i) {
        CHECK(*keeper().read(refs[i].hash).value() == *raw_number(i, 20'000));
        CHECK(data.with("b", [&](const auto& peer) { return peer.blocks.contains(refs[i].hash); }));
    }
    const auto done = report("w");
    REQUIRE(done);
    CHECK(done->state == "committed");
    CHECK(done->index == 1);
    CHECK(done->manager == "manager/0");
    CHECK_FALSE(done->resumed);
    CHECK_FALSE(uploads().find("w"));
}

TEST_CASE_METHOD(RunningRig, "an empty object and one for this node alone need no replica") {
    require_ok(begin("w1", "empty"));
    require_ok(ask(seal_of("w1", {})));
    CHECK(metadata().find("empty").value()->manifest.size_bytes == 0);
    require_ok(begin("w2", "here", 1));
    require_ok(ask(seal_of("w2", put_all("w2", 1))));
    CHECK(metadata().find("here").value()->manifest.replicas == std::vector<NodeName>{"a"});
    CHECK(data.blocks_at("b") == 0);
}

TEST_CASE_METHOD(RunningRig, "a long object is committed with an index, and its receipt counts every block") {
    require_ok(begin("w", "long", 2));
    auto refs = put_all("w", 2, 300);
    refs.resize(1000, refs[0]);
    const auto receipt = ask(seal_of("w", refs));
    require_ok(receipt);
    CHECK(receipt->blocks == 1000);
    const auto stored = metadata().find("long").value();
    REQUIRE(stored);
    CHECK(stored->manifest.blocks.empty());
    REQUIRE(stored->manifest.index_blocks.size() == 1);
    const auto index = stored->manifest.index_blocks[0].hash;
    CHECK(data.with("b", [&](const auto& peer) { return peer.blocks.contains(index); }));
    kill_and_wait();
    const auto again = ask(seal_of("w", refs));
    require_ok(again);
    check_same(again, receipt);
}

TEST_CASE_METHOD(RunningRig, "every request may come twice") {
    const auto first = begin("w");
    const auto second = begin("w");
    require_ok(first);
    require_ok(second);
    CHECK(first->placement == second->placement);
    const auto refs = put_all("w", 2);
    CHECK(put_all("w", 2) == refs);
    const auto receipt = ask(seal_of("w", refs));
    require_ok(receipt);
    CHECK(receipt->blocks == 2); // a block that came twice is in it once
    const auto again = ask(seal_of("w", refs));
    require_ok(again);
    check_same(again, receipt);
    CHECK(with_played([](const Played& p) { return p.placements; }) == 1);
    CHECK(with_played([](const Played& p) { return p.last_index; }) == 1);
    CHECK(begin("w").error().code == Errc::already_exists);
    require_ok(ask(AbortPut{"w", "too late"}));
    CHECK(state_of("w") == "committed");
}

TEST_CASE("a begin that comes twice before it is placed takes one place") {
    ManagerRig rig;
    rig.options.admission = {100'000, 100'000, 2};
    rig.played.allocator_silent = true;
    rig.start_process();
    {
        Asked<BeginPut> first(rig, {"w", "k", "", {}, 0, {}});
        Asked<BeginPut> second(rig, {"w", "k", "", {}, 0, {}});
        REQUIRE(
            eventually([&] { return rig.with_played([](const Played& p) { return p.placements >= 1; }); }));
        REQUIRE(rig.ask(QueryWorkloads{}).value().list.size() == 1);
        rig.with_played([](Played& p) { p.allocator_silent = false; });
        rig.kill("allocator/0"); // its next life is asked again, and answers both
        for (auto* asked : {&first, &second}) {
            const auto begun = asked->get();
            require_ok(begun);
            CHECK(begun->placement == std::vector<NodeName>{"a", "b"});
        }
    }
    require_ok(rig.begin("other")); // the second place is free
    CHECK(rig.begin("third").error().code == Errc::resource_exhausted);
    require_ok(rig.ask(AbortPut{"w", "enough"}));
    require_ok(rig.begin("third"));
}

TEST_CASE("admission refuses above its limits, and an ended workload frees its place") {
    ManagerRig rig;
    rig.options.admission = {100'000, 100'000, 2};
    rig.start_process();
    for (int round = 0; round < 3; ++round) {
        const auto id = [&](const char* name) { return name + std::to_string(round); };
        require_ok(rig.begin(id("sealed")));
        require_ok(rig.begin(id("aborted")));
        const auto refused = rig.begin(id("third"));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::resource_exhausted);
        CHECK_FALSE(refused.error().remedy.empty());
        CHECK(rig.state_of(id("third")) == "unknown");
        require_ok(rig.ask(ManagerRig::seal_of(id("sealed"), rig.put_all(id("sealed"), 1))));
        require_ok(rig.ask(AbortPut{id("aborted"), "changed my mind"}));
    }
    rig.with_played([](Played& p) {
        p.place = [](const auto&) -> Result<std::vector<NodeName>> {
            return fail(Errc::precondition_failed, "no site has room");
        };
    });
    for (int i = 0; i < 5; ++i) // a refused placement holds no place either
        CHECK(rig.begin("unplaced").error().code == Errc::precondition_failed);
    CHECK_FALSE(rig.uploads().find("unplaced"));
}

TEST_CASE("the rate of arrivals is limited") {
    ManagerRig rig;
    rig.options.admission = {1, 3, 100};
    rig.start_process();
    const auto begin = std::chrono::steady_clock::now();
    int taken = 0;
    for (int i = 0; i < 8; ++i)
        taken += rig.begin("w" + std::to_string(i)).has_value();
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    CHECK(taken >= 3);
    CHECK(taken <= 3 + static_cast<int>(seconds));
}

TEST_CASE_METHOD(RunningRig, "a request that is wrong is refused with the reason") {
    CHECK(begin("w", "a/../b").error().code == Errc::invalid_argument);
    CHECK(begin("", "k").error().code == Errc::invalid_argument);
    CHECK(begin(std::string(65, 'w'), "k").error().code == Errc::invalid_argument);
    CHECK(ask(BeginPut{"w", "k", "", std::uint64_t{1} << 40, 0, {}}).error().code == Errc::too_large);
    CHECK(put("nobody", raw_number(1)).error().code == Errc::precondition_failed);
    CHECK(ask(seal_of("nobody", {})).error().code == Errc::precondition_failed);
    require_ok(begin("w"));
    CHECK(put("w", share({})).error().code == Errc::invalid_argument);
    CHECK(put("w", share(Bytes(kBlockBytes + 1))).error().code == Errc::invalid_argument);
    CHECK(put("w", nullptr).error().code == Errc::invalid_argument);
    CHECK(state_of("w") == "open");
}

TEST_CASE_METHOD(RunningRig, "a seal that cannot be kept fails the workload and nothing else") {
    require_ok(begin("w"));
    auto seal = seal_of("w", put_all("w", 2));
    Errc expected = Errc::invalid_argument;
    SECTION("it names a block that was never put") {
        seal.blocks[1].hash = block_number(77).hash;
        expected = Errc::precondition_failed;
    }
    SECTION("its sizes do not add up") { ++seal.size_bytes; }
    SECTION("it has an impossible block") {
        seal.size_bytes -= seal.blocks[0].raw_bytes;
        seal.blocks[0].raw_bytes = 0;
    }
    const auto receipt = ask(seal);
    REQUIRE_FALSE(receipt);
    CHECK(receipt.error().code == expected);
    CHECK(state_of("w") == "failed");
    CHECK(has_event("workload_failed", "w"));
    CHECK_FALSE(metadata().find("dir/object").value().has_value());
    CHECK(ask(seal).error().code == expected); // the same answer again
    CHECK(eventually([&] { return !store().has_block(block_number(0).hash); }));
    require_ok(begin("w2"));
    require_ok(ask(seal_of("w2", put_all("w2", 2))));
}

TEST_CASE_METHOD(RunningRig, "an aborted put frees its blocks") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 2);
    keeper().sweep();
    CHECK(store().has_block(refs[0].hash));
    require_ok(ask(AbortPut{"w", std::string(100'000, 'x')}));
    CHECK(state_of("w") == "failed");
    CHECK(report("w")->reason.size() <= 512);
    CHECK(eventually([&] { return !store().has_block(refs[0].hash) && !store().has_block(refs[1].hash); }));
    CHECK_FALSE(uploads().find("w"));
    CHECK(put("w", raw_number(5)).error().code == Errc::precondition_failed);
    CHECK(ask(seal_of("w", refs)).error().code == Errc::cancelled);
}

TEST_CASE_METHOD(RunningRig, "a replica that is away is replaced, and the commit names the new one") {
    data.set_down("b");
    require_ok(begin("w"));
    with_played([](Played& p) {
        p.place = [](const allocator::PlaceReplicas& request) -> Result<std::vector<NodeName>> {
            CHECK(request.without == std::vector<NodeName>{"b"});
            return std::vector<NodeName>{"a", "c"};
        };
    });
    const auto receipt = ask(seal_of("w", put_all("w", 3)));
    require_ok(receipt);
    CHECK(receipt->manifest.replicas == std::vector<NodeName>{"a", "c"});
    CHECK(data.blocks_at("c") == 3);
    CHECK(data.blocks_at("b") == 0);
}

TEST_CASE_METHOD(RunningRig, "a replica that fails a block is not sent the next ones until the seal") {
    data.set_down("b");
    require_ok(begin("w"));
    const auto refs = put_all("w", 1);
    REQUIRE(eventually([&] { // the manager has heard of the failure
        const auto before = data.with("b", [](const auto& peer) { return peer.sends; });
        require_ok(ask(PutBlock{"w", 1, raw_number(1)}));
        return data.with("b", [](const auto& peer) { return peer.sends; }) == before;
    }));
    data.set_down("b", false);
    require_ok(ask(seal_of("w", refs)));
    CHECK(data.with("b", [&](const auto& peer) { return peer.blocks.contains(refs[0].hash); }));
}

TEST_CASE_METHOD(RunningRig, "a lane that is away delays the receipt and loses nothing") {
    with_played([](Played& p) { p.lane_away = true; });
    require_ok(begin("w"));
    Asked<SealPut> receipt(*this, seal_of("w", put_all("w", 1)));
    REQUIRE(eventually([&] { return with_played([](const Played& p) { return p.submitted >= 3; }); }));
    CHECK_FALSE(receipt.answered());
    CHECK(state_of("w") == "sealed");
    require_ok(ask(AbortPut{"w", "impatient"})); // a sealed workload is past its client
    CHECK(state_of("w") == "sealed");
    with_played([](Played& p) { p.lane_away = false; });
    require_ok(receipt.get());
}

TEST_CASE_METHOD(RunningRig, "a manifest that the lane refuses for good fails its workload") {
    with_played([](Played& p) { p.lane_refuses = Error{Errc::invalid_argument, "not with me", {}}; });
    require_ok(begin("w"));
    const auto receipt = ask(seal_of("w", put_all("w", 1)));
    REQUIRE_FALSE(receipt);
    CHECK(receipt.error().message.find("not with me") != std::string::npos);
    CHECK(state_of("w") == "failed");
}

TEST_CASE_METHOD(RunningRig, "of two puts that may only create the second fails, the same again and again") {
    const auto begin_new = [&](const WorkloadId& id) {
        require_ok(ask(BeginPut{
            id, "k", "text/plain", std::nullopt, 1, std::nullopt, {wire::Condition::Kind::absent, {}}}));
    };
    begin_new("w1");
    begin_new("w2");
    const auto first = seal_of("w1", put_all("w1", 1));
    const auto mine = put("w2", raw_number(7, 5000));
    require_ok(mine);
    const auto second = seal_of("w2", {*mine});
    require_ok(ask(first));
    for (int again = 0; again < 2; ++again) {
        const auto refused = ask(second);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::condition_failed);
        CHECK(refused.error().message.find(first.sha256.hex()) != std::string::npos);
        CHECK(state_of("w2") == "failed");
        kill_and_wait();
    }
    restart_process();
    CHECK(ask(second).error().code == Errc::condition_failed);
    CHECK_FALSE(has_event("workload_failed", "w2"));
    CHECK(metadata().find("k").value()->manifest.workload == "w1");
    CHECK(eventually([&] { return !store().has_block(mine->hash); }));
}

TEST_CASE_METHOD(RunningRig, "a condition outlives its manager, and a failed one is not decided twice") {
    require_ok(ask(BeginPut{
        "w", "k", "text/plain", std::nullopt, 1, std::nullopt, {wire::Condition::Kind::absent, {}}}));
    const auto seal = seal_of("w", put_all("w", 1));
    kill_and_wait();
    require_ok(begin("other", "k", 1));
    require_ok(ask(seal_of("other", {})));
    with_played([](Played& p) { p.lane_silent = true; });
    std::optional<Result<PutReceipt>> answer;
    {
        std::jthread client([&] { answer = ask(seal); });
        REQUIRE(eventually([&] { return state_of("w") == "sealed"; }));
        kill_and_wait();
        with_played([](Played& p) { p.lane_silent = false; });
    }
    REQUIRE_FALSE(*answer);
    CHECK(answer->error().code == Errc::condition_failed);
    // The object goes: whoever asks again still gets the first decision.
    require_ok(ask(DeleteObject{"e", "k"}));
    kill_and_wait();
    CHECK(ask(seal).error().code == Errc::condition_failed);
    CHECK_FALSE(metadata().find("k").value());
}

TEST_CASE_METHOD(RunningRig, "an object is deleted only in the version that the client names") {
    require_ok(begin("w", "k", 1));
    const auto seal = seal_of("w", {});
    require_ok(ask(seal));
    const auto erase_if = [&](const WorkloadId& id, const std::string& content) {
        return ask(
            DeleteObject{id, "k", {wire::Condition::Kind::is_one_of, {crypto::sha256(as_bytes(content))}}});
    };
    CHECK(erase_if("e1", "another").error().code == Errc::condition_failed);
    CHECK(metadata().find("k").value());
    const auto erased = erase_if("e2", "w");
    require_ok(erased);
    CHECK(erased->existed);
    CHECK(erase_if("e2", "w")->existed); // the same request once more
    CHECK(erase_if("e3", "w").error().code == Errc::condition_failed);
}

TEST_CASE_METHOD(RunningRig, "an object is deleted once") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 1);
    require_ok(ask(seal_of("w", refs)));
    const auto deleted = ask(DeleteObject{"d1", "dir/object"});
    require_ok(deleted);
    CHECK(deleted->existed);
    CHECK(deleted->index == 2);
    CHECK(ask(DeleteObject{"d1", "dir/object"})->existed); // the same request again
    CHECK_FALSE(ask(DeleteObject{"d2", "dir/object"})->existed);
    keeper().collect_due(std::chrono::steady_clock::now() + kReadersGrace);
    CHECK_FALSE(store().has_block(refs[0].hash));
}

TEST_CASE_METHOD(RunningRig, "a block that is damaged here is fetched from a replica and repaired") {
    require_ok(begin("w"));
    const auto refs = put_all("w", 1);
    require_ok(ask(seal_of("w", refs)));
    auto damaged = store().get_block(refs[0].hash).value();
    auto bytes = *damaged.bytes;
    bytes[bytes.size() / 2] ^= 1;
    damaged.bytes = share(std::move(bytes));
    require_ok(store().replace_block(damaged));

    SECTION("and the next read finds it here") {
        const auto fetched = ask(FetchBlock{refs[0], {"a", "c", "b"}, "t"}); // c has no copy
        require_ok(fetched);
        CHECK(*fetched->raw == *raw_number(0, 20'000));
        CHECK(has_event("block_repaired", refs[0].hash.hex()));
        data.set_down("b");
        data.set_down("c");
        require_ok(ask(FetchBlock{refs[0], {"a", "c", "b"}, "t"}));
    }
    SECTION("but not from a replica that sends something else") {
        data.with("b", [&](auto& peer) { peer.blocks[refs[0].hash] = damaged; });
        const auto fetched = ask(FetchBlock{refs[0], {"a", "b"}, "t"});
        REQUIRE_FALSE(fetched);
        CHECK(fetched.error().code == Errc::corrupted);
        data.with("b", [&](auto& peer) {
            peer.blocks[refs[0].hash] = block_number(5); // another block, intact
        });
        CHECK(ask(FetchBlock{refs[0], {"a", "b"}, "t"}).error().code == Errc::corrupted);
    }
    SECTION("and without a replica the error says so") {
        data.set_down("b");
        const auto fetched = ask(FetchBlock{refs[0], {"a", "b"}, "t"});
        REQUIRE_FALSE(fetched);
        CHECK_FALSE(fetched.error().remedy.empty());
    }
}

TEST_CASE_METHOD(RunningRig, "a node that is no replica reads a block from one and keeps no copy") {
    const auto block = block_number(3);
    data.with("b", [&](auto& peer) { peer.blocks[block.hash] = block; });
    const auto fetched = ask(FetchBlock{ref_of(block), {"b"}, "t"});
    require_ok(fetched);
    CHECK(*fetched->raw == *raw_number(3));
    CHECK_FALSE(store().has_block(block.hash));
    CHECK(ask(FetchBlock{ref_of(block_number(4)), {"b"}, "t"}).error().code == Errc::unavailable);
    CHECK(ask(FetchBlock{ref_of(block_number(4)), {}, "t"}).error().code == Errc::unavailable);
}

TEST_CASE_METHOD(RunningRig, "reports come newest first") {
    for (const char* id : {"w1", "w2", "w3"}) {
        require_ok(begin(id, id));
        require_ok(ask(AbortPut{id, "enough"}));
    }
    CHECK(ask(QueryWorkloads{"", "failed"}).value().list.size() == 3);
    CHECK(ask(QueryWorkloads{"", "committed"}).value().list.empty());
    const auto counted = ask(QueryWorkloads{"", "", 1}).value();
    CHECK(counted.list.size() == 1);
    CHECK(counted.counts.at("failed") == 3);
    CHECK(ask(QueryWorkloads{"", "failed", 0}).value().counts.at("failed") ==
          3); // nobody sends the list then
    const auto reports = ask(QueryWorkloads{}).value().list;
    REQUIRE(reports.size() == 3);
    CHECK(reports[0].updated_ms >= reports[2].updated_ms);
    CHECK_FALSE(report("nobody"));
}

TEST_CASE_METHOD(RunningRig, "a replica has its full time to send a block, however short its client waits") {
    const auto block = block_number(3);
    data.with("b", [&](auto& peer) { peer.blocks[block.hash] = block; });
    FetchBlock fetch{ref_of(block), {"b"}, "t"};
    fetch.deadline = std::chrono::steady_clock::now() + 900ms; // the replica has a second
    require_ok(ask(fetch));
    data.with("b", [&](auto& peer) { CHECK(peer.fetch_deadline > fetch.deadline); });
}

TEST_CASE_METHOD(RunningRig, "what nobody waits for any more is not begun") {
    const TimePoint past = std::chrono::steady_clock::now() - milliseconds(1);
    BeginPut late{"late", "k", "", std::nullopt, 1, std::nullopt};
    late.urgency.deadline = past;
    CHECK(ask(late).error().code == Errc::deadline_exceeded);
    CHECK(ask(QueryWorkloads{"late"})->list.empty());

    require_ok(begin("w"));
    CHECK(ask(PutBlock{"w", 0, raw_number(1), past}).error().code == Errc::deadline_exceeded);
    require_ok(
        ask(PutBlock{"w", 0, raw_number(1), std::chrono::steady_clock::now() + std::chrono::hours(1)}));

    DeleteObject erase{"d", "k"};
    erase.deadline = past;
    CHECK(ask(erase).error().code == Errc::deadline_exceeded);
    FetchBlock fetch{ref_of(block_number(1)), {"a"}, "t"};
    fetch.deadline = past;
    CHECK(ask(fetch).error().code == Errc::deadline_exceeded);
}

TEST_CASE_METHOD(RunningRig, "a seal that comes too late ends the workload, one in time is never dropped") {
    require_ok(begin("late"));
    auto seal = seal_of("late", put_all("late", 1));
    seal.deadline = std::chrono::steady_clock::now() - milliseconds(1);
    CHECK(ask(seal).error().code == Errc::deadline_exceeded);
    CHECK(ask(QueryWorkloads{"late"})->list.at(0).state == "failed");

    require_ok(begin("w"));
    seal = seal_of("w", put_all("w", 1));
    seal.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    const auto receipt = ask(seal);
    require_ok(receipt);
    seal.deadline = std::chrono::steady_clock::now() - milliseconds(1);
    check_same(ask(seal), receipt); // asked again, after the deadline: the receipt stands
}
