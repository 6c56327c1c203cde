// One simulated run of a lane: clients in closed loops, faults for a while, then a healed world in which
// everything must finish. The seed decides all of it; the same seed gives the same run.
#pragma once

#include "protocols/base/random.hpp"
#include "tests/sim/lane/majority_write_member.hpp"
#include "tests/sim/lane/witness.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::sim {

struct RunOptions {
    std::uint64_t seed = 1;
    std::size_t members = 3;
    std::size_t clients = 8;
    Duration faults_for = std::chrono::seconds(5);
    Duration fault_every = milliseconds(200); ///< On average.
    /// After healing, all that was submitted must be answered and applied on every member within this.
    Duration heal_for = std::chrono::seconds(20);
    bool crashes = true;
    bool partitions = true;
    bool bad_network = true;
};

using MemberFactory = std::function<std::unique_ptr<Member>(
    Surroundings world, Observer observer, const NodeName& self, const std::vector<NodeName>& all)>;

struct RunReport {
    std::string violation; ///< Empty: every invariant held and everything finished.
    std::size_t answered = 0;
    std::size_t entries = 0;
    std::uint64_t crashes = 0;
    std::uint64_t datagrams = 0;
    Hash256 trace; ///< Digest of everything applied and answered, with its time.
};

RunReport run_lane(const RunOptions& options, const MemberFactory& factory);

} // namespace dwcp::sim
