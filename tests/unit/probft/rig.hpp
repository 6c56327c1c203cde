// A committee of ProBFT engines.
#pragma once

#include "protocols/probft/probft.hpp"
#include "tests/unit/consensus/engine_rig.hpp"

#include <algorithm>

namespace dwcp::probft::test {

using namespace consensus;
using namespace consensus::test;

/// Whatever is drawn, two quorums share a correct replica.
inline constexpr SampleParameters kEverybody{.l_permille = 10'000, .o_permille = 2000};

class Committees : public EngineRig {
  public:
    explicit Committees(std::size_t n, Rules rules = {}) : EngineRig(n, with(std::move(rules))) {}

    std::size_t all_sent() const {
        std::size_t total = accusations;
        for (const auto& [kind, count] : sent)
            total += count;
        return total;
    }
    /// Honest replicas that are up and in a view of at least `view`.
    bool all_in_view(View view) const {
        return std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
            return !node->honest || !node->engine ||
                   (node->engine->status().active && node->engine->status().view >= view);
        });
    }

  private:
    static Rules with(Rules rules) {
        rules.factory = make_probft;
        rules.engine = EngineKind::probft;
        return rules;
    }
};

} // namespace dwcp::probft::test
