// A committee of PBFT engines.
#pragma once

#include "protocols/pbft/pbft.hpp"
#include "tests/unit/consensus/engine_rig.hpp"

namespace dwcp::pbft::test {

using namespace consensus;
using namespace consensus::test;

class Committees : public consensus::test::EngineRig {
  public:
    explicit Committees(std::size_t n, Rules rules = {})
        : consensus::test::EngineRig(n, with(std::move(rules))) {}

  private:
    static Rules with(Rules rules) {
        rules.factory = make_pbft;
        return rules;
    }
};

} // namespace dwcp::pbft::test
