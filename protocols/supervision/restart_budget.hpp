// How many automatic restarts a whole node may do: a token bucket that its supervisors share, so that a storm
// of failures does not become a storm of restarts. Pure; one object a node, handed to Supervisor::step().
//
// Not thread-safe: a shell whose supervisors run on several threads locks it for the length of a step.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>

namespace dwcp::supervision {

struct BudgetLimits {
    std::uint32_t burst = 20;            ///< Restarts that may follow each other at once. At least 1.
    Duration refill = milliseconds(500); ///< Time in which one more becomes allowed. At least 1 ns.
};

class RestartBudget {
  public:
    /// Starts full.
    explicit RestartBudget(BudgetLimits limits = {});

    /// Takes one token if there is one.
    bool take(TimePoint now);

    /// When the next token will be there, `now` if there is one; somebody else may take it.
    TimePoint next(TimePoint now) const;

    std::uint64_t taken() const { return taken_; }
    /// How often somebody was told to wait.
    std::uint64_t refused() const { return refused_; }
    const BudgetLimits& limits() const { return limits_; }

  private:
    BudgetLimits limits_;
    TimePoint full_at_{}; ///< When it is full if nothing is taken.
    std::uint64_t taken_ = 0;
    std::uint64_t refused_ = 0;
};

} // namespace dwcp::supervision
