// Feeds the service manager's watchdog only while actors do their work: each ping is earned by a round trip
// through the supervisor's mailbox and one through another actor's, both within half the interval. A node
// whose actors are stuck goes silent and is restarted from outside.
//
// Life cycle: made by the node when its actors run; the destructor ends its thread, at the latest when the
// probe under way meets its deadline. An actor that is not there, because it is being restarted, is the
// supervisor's business: another one is asked instead.
#pragma once

#include "protocols/base/clock.hpp"
#include "runtime/base/repeater.hpp"
#include "runtime/caf/resolver.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace dwcp::node {

struct WatchdogOptions {
    Duration interval{};                        ///< The service manager's.
    std::string supervisor_path = "supervisor"; ///< Always asked.
    std::vector<std::string> actor_paths;       ///< Workers; the first of them that runs is asked too.
    std::function<void()> ping;                 ///< Called from the watchdog's thread.
};

class Watchdog {
  public:
    Watchdog(WatchdogOptions options, caf::actor_system& system, const actor::Resolver& resolver);
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

  private:
    void look();
    bool probe();
    enum class Answer { given, ended, none };
    Answer ask(const caf::actor& actor, TimePoint deadline);

    const WatchdogOptions options_;
    caf::actor_system& system_;
    const actor::Resolver& resolver_;
    bool silent_ = false; ///< So that a stuck node says so once, not at every probe.
    Repeater looks_;      ///< Last: its turns use the rest.
};

} // namespace dwcp::node
