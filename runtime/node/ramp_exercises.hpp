// The exercises of the ramp that a node runs on itself (actors/ramp/exercise.hpp says who orders them):
//
//   recovery        kills an actor of the system as a crash would, waits for its next life and for an answer
//                   of that one
//   backup_restore  takes a backup, reads every byte of it, restores it into a scratch directory beside the
//                   node's own, opens that and counts its objects, and removes it
//   byzantine       none yet: no engine under the ramp tolerates Byzantine faults
//
// node_failure is no exercise of a node: the host sees in the reports whether a node went and came back.
//
// Life cycle: one a node. stop() while the actors still run; it ends what is under way. Thread-safe.
#pragma once

#include "actors/ramp/exercise.hpp"
#include "actors/supervisor/messages.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/config/config.hpp"
#include "runtime/node/backups.hpp"

#include <caf/fwd.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace dwcp::node {

/// Results that are remembered; a stage has a handful.
inline constexpr std::size_t kExercisesKept = 32;

struct ExerciseServices {
    const config::NodeConfig& config;
    caf::actor_system& system;
    actor::Resolver& resolver;
    BackupService& backups;
    EventRing& events;
    /// Has the supervisor that owns the actor do it (admin_verbs.hpp).
    std::function<Result<nlohmann::json>(const supervisor::ActorCommand&)> command;
};

class RampExercises final : public ramp::ExerciseRunner {
  public:
    explicit RampExercises(ExerciseServices services) : services_(std::move(services)) {}
    ~RampExercises() override { stop(); }
    void stop();

    ramp::ExerciseResult run(const ramp::ExerciseOrder& order) override;

  private:
    void carry_out(const ramp::ExerciseOrder& order);
    Result<std::string> recover(const ramp::System& system) const;
    Result<std::string> back_up_and_restore() const;
    Result<nlohmann::json> await_job(Result<nlohmann::json> begun) const;

    const ExerciseServices services_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::map<ramp::ExerciseOrder, ramp::ExerciseResult> results_;
    std::thread thread_; ///< One exercise at a time; the next order waits.
    bool busy_ = false;
};

} // namespace dwcp::node
