// Looks at this node for the ramp, every poll interval: its health, its lanes, what went wrong, what it uses.
// The reports that the ramp's host asks for are made of what the last look found, so that they wait for
// nobody.
//
// Life cycle: made by the node when its actors run; the destructor ends its thread, which may take as long as
// one look. What is counted is counted by others already (metrics of this process); a look reads it.
#pragma once

#include "actors/ramp/facts_window.hpp"
#include "protocols/wire/manifest.hpp"
#include "runtime/base/repeater.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <optional>
#include <set>
#include <string>

namespace dwcp::node {

struct RampFactsSources {
    std::function<nlohmann::json()> health; ///< As Health::report().
    std::function<wire::NodeSpace()> space;
    std::size_t lanes = 0; ///< That this node takes part in.
    bool tls = false;      ///< Without it, metrics about certificates are not expected.
    Duration every{};
};

class RampFacts {
  public:
    RampFacts(RampFactsSources sources, ramp::FactsWindow& window);
    RampFacts(const RampFacts&) = delete;
    RampFacts& operator=(const RampFacts&) = delete;

  private:
    void look();
    void count(ramp::Facts& facts) const;
    void examine(ramp::Facts& facts);
    double resource_use();

    const RampFactsSources sources_;
    ramp::FactsWindow& window_;
    std::set<std::string> expected_; ///< Metrics that the rules of ops/prometheus name.
    std::uint64_t lane_looks_ = 0, lane_looks_available_ = 0;
    std::uint64_t cpu_ns_ = 0; ///< Of this process at the last look.
    TimePoint looked_{};
    std::optional<Repeater> looks_; ///< Last: its turns use the rest.
};

/// "dwcp_up" of "dwcp_up_bucket", as far as a registry is concerned: the name of the series' family.
std::string family_of(std::string_view series);

/// Whether a dropped control frame (labels of dwcp_control_bad_frames_total) proves that somebody forges.
bool is_breach(std::string_view peer, std::string_view reason);

} // namespace dwcp::node
