// Bugs to put in on purpose, in a test's own build of the consensus code (DWCP_SEEDED_BUGS), so that it can
// require of the simulator that it finds each. Everywhere else has_bug() is false at compile time and nothing
// of it is left.
#pragma once

#include <cstdint>

namespace dwcp::consensus {

enum class SeededBug : std::uint8_t {
    none,
    quorum_minus_one,   ///< Committee::quorum() and deterministic_quorum().
    two_f_plus_one,     ///< quorum() = 2f + 1, which at n = 50 is one too few.
    skipped_persist,    ///< Votes leave before they are on disk.
    map_order_output,   ///< Output in the order of an unordered container.
    no_view_block,      ///< ProBFT votes and decides on in a view whose leader signed two values.
    replay_accepted,    ///< Votes of another view count as well.
    cross_epoch_quorum, ///< Votes of another epoch count as well.
};

#ifdef DWCP_SEEDED_BUGS
inline SeededBug seeded_bug = SeededBug::none;
inline bool has_bug(SeededBug bug) { return seeded_bug == bug; }
#else
constexpr bool has_bug(SeededBug) { return false; }
#endif

} // namespace dwcp::consensus
