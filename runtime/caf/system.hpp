// The node's one CAF actor system, configured so that its dangerous defaults are off.
#pragma once

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <cstdint>
#include <memory>

namespace dwcp::actor {

struct SystemOptions {
    std::uint32_t heartbeat_interval_ms = 500; ///< Off by default in CAF; both ends must use the same values.
    std::uint32_t heartbeat_timeout_ms = 2000;
    std::uint32_t threads = 0;  ///< 0: one a core, at least 2.
    bool deterministic = false; ///< Tests: scheduler and network run by hand, see tests/actors/fixture.hpp.
};

/// Configuration and system together, since CAF wants the first to outlive the second.
class System {
  public:
    explicit System(const SystemOptions& options);
    /// Waits for all actors; whoever owns the system ends them first.
    ~System();

    caf::actor_system& get() { return *system_; }
    operator caf::actor_system&() { return *system_; }

  private:
    struct Config;
    std::unique_ptr<Config> config_;
    std::unique_ptr<caf::actor_system> system_;
};

} // namespace dwcp::actor
