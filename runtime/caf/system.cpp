#include "runtime/caf/system.hpp"

#include "runtime/caf/messages.hpp"

#include <algorithm>
#include <thread>

namespace dwcp::actor {

struct System::Config : caf::actor_system_config {
    explicit Config(const SystemOptions& options) {
        add_message_types<caf::id_block::dwcp_messages>();
        load<caf::io::middleman>();
        // Idle workers wait for work. Those of the default policy, work stealing, look for it every 50 us for
        // a while: in a process that is never quiet for long, that cost more than the work.
        set("scheduler.policy", caf::atom("sharing"));
        set("scheduler.max-threads",
            std::size_t{options.threads != 0 ? options.threads
                                             : std::max(2U, std::thread::hardware_concurrency())});
        // CAF's own log and its default stdout printing are not ours: everything goes through runtime/log.
        set("logger.verbosity", caf::atom("quiet"));
        if (options.deterministic) {
            set("scheduler.policy", caf::atom("testing"));
            set("middleman.network-backend", caf::atom("testing"));
            // No heartbeats: the next tick would keep the broker alive in a clock that nobody moves any more.
        } else {
            set("middleman.heartbeat-interval",
                caf::timespan{std::chrono::milliseconds(options.heartbeat_interval_ms)});
            set("middleman.connection-timeout",
                caf::timespan{std::chrono::milliseconds(options.heartbeat_timeout_ms)});
        }
    }
};

System::System(const SystemOptions& options)
    : config_(std::make_unique<Config>(options)), system_(std::make_unique<caf::actor_system>(*config_)) {}

System::~System() = default;

} // namespace dwcp::actor
