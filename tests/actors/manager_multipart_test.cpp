// Multi-part uploads through a real manager: acknowledged parts outlive everything, nothing is held for ever.
#include "tests/actors/manager_rig.hpp"

#include <catch2/catch.hpp>

#include <atomic>

using namespace dwcp;
using namespace dwcp::manager;
using namespace dwcp::manager::test;

namespace {

class MultipartRig : public RunningRig {
  public:
    MultipartRig() {
        options.uploads_open_max = 2;
        restart_process();
    }
    Result<PutBegun> open(const WorkloadId& id, UnixMillis expires_ms = 0) {
        BeginPut begin{id, "big", "text/plain", std::nullopt, 1, std::nullopt};
        begin.expires_ms = expires_ms != 0 ? expires_ms : unix_now_ms() + 3'600'000;
        return ask(begin);
    }
    wire::UploadPart send(const WorkloadId& id, std::uint32_t number, std::uint64_t content) {
        const auto attempt = id + "-" + std::to_string(number);
        require_ok(ask(BeginPart{id, attempt, 0}));
        const auto ref = put(id, raw_number(content, 20'000));
        require_ok(ref);
        const wire::UploadPart part{number, ref->raw_bytes, ref->hash, 0, {*ref}};
        require_ok(ask(KeepPart{id, attempt, part}));
        return part;
    }
    static SealPut seal_of(const WorkloadId& id, const std::vector<wire::UploadPart>& parts) {
        SealPut seal{id, {}, 0, {}, std::nullopt};
        for (const auto& part : parts) {
            seal.size_bytes += part.size_bytes;
            seal.blocks.insert(seal.blocks.end(), part.blocks.begin(), part.blocks.end());
        }
        return seal;
    }
    UploadReport show(const WorkloadId& id) {
        auto reports = ask(QueryUploads{id});
        require_ok(reports);
        REQUIRE(reports->list.size() == 1);
        return reports->list[0];
    }
};

} // namespace

TEST_CASE_METHOD(MultipartRig, "acknowledged parts outlive the manager and the node, and become the object") {
    require_ok(open("u"));
    auto first = send("u", 1, 1);
    kill_and_wait();
    const auto second = send("u", 2, 2);
    restart_process();
    keeper().sweep();
    REQUIRE(show("u").parts.size() == 2);
    CHECK(show("u").parts[0].sha256 == first.sha256);
    first = send("u", 1, 3); // once more, with another content
    restart_process();
    CHECK(show("u").parts[0].sha256 == first.sha256);
    CHECK(ask(ReadParts{"u"}).value().list.size() == 2);
    const auto receipt = ask(seal_of("u", {first, second}));
    require_ok(receipt);
    CHECK(receipt->blocks == 2);
    restart_process();
    check_same(ask(seal_of("u", {})), receipt);
    CHECK(show("u").state == "committed");
    CHECK(ask(ReadParts{"u"}).value().list.empty());
    CHECK(ask(BeginPart{"u", "late", 0}).error().code == Errc::precondition_failed);
    keeper().sweep();
    for (const auto& part : {first, second})
        CHECK(keeper().read(part.blocks[0].hash));
    CHECK(eventually([&] {
        keeper().sweep();
        return !store().has_block(crypto::sha256(*raw_number(1, 20'000)));
    }));
}

TEST_CASE_METHOD(MultipartRig, "an upload that is given up frees its blocks, its parts and its place") {
    require_ok(open("u1"));
    require_ok(open("u2"));
    CHECK(open("u3").error().code == Errc::resource_exhausted);
    const auto part = send("u1", 1, 1);
    require_ok(ask(AbortPut{"u1", "enough"}));
    CHECK(show("u1").state == "failed");
    CHECK(eventually([&] { return !store().has_block(part.blocks[0].hash); }));
    CHECK(eventually([&] { return ask(ReadParts{"u1"}).value().list.empty(); }));
    require_ok(open("u3"));
    CHECK(ask(QueryUploads{}).value().list.size() == 2);
    CHECK(ask(BeginPart{"nobody", "a", 0}).error().code == Errc::not_found);
}

TEST_CASE("open uploads hold no place of the bulkhead, parts on their way do") {
    ManagerRig rig;
    rig.options.admission = {100'000, 100'000, 1};
    rig.options.uploads_open_max = 9;
    rig.start_process();
    BeginPut begin{"u", "big", "", std::nullopt, 1, std::nullopt};
    begin.expires_ms = unix_now_ms() + 3'600'000;
    require_ok(rig.ask(begin));
    require_ok(rig.ask(BeginPart{"u", "a", 0}));
    require_ok(rig.ask(BeginPart{"u", "a", 0})); // asked twice
    CHECK(rig.ask(BeginPart{"u", "b", 0}).error().code == Errc::resource_exhausted);
    require_ok(rig.ask(EndPart{"u", "a"}));
    require_ok(rig.begin("w", "k", 1));
    CHECK(rig.ask(BeginPart{"u", "b", 0}).error().code == Errc::resource_exhausted);
    require_ok(rig.ask(AbortPut{"w", "enough"}));
    require_ok(rig.ask(BeginPart{"u", "b", 0}));
    require_ok(rig.ask(AbortPut{"u", "enough"}));
    require_ok(rig.begin("w2", "k", 1));
}

TEST_CASE("changed admission limits hold from the next part on") {
    std::atomic<std::uint32_t> in_flight_max = 1;
    ManagerRig rig;
    rig.options.admission_now = [&] { return AdmissionLimits{100'000, 100'000, in_flight_max}; };
    rig.options.uploads_open_max = 9;
    rig.start_process();
    BeginPut begin{"u", "big", "", std::nullopt, 1, std::nullopt};
    begin.expires_ms = unix_now_ms() + 3'600'000;
    require_ok(rig.ask(begin));
    require_ok(rig.ask(BeginPart{"u", "a", 0}));
    CHECK(rig.ask(BeginPart{"u", "b", 0}).error().code == Errc::resource_exhausted);
    in_flight_max = 2;
    require_ok(rig.ask(BeginPart{"u", "b", 0}));
}

TEST_CASE_METHOD(MultipartRig, "a completion is conditional, and its refusal ends the upload for good") {
    require_ok(begin("w", "big", 1));
    require_ok(ask(RunningRig::seal_of("w", {})));
    require_ok(open("u"));
    const auto part = send("u", 1, 1);
    auto seal = seal_of("u", {part});
    seal.condition = wire::Condition{wire::Condition::Kind::absent, {}};
    CHECK(ask(seal).error().code == Errc::condition_failed);
    restart_process();
    CHECK(ask(seal_of("u", {part})).error().code == Errc::condition_failed);
    CHECK(eventually([&] { return !store().has_block(part.blocks[0].hash); }));
}

TEST_CASE_METHOD(MultipartRig,
                 "a part with a block that never came, or over the object's limit, is refused") {
    require_ok(open("u"));
    require_ok(ask(BeginPart{"u", "a", 0}));
    const auto strange = block_number(77);
    const wire::UploadPart part{1, strange.raw_bytes, strange.hash, 0, {ref_of(strange)}};
    CHECK(ask(KeepPart{"u", "a", part}).error().code == Errc::precondition_failed);
    CHECK(ask(BeginPart{"u", "b", options.object_bytes_max + 1}).error().code == Errc::too_large);
    const wire::UploadPart huge{1, options.object_bytes_max + 1, strange.hash, 0, {}};
    CHECK(ask(KeepPart{"u", "c", huge}).error().code == Errc::too_large);
    CHECK(show("u").parts.empty());
}

TEST_CASE_METHOD(MultipartRig, "a completion that comes too late leaves the parts for the next try") {
    require_ok(open("u"));
    auto seal = seal_of("u", {send("u", 1, 1)});
    seal.deadline = std::chrono::steady_clock::now() - milliseconds(1);
    CHECK(ask(seal).error().code == Errc::deadline_exceeded);
    CHECK(show("u").state == "open");
    seal.deadline = health::kNoDeadline;
    require_ok(ask(seal));
}
