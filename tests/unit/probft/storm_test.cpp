#include "tests/sim/world/seeds.hpp"
#include "tests/unit/consensus/engine_storm.hpp"
#include "tests/unit/probft/rig.hpp"

TEST_CASE("no storm makes replicas disagree, and after each everything is decided", "[probft][storm]") {
    dwcp::consensus::test::storms<dwcp::probft::test::Committees>(dwcp::sim::fewer_if_sanitized(100));
}
