// One node: everything a process hosts, built from its configuration in the order of dependence and ended in
// the reverse.
//
// Life cycle: start() opens the store, joins the links, starts the supervision tree and then listens for
// clients; drain() stops taking requests and finishes what is under way; the destructor ends the rest. Called
// by main only.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace dwcp::node {

class Node {
  public:
    /// `on_lost` is called from any thread if the root supervisor ends by itself or gives the node up: the
    /// process should stop, and exit with the code.
    static Result<std::unique_ptr<Node>> start(const config::NodeConfig& config,
                                               std::function<void(int exit_code)> on_lost);
    virtual ~Node() = default;

    /// False if requests were still under way at the configured deadline; they are then cut.
    virtual bool drain() = 0;
    /// Takes replaced certificate files into use now, and tells by an event what came of it.
    virtual void reload() = 0;
};

} // namespace dwcp::node
