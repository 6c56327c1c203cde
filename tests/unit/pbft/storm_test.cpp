#include "tests/sim/world/seeds.hpp"
#include "tests/unit/consensus/engine_storm.hpp"
#include "tests/unit/pbft/rig.hpp"

TEST_CASE("no storm makes replicas disagree, and after each everything is decided", "[pbft][storm]") {
    dwcp::consensus::test::storms<dwcp::pbft::test::Committees>(dwcp::sim::fewer_if_sanitized(100));
}
