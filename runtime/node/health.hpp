// Whether the parts of this node work: every actor probed through its mailbox, the store by a write, links
// and lanes looked at.
//
// Life cycle: one a node, thread-safe. A report costs an fsync and a round trip through every mailbox, so it
// is made at most once a second, by whoever asks first; others meanwhile get the one before. All actors are
// asked at once: ten that hang cost one deadline, not ten. A report that has not been renewed for long says
// "unhealthy" by itself: whoever examines hangs, so a disk that hangs is seen and holds one thread only.
// What costs more than that is looked at less often (deep_health.hpp); its latest results are part of each
// report, with their age.
#pragma once

#include "actors/supervisor/board.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/store/store.hpp"

#include <caf/actor_system.hpp>
#include <nlohmann/json.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

namespace dwcp::node {

class DeepHealth;

class Health {
  public:
    Health(caf::actor_system& system, actor::Resolver& resolver, supervisor::Board& board,
           store::Store& store, links::ControlLinks& control)
        : system_(system), resolver_(resolver), board_(board), store_(store), control_(control) {}

    /// {"status": "healthy|degraded|unhealthy", "checks": [{"name", "ok", "detail", "seconds"}], "age_s"};
    /// made a second ago at most, or being renewed.
    /// The deep checks have an "age_s" of their own; "recoveries": [{"part", "state", "attempts", "reason"}].
    nlohmann::json report();

    /// How badly clients are served, shown as "degradation"; before anybody asks for a report.
    void show_degradation(std::function<nlohmann::json()> view) { degradation_ = std::move(view); }
    /// From now on its results are shown, too; null: not any more.
    void show(const DeepHealth* deep);

  private:
    class Checks;
    nlohmann::json examine();
    nlohmann::json last() const;
    void add_deep(nlohmann::json& report) const;
    void ask_actors(Checks& checks);
    void write_to_store(Checks& checks);

    caf::actor_system& system_;
    actor::Resolver& resolver_;
    supervisor::Board& board_;
    store::Store& store_;
    links::ControlLinks& control_;

    std::function<nlohmann::json()> degradation_;
    std::mutex mutex_;
    std::condition_variable examined_;
    bool examining_ = false;
    const DeepHealth* deep_ = nullptr;
    nlohmann::json last_;
    TimePoint made_{};
};

} // namespace dwcp::node
