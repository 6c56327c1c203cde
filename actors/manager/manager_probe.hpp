// What the managers of a node measure, for /metrics.
#pragma once

#include "actors/manager/admission.hpp"
#include "protocols/wire/manifest.hpp"
#include "runtime/metrics/metrics.hpp"

#include <string>

namespace dwcp::manager {

struct ManagerProbe {
    metrics::Counter accepted =
        metrics::counter("dwcp_manager_workloads_accepted_total", "Workloads admitted and journaled.");
    metrics::Counter committed =
        metrics::counter("dwcp_manager_workloads_committed_total", "Workloads whose manifest was committed.");
    metrics::Counter failed =
        metrics::counter("dwcp_manager_workloads_failed_total", "Workloads given up with a reason.");
    metrics::Counter resumed = metrics::counter("dwcp_manager_workloads_resumed_total",
                                                "Workloads taken up again from the journal.");
    metrics::Counter rerouted = metrics::counter("dwcp_manager_replicas_rerouted_total",
                                                 "Replicas placed anew because a node stayed away.");
    metrics::Histogram seconds =
        metrics::histogram("dwcp_manager_commit_duration_seconds",
                           "From the seal of a workload to its receipt.", metrics::duration_bounds());
};

inline metrics::Counter admission_refusals(RefusalReason reason) {
    return metrics::counter("dwcp_manager_admission_refusals_total",
                            "Workloads that were not admitted, by the limit that was reached.",
                            {{"reason", std::string(to_string(reason))}});
}

inline metrics::Gauge workloads_in(wire::JournalRecord::State state) {
    return metrics::gauge("dwcp_manager_workloads", "Workloads under way, by state.",
                          {{"state", state == wire::JournalRecord::State::sealed ? "sealed" : "open"}});
}

/// Keeps the number of workloads in each state right whatever becomes of the one that holds it.
class Counted {
  public:
    Counted() { state_.add(1); }
    ~Counted() { state_.add(-1); }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    void seal() {
        state_.add(-1);
        state_ = workloads_in(wire::JournalRecord::State::sealed);
        state_.add(1);
    }

  private:
    metrics::Gauge state_ = workloads_in(wire::JournalRecord::State::open);
};

} // namespace dwcp::manager
