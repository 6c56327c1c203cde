// The named scenarios: each makes a plan from a seed. The list, with a sentence each, is what
// `dwcp-sim --list` prints; those adversaries of consensus.md section 5 that belong to other engines stand in
// it as well, with the reason why they do not apply.
#pragma once

#include "tests/sim/consensus/plan.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace dwcp::sim {

struct Scenario {
    std::string_view name;
    std::string_view sentence;
    std::string_view adversaries; ///< Numbers of consensus.md section 5.
    bool pbft = true;
    bool probft = true;
    /// Adds what the scenario is about to a plan with ordinary links and no faults.
    void (*lay)(Plan& plan, Random& random) = nullptr;

    bool applies_to(consensus::EngineKind engine) const;
};

/// In the order of the list.
std::span<const Scenario> scenarios();
const Scenario* find_scenario(std::string_view name);

/// Adversaries that no scenario here is about.
struct NotApplicable {
    std::string_view adversary;
    std::string_view reason;
};
std::span<const NotApplicable> not_applicable();

enum class Mode : std::uint8_t {
    both,     ///< Faults, then healing and progress.
    safety,   ///< Faults to the end.
    liveness, ///< Few faults and soon healing.
};

/// `n`: replicas; 0: four or seven, by the seed.
Plan plan_for(const Scenario& scenario, consensus::EngineKind engine, std::size_t n, std::uint64_t seed,
              Mode mode = Mode::both);

} // namespace dwcp::sim
