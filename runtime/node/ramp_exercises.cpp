#include "runtime/node/ramp_exercises.hpp"

#include "runtime/caf/call.hpp"
#include "runtime/node/restore.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>

namespace dwcp::node {
namespace {

using nlohmann::json;
using ramp::Check;
using ramp::ExerciseOrder;
using ramp::ExerciseResult;

/// An actor is back in well under a second; a lane reads its log first.
constexpr Duration kRecoveryLimit = std::chrono::seconds(20);
constexpr Duration kAnswerLimit = std::chrono::seconds(2);
/// A store of some gigabytes on a slow disk.
constexpr Duration kBackupLimit = std::chrono::minutes(30);
constexpr Duration kJobLook = std::chrono::milliseconds(100);
constexpr std::size_t kScratchMemoryBytes = 64U << 20;

std::string actor_of(const ramp::System& system) {
    if (system == "selector") return "compression/0";
    if (system == "allocator") return "allocator/0";
    if (system == "probft") return "consensus/control";
    if (system == "tpbft") return "consensus/metadata";
    if (system == "bullshark") return "consensus/bulk";
    return "manager/0";
}

/// CAF answers this question through the actor's mailbox, whatever its handlers are.
bool answers(caf::actor_system& system, const caf::actor& actor) {
    bool answered = false;
    caf::scoped_actor self{system};
    self->request(actor, kAnswerLimit, caf::sys_atom_v, caf::get_atom_v, "info")
        .receive([&](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&,
                     const std::string&) { answered = true; },
                 [](const caf::error&) {});
    return answered;
}

/// A directory that is gone again at the end.
class Scratch {
  public:
    explicit Scratch(std::string path) : path_(std::move(path)) { remove(); }
    ~Scratch() { remove(); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const std::string& path() const { return path_; }

  private:
    void remove() const {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string path_;
};

Result<std::uint64_t> count_objects(const std::string& data_dir) {
    const auto restored = store::Store::open({data_dir + "/store", kScratchMemoryBytes, true});
    if (!restored) return std::unexpected(restored.error());
    std::uint64_t objects = 0;
    const auto scanned = (*restored)->scan(store::Family::manifests, "", "", [&](std::string_view, ByteView) {
        ++objects;
        return true;
    });
    if (!scanned) return std::unexpected(scanned.error());
    return objects;
}

std::uint64_t ms_since(TimePoint begin) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin)
            .count());
}

} // namespace

void RampExercises::stop() {
    std::thread thread;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        thread = std::move(thread_);
    }
    if (thread.joinable()) thread.join();
}

ExerciseResult RampExercises::run(const ExerciseOrder& order) {
    const std::lock_guard lock(mutex_);
    if (const auto known = results_.find(order); known != results_.end()) return known->second;
    ExerciseResult waits{order.what, false, false, 0, "waits for its turn"};
    if (busy_ || stopping_) return waits;
    if (thread_.joinable()) thread_.join(); // it has ended
    while (results_.size() >= kExercisesKept)
        results_.erase(results_.begin()); // the oldest stage's
    busy_ = true;
    results_[order] = {order.what, false, false, 0, "runs"};
    thread_ = std::thread([this, order] { carry_out(order); });
    return results_[order];
}

void RampExercises::carry_out(const ExerciseOrder& order) {
    const auto begin = std::chrono::steady_clock::now();
    Result<std::string> outcome =
        fail(Errc::unimplemented, "no consensus engine of this node tolerates Byzantine faults yet");
    if (order.what == Check::recovery) outcome = recover(order.system);
    if (order.what == Check::backup_restore) outcome = back_up_and_restore();
    const ExerciseResult result{order.what, true, outcome.has_value(), ms_since(begin),
                                outcome ? *outcome : outcome.error().message};
    services_.events.record("ramp_exercise", std::string(ramp::to_string(order.what)),
                            {{"ok", result.ok ? "true" : "false"},
                             {"took_ms", std::to_string(result.took_ms)},
                             {"detail", result.detail}});
    const std::lock_guard lock(mutex_);
    results_[order] = result;
    busy_ = false;
}

Result<std::string> RampExercises::recover(const ramp::System& system) const {
    const std::string path = actor_of(system);
    const auto before = services_.resolver.find(path);
    if (!before) return fail(Errc::unavailable, path + " does not run on this node");
    const auto begin = std::chrono::steady_clock::now();
    const supervisor::ActorCommand kill{supervisor::ActorCommand::Verb::kill, path, "ramp",
                                        "the ramp sees whether it comes back", false};
    if (const auto killed = services_.command(kill); !killed) return std::unexpected(killed.error());
    const auto after = services_.resolver.wait_for_life_after(path, before->life, begin + kRecoveryLimit);
    if (!after) return fail(Errc::deadline_exceeded, path + " did not come back");
    if (!answers(services_.system, after->handle))
        return fail(Errc::deadline_exceeded, path + " came back and does not answer");
    return fmt::format("{} was killed, and its next life answered after {} ms", path, ms_since(begin));
}

/// Waits for the end of a job of the backup service.
Result<json> RampExercises::await_job(Result<json> begun) const {
    if (!begun) return begun;
    const std::string id = begun->value("id", "");
    const auto deadline = std::chrono::steady_clock::now() + kBackupLimit;
    std::mutex mutex;
    std::condition_variable never;
    for (;;) {
        const auto all = services_.backups.list();
        if (!all) return all;
        const json job = all->value("job", json());
        if (!job.is_object() || job.value("id", "") != id)
            return fail(Errc::unavailable, "another job of the backup service came between");
        const std::string state = job.value("state", "");
        if (state == "done") return job;
        if (state == "failed") return fail(Errc::internal, job.value("problem", "it failed"));
        if (stopping_ || std::chrono::steady_clock::now() > deadline)
            return fail(Errc::cancelled, "the backup did not come to its end in time");
        std::unique_lock lock(mutex);
        never.wait_for(lock, kJobLook);
    }
}

Result<std::string> RampExercises::back_up_and_restore() const {
    const auto taken = await_job(services_.backups.start({{"scope", "node"}}, {}));
    if (!taken) return std::unexpected(taken.error());
    const std::string id = taken->value("id", "");
    const auto verified = await_job(services_.backups.verify(id));
    if (!verified) return std::unexpected(verified.error());
    const json found = verified->value("result", json::object());
    if (!found.value("ok", false)) return fail(Errc::corrupted, "backup " + id + " is damaged");
    const auto listed = services_.backups.list();
    if (!listed) return std::unexpected(listed.error());
    const Scratch scratch(services_.config.data_dir + "/exercise-restore");
    config::NodeConfig there = services_.config;
    there.data_dir = scratch.path();
    const auto restored = restore_node(there, listed->value("directory", "") + "/" + id,
                                       [this](std::uint64_t) { return !stopping_; });
    if (!restored) return std::unexpected(restored.error());
    const auto objects = count_objects(scratch.path());
    if (!objects) return std::unexpected(objects.error());
    if (*objects != found.value("objects", std::uint64_t{0}))
        return fail(Errc::corrupted, fmt::format("backup {} has {} objects, the restored store {}", id,
                                                 found.value("objects", std::uint64_t{0}), *objects));
    return fmt::format("backup {} was read in full and restored: {} objects, {} blocks", id, *objects,
                       found.value("blocks", std::uint64_t{0}));
}

} // namespace dwcp::node
