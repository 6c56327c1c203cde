// The ramp on a node: what its parts need to know of each other, in one place. The journal that the control
// lane drives, the releases that directives weigh, the windows of measurement, the exercises, and the answers
// to the host's polls.
//
// Polls are answered on a worker thread of the control links, without an actor: a directive that takes
// traffic from a canary reaches the switches whatever the actors do. Weight is taken from nobody but the host
// that the journal names, and so are orders of exercises.
//
// Life cycle: made by the node before its actors, and outlives them. watch() when the actors run; stop()
// while they still do. Thread-safe.
#pragma once

#include "actors/ramp/facts_window.hpp"
#include "actors/ramp/ramp_actor.hpp"
#include "runtime/base/repeater.hpp"
#include "runtime/config/config.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/node/ramp_exercises.hpp"
#include "runtime/node/ramp_facts.hpp"
#include "runtime/release/release_registry.hpp"

#include <memory>
#include <mutex>
#include <optional>

namespace dwcp::node {

struct RampNodeServices {
    const config::NodeConfig& config;
    const identity::Identity& identity;
    store::Store& store;
    EventRing& events;
    release::ReleaseRegistry& releases;
    ExerciseServices exercises;
    std::function<nlohmann::json()> configuration; ///< In force, without secrets: for evidence.
};

class RampNode {
  public:
    explicit RampNode(RampNodeServices services);
    ~RampNode() { stop(); }

    ramp::RampJournal& journal() { return journal_; }
    ramp::EvidenceStore& evidence() { return evidence_; }
    chaos::KillPoints& kill_points() { return kill_points_; }
    /// For the actor "ramp/0".
    ramp::RampOptions options() const;
    ramp::RampServices services(links::ControlLinks& links, WorkerPool& pool);

    /// Answers the host's polls and orders from now on, and looks after the leases.
    void serve(links::ControlLinks& links);
    void watch(std::function<nlohmann::json()> health, std::function<wire::NodeSpace()> space);
    void stop();

  private:
    void obey(const ramp::Directive& directive);
    ramp::NodeReport report() const;
    Result<Bytes> answer_poll(const links::PeerRequest& request);
    Result<Bytes> answer_heard() const;
    Result<Bytes> answer_order(const links::PeerRequest& request);

    const RampNodeServices services_;
    ramp::RampJournal journal_;
    ramp::EvidenceStore evidence_;
    RampExercises exercises_;
    chaos::KillPoints kill_points_;
    ramp::FactsWindow window_;
    std::unique_ptr<RampFacts> facts_;

    mutable std::mutex mutex_;
    TimePoint heard_{};              ///< When the host last said what is in force, or something newer.
    std::uint64_t recent_ms_ = 0;    ///< Of the directive in force.
    std::optional<Repeater> leases_; ///< Looks after them.
};

} // namespace dwcp::node
