// A node around one real manager: real store, journal, compression and supervisor; the lane, the allocator
// and the peers are played. Real threads: a test waits for what it expects.
#pragma once

#include "actors/allocator/messages.hpp"
#include "actors/compression/compression_actor.hpp"
#include "actors/compression/messages.hpp"
#include "actors/consensus/messages.hpp"
#include "actors/manager/journal.hpp"
#include "actors/manager/manager_actor.hpp"
#include "actors/manager/messages.hpp"
#include "actors/manager/metadata.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/release/release_registry.hpp"
#include "tests/unit/manager/fake_data_plane.hpp"
#include "tests/unit/manager/keeper_fixture.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::manager::test {

using namespace std::chrono_literals;

/// Longer than anything here takes on a busy machine; only a failing test waits for it.
inline constexpr auto kPatience = 20s;

inline bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

inline void check_same(const Result<PutReceipt>& a, const Result<PutReceipt>& b) {
    require_ok(a);
    require_ok(b);
    CHECK(a->manifest == b->manifest);
    CHECK(a->index == b->index);
    CHECK(a->stored_bytes == b->stored_bytes);
    CHECK(a->blocks == b->blocks);
    CHECK(a->blocks_by_codec == b->blocks_by_codec);
}

/// The metadata lane and the allocator as the manager sees them; outlive processes.
struct Played {
    std::mutex mutex;
    bool lane_away = false;   ///< Answers unavailable.
    bool lane_silent = false; ///< Answers nothing, until it speaks again.
    std::optional<Error> lane_refuses;
    std::size_t submitted = 0;
    std::uint64_t last_index = 0;
    std::map<std::string, consensus::CommandCommitted> outcomes;

    std::function<Result<std::vector<NodeName>>(const allocator::PlaceReplicas&)> place;
    std::size_t placements = 0;
    bool allocator_silent = false;
    bool compression_silent = false;
    std::size_t unanswered = 0;
};

class LaneActor final : public actor::Actor {
  public:
    LaneActor(caf::actor_config& config, actor::ActorContext context, Played* played, Metadata* metadata,
              store::Store* store)
        : Actor(config, std::move(context)), played_(*played), metadata_(*metadata), store_(*store) {}

  protected:
    caf::behavior handlers() override {
        return {on_later<consensus::SubmitCommand>(
            [this](const consensus::SubmitCommand& r, actor::Ticket t) { submit(r, t); })};
    }

  private:
    void submit(const consensus::SubmitCommand& request, actor::Ticket ticket) {
        const std::lock_guard lock(played_.mutex);
        ++played_.submitted;
        if (played_.lane_silent) {
            after(2ms, [this, request, ticket] { submit(request, ticket); });
            return;
        }
        if (played_.lane_away) return refuse(ticket, {Errc::unavailable, "no quorum", {}});
        if (played_.lane_refuses) return refuse(ticket, *played_.lane_refuses);
        auto& outcome = played_.outcomes[request.command.id];
        if (outcome.index == 0) {
            const consensus::Entry entry{++played_.last_index, 1, "a", request.command};
            store::Batch batch;
            outcome = {entry.index, entry.time_ms, false, metadata_.apply(entry, batch)};
            if (!store_.write(batch, store::Sync::no)) return refuse(ticket, {Errc::io_error, "disk", {}});
            metadata_.applied(entry);
        }
        auto answer = outcome;
        outcome.duplicate = true;
        settle<consensus::CommandCommitted>(ticket, std::move(answer));
    }

    Played& played_;
    Metadata& metadata_;
    store::Store& store_;
};

class AllocatorActor final : public actor::Actor {
  public:
    AllocatorActor(caf::actor_config& config, actor::ActorContext context, Played* played)
        : Actor(config, std::move(context)), played_(*played) {}

  protected:
    caf::behavior handlers() override {
        return {
            on_later<allocator::PlaceReplicas>([this](const allocator::PlaceReplicas& r, actor::Ticket t) {
                const std::lock_guard lock(played_.mutex);
                ++played_.placements;
                if (played_.allocator_silent) return;
                auto nodes = played_.place(r);
                if (nodes)
                    settle<allocator::ReplicasPlaced>(t, allocator::ReplicasPlaced{*nodes});
                else
                    refuse(t, nodes.error());
            })};
    }

  private:
    Played& played_;
};

/// Takes blocks and never answers.
class SilentCompression final : public actor::Actor {
  public:
    SilentCompression(caf::actor_config& config, actor::ActorContext context, Played* played)
        : Actor(config, std::move(context)), played_(*played) {}

  protected:
    caf::behavior handlers() override {
        return {on_later<compression::EncodeBlock>([this](const compression::EncodeBlock&, actor::Ticket) {
            const std::lock_guard lock(played_.mutex);
            ++played_.unanswered;
        })};
    }

