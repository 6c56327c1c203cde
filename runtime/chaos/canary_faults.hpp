// Faults of the canary releases of this node, asked for by whoever is about to serve a request with one: a
// relaxed load while there is none. Stable is never touched.
//
// Life cycle: one a node, made before its actors and links and outliving them. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/random.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace dwcp::chaos {

/// What befalls one attempt of a canary.
struct CanaryStrike {
    bool error = false;      ///< It fails before anything is acknowledged.
    bool corruption = false; ///< The block that it sends is damaged on the way.
    bool crash = false;      ///< The actor that handles it ends as in a crash.
    Duration latency{};      ///< It is delayed for so long.
};

struct CanaryFault {
    std::string system;          ///< As the plan names it: "manager".
    std::uint32_t percent = 100; ///< Of the attempts.
    CanaryStrike strike;
    std::shared_ptr<std::atomic<std::uint64_t>> hits = std::make_shared<std::atomic<std::uint64_t>>(0);
};

class CanaryFaults {
  public:
    using Id = std::uint64_t;

    explicit CanaryFaults(std::uint64_t seed) : random_(seed) {}

    Id add(CanaryFault fault);
    void remove(Id id);

    /// What befalls the next attempt of this system's canary; several faults add up.
    CanaryStrike strike(std::string_view system);
    /// The same for the next block that it sends: only whether it is damaged.
    bool corrupts(std::string_view system);

  private:
    template<class Visit>
    void each_that_hits(std::string_view system, bool of_blocks, Visit visit);

    std::atomic<bool> any_{false};
    std::mutex mutex_;
    Random random_;
    Id last_id_ = 0;
    std::map<Id, CanaryFault> faults_;
};

} // namespace dwcp::chaos
