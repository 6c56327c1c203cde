// What a scrape reads of the node as a whole: who it is, its actors and their mailboxes, its links, its disk.
//
// Life cycle: made by the node when everything it samples exists, gone before any of that goes. Samples when
// the metrics are read, without asking an actor or the disk's content, so a scrape is quick and works while
// the node does not. What needs an answer from somebody is health_watch.hpp.
#pragma once

#include "actors/supervisor/board.hpp"
#include "runtime/caf/resolver.hpp"
#include "runtime/config/config.hpp"
#include "runtime/links/control/control_links.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/metrics/process_metrics.hpp"
#include "runtime/store/store.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace dwcp::node {

struct NodeMetricsSources {
    const config::NodeConfig& config;
    const supervisor::Board& board;
    const actor::Resolver& resolver;
    const store::Store& store;
    const links::ControlLinks& control;
    const links::DataPlane& data;
    std::shared_ptr<const std::atomic<bool>> draining;
    std::function<bool()> chaos_enabled;  ///< A live key: it may change while the node runs.
    std::uint64_t disk_reserve_bytes = 0; ///< Free space below which the node stores no more.
};

class NodeMetrics {
  public:
    explicit NodeMetrics(NodeMetricsSources sources);

  private:
    /// Busy time is kept by each life of an actor, the counter by its path.
    struct Busy {
        std::uint64_t life = 0;
        std::uint64_t counted_ns = 0;
    };

    void sample();
    void sample_actors();
    void sample_links();
    void sample_disk();
    void set_state(const std::string& path, const std::string& state);

    const NodeMetricsSources sources_;
    std::map<std::string, Busy> busy_;
    std::map<std::string, std::map<std::string, metrics::Gauge>> states_; ///< By path, then by state.
    metrics::ProcessMetrics process_;
    metrics::ExposeHook hook_; ///< Last: it must go before what it samples into.
};

} // namespace dwcp::node
