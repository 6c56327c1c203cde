// The prompt: which cluster and node, what this node takes us for, and how it is.
//
//   demo site-a admin healthy>        demo site-a unreachable>
#pragma once

#include "ops/shell/settings.hpp"

#include <chrono>
#include <string>

namespace dwcp::shell {

struct NodeState {
    std::string cluster;
    std::string node;
    std::string role;   ///< Empty: it did not say.
    std::string health; ///< "unreachable", "denied", or what the node says.
};

/// `colours`: each code stands between \1, as the line editor wants what takes no column.
std::string prompt_text(const NodeState& state, bool colours);

class Prompt {
  public:
    explicit Prompt(Settings settings);

    /// Asks the node, unless it was asked a moment ago; a node that is away is given a fraction of a second.
    /// What is known of it stays.
    const NodeState& refresh();
    /// A command ran: what was known may be wrong now.
    void forget() { asked_ = {}; }

  private:
    Settings settings_;
    NodeState state_;
    std::chrono::steady_clock::time_point asked_{};
};

} // namespace dwcp::shell