  private:
    Played& played_;
};

class ManagerRig {
  public:
    ManagerRig() {
        options.self = "a";
        options.replicas_default = 2;
        options.object_bytes_max = 1U << 30;
        options.data_deadline = 1s;
        options.admission = {100'000, 100'000, 100};
        options.timing = {5ms, 50ms, 300ms};
        played.place = [](const allocator::PlaceReplicas& request) -> Result<std::vector<NodeName>> {
            const std::vector<NodeName> nodes{"a", "b", "c"};
            return std::vector<NodeName>(nodes.begin(), nodes.begin() + std::min(request.replicas, 3U));
        };
    }
    ~ManagerRig() { end_process(); }

    void start_process() {
        store_ = store::test::open_store(dir_.store());
        keeper_ = std::make_unique<BlockKeeper>(options.self, *store_, events);
        metadata_ = std::make_unique<Metadata>(options.self, *store_, *keeper_);
        require_ok(Journal(*store_).recover([](const std::string&) { return true; }, *keeper_));
        keeper_->sweep();
        uploads_ = std::make_unique<OpenUploads>();
        resolver_ = std::make_unique<actor::Resolver>();
        tree_ = std::make_unique<supervisor::TreeMemory>(
            supervision::BudgetLimits{.burst = 1'000, .refill = std::chrono::milliseconds(1)});
        system_ = std::make_unique<actor::System>(actor::SystemOptions{.threads = 2});
        disk_ = std::make_unique<WorkerPool>("disk", 2, 4096);
        codecs_ = std::make_unique<WorkerPool>("codec", 1, 256);
        actor::ActorContext context{.path = "supervisor", .resolver = resolver_.get()};
        supervisor::Plan plan;
        plan.spec.path = "supervisor";
        plan.spec.intensity = {supervision::kRecordMax, std::chrono::seconds(1)}; // tests kill often
        plan.children = children();
        root_ = supervisor::spawn_supervisor(*system_, std::move(context),
                                             std::make_shared<const supervisor::Plan>(std::move(plan)),
                                             *tree_, events, [](int) {});
    }

    void end_process() {
        if (!system_) return;
        {
            caf::scoped_actor waiter{system_->get()};
            waiter->send_exit(root_, caf::exit_reason::user_shutdown);
            waiter->wait_for(root_);
        }
        root_ = nullptr;
        disk_->stop();
        codecs_->stop();
        data.settle();
        resolver_->close();
        system_.reset();
        disk_.reset();
        codecs_.reset();
        metadata_.reset();
        keeper_.reset();
        store_.reset();
    }

    void restart_process() {
        end_process();
        start_process();
    }

    /// While no process runs: the journal says of a committed workload what it said before.
    void back_to_sealed(const WorkloadId& id, const std::vector<BlockRef>& refs) {
        const auto store = store::test::open_store(dir_.store());
        auto record =
            wire::decode_journal_record(store->get(store::Family::journal, id).value().value()).value();
        record.state = wire::JournalRecord::State::sealed;
        record.index = 0;
        record.manifest.blocks = refs;
        store::Batch batch;
        batch.put(store::Family::journal, id, wire::encode(record));
        require_ok(store->write(batch, store::Sync::yes));
    }

    void kill(const std::string& path = "manager/0") {
        if (const auto live = resolver_->find(path))
            caf::anon_send_exit(live->handle, caf::exit_reason::kill);
    }
    /// Kills the manager and waits until it is gone.
    void kill_and_wait() {
        const auto live =
            resolver_->wait_for_life_after("manager/0", 0, std::chrono::steady_clock::now() + kPatience);
        REQUIRE(live);
        caf::anon_send_exit(live->handle, caf::exit_reason::kill);
        REQUIRE(eventually([&] {
            const auto next = resolver_->find("manager/0");
            return !next || next->life > live->life;
        }));
    }

    template<class Request>
    Result<typename Request::Reply> ask(const Request& request, Duration deadline = kPatience,
                                        const std::string& path = "manager/0") {
        auto reply = actor::call(system_->get(), *resolver_, path, request,
                                 std::chrono::steady_clock::now() + deadline);
        if (!reply) return std::unexpected(reply.error());
        return **reply;
    }

    Result<PutBegun> begin(const WorkloadId& id, const std::string& key = "dir/object",
                           std::uint32_t replicas = 0) {
        return ask(BeginPut{id, key, "text/plain", std::nullopt, replicas, std::nullopt});
    }
    Result<BlockRef> put(const WorkloadId& id, const SharedBytes& raw, std::uint32_t index = 0) {
        auto accepted = ask(PutBlock{id, index, raw});
        if (!accepted) return std::unexpected(accepted.error());
        return accepted->ref;
    }
    std::vector<BlockRef> put_all(const WorkloadId& id, std::size_t count, std::size_t size = 20'000) {
        std::vector<BlockRef> refs;
        for (std::size_t i = 0; i < count; ++i) {
            auto ref = put(id, raw_number(i, size), static_cast<std::uint32_t>(i));
            require_ok(ref);
            refs.push_back(*ref);
        }
        return refs;
    }
    static SealPut seal_of(const WorkloadId& id, const std::vector<BlockRef>& refs) {
        SealPut seal{id, refs, 0, crypto::sha256(as_bytes(id))};
        for (const auto& ref : refs)
            seal.size_bytes += ref.raw_bytes;
        return seal;
    }
    std::optional<WorkloadReport> report(const WorkloadId& id) {
        auto reports = ask(QueryWorkloads{id});
        require_ok(reports);
        if (reports->list.empty()) return std::nullopt;
        REQUIRE(reports->list.size() == 1);
        return reports->list[0];
    }
    std::string state_of(const WorkloadId& id) {
        const auto found = report(id);
        return found ? found->state : "unknown";
    }
    bool has_event(const std::string& name, const std::string& subject) const {
        for (const auto& event : events.latest(kEventsKept)) {
            if (event.name == name && event.subject == subject) return true;
        }
        return false;
    }
    /// Runs `look` on what plays the lane and the allocator while nobody else does.
    template<class Look>
    auto with_played(Look look) {
        const std::lock_guard lock(played.mutex);
        return look(played);
    }

    store::Store& store() { return *store_; }
    BlockKeeper& keeper() { return *keeper_; }
    Metadata& metadata() { return *metadata_; }
    OpenUploads& uploads() { return *uploads_; }
    WorkerPool& disk() { return *disk_; }
    actor::Resolver& resolver() { return *resolver_; }
    actor::System& system() { return *system_; }

    Played played;
    FakeDataPlane data;
    EventRing events;
    ManagerOptions options;
    release::ReleaseRegistry registry{"a", events};
    chaos::CanaryFaults faults{1};
    release::ReleaseSwitch* releases = nullptr; ///< Null: this node has no releases.
    release::ReleaseSwitch* selector = nullptr;

  private:
    supervisor::Child child(const std::string& path, std::function<caf::actor(actor::ActorContext)> start) {
        supervision::ChildSpec spec;
        spec.id = path;
        spec.backoff = {.min = 1ms, .max = 20ms, .jitter_ratio = 0.2, .reset_after = 1s};
        return {std::move(spec), std::move(start)};
    }

    std::vector<supervisor::Child> children() {
        return {child("consensus/metadata",
                      [this](actor::ActorContext c) -> caf::actor {
                          return system_->get().spawn<LaneActor>(std::move(c), &played, metadata_.get(),
                                                                 store_.get());
                      }),
                child("allocator/0",
                      [this](actor::ActorContext c) -> caf::actor {
                          return system_->get().spawn<AllocatorActor>(std::move(c), &played);
                      }),
                child("compression/0",
                      [this](actor::ActorContext c) -> caf::actor {
                          if (played.compression_silent)
                              return system_->get().spawn<SilentCompression>(std::move(c), &played);
                          return compression::spawn_compression(
                              *system_, std::move(c), {[] { return 1000.0; }, selector, &faults}, *codecs_);
                      }),
                manager()};
    }

    supervisor::Child manager() {
        auto made = child("manager/0", [this](actor::ActorContext c) -> caf::actor {
            return spawn_manager(
                *system_, std::move(c), options,
                {*store_, *keeper_, data, events, *disk_, *uploads_, *metadata_, releases, &faults});
        });
        if (releases == nullptr) return made;
        made.spec.roll_back = {3, 60s};
        made.spec.last_good = releases->names().stable;
        made.release = [this] {
            const bool canary = releases->canary_percent() > 0;
            return releases->name_of(canary ? release::Release::canary : release::Release::stable);
        };
        made.on_trial = [this] { return releases->on_trial(); };
        made.roll_back = [this](const std::string&, const std::string&, const std::string& why) {
            releases->force_stable(why);
            return Result<void>();
        };
        return made;
    }

    store::test::TempDir dir_;
    std::unique_ptr<supervisor::TreeMemory> tree_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<BlockKeeper> keeper_;
    std::unique_ptr<Metadata> metadata_;
    std::unique_ptr<OpenUploads> uploads_;
    std::unique_ptr<actor::Resolver> resolver_;
    std::unique_ptr<actor::System> system_;
    std::unique_ptr<WorkerPool> disk_;
    std::unique_ptr<WorkerPool> codecs_;
    caf::actor root_;
};

/// A rig whose process runs.
class RunningRig : public ManagerRig {
  public:
    RunningRig() { start_process(); }
};

} // namespace dwcp::manager::test
