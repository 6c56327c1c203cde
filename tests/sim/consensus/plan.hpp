// A run of a simulated lane, laid down before it begins: who is there, how the world behaves, and the list of
// what goes wrong when. A seed makes a plan (scenario.hpp), the plan and its seed make the run (world.hpp);
// leaving faults out of the list gives a smaller plan that can be run as well, which is how a failure
// shrinks.
#pragma once

#include "protocols/consensus/committee.hpp"
#include "tests/sim/world/links.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::sim {

/// A set of hosts; host i is bit i mod 64, so in a large committee i and i + 64 share their fate.
using HostSet = std::uint64_t;
inline bool in_set(HostSet set, std::size_t host) { return (set >> (host % 64) & 1) != 0; }

/// How a Byzantine host acts. Each runs an honest replica inside and changes what comes out of it, or talks
/// besides (behaviour.hpp).
enum class Acts : std::uint8_t {
    silent,           ///< Says nothing at all.
    silent_leader,    ///< Says nothing as a leader, else is honest.
    selective_leader, ///< Proposes to q - 1 members, itself counted, and tells the others nothing.
    equivocating,     ///< Proposes two values to two halves and votes for both.
    late_votes,       ///< Votes just when the others give the view up.
    replays,          ///< Says again what was said in other views, slots, epochs and lanes.
    forges_draws,     ///< Votes with VRF proofs of other keys, slots and phases, and to others than drawn.
    garbles,          ///< Sends corrupted, truncated and over-long bytes.
    lies_in_changes,  ///< Leaves out, makes up and outdates what it prepared, and proposes what it likes.
    floods,           ///< Sends far views and slots, spam of commands and fetches, as fast as it can.
};
std::string_view to_string(Acts acts);

enum class FaultKind : std::uint8_t {
    crash,          ///< `host` is down from `at` to `until`.
    crash_at_write, ///< `host` dies at its `amount`-th write from `at`; `extra`: before, after, while
                    ///< telling.
    cut,            ///< What hosts in `set` send to hosts in `other` is lost.
    split,          ///< `set` and the rest are apart, both directions.
    slow_host,      ///< Links of `host` are `amount` times slower.
    lossy,          ///< `amount` of a thousand messages are lost.
    slow_disk,      ///< Writes of `host` take `amount` times longer.
    full_disk,      ///< Writes of `host` do not end before `until`.
    flipped_bit,    ///< `host` crashes and finds a bit of its disk flipped (or a record in another's place).
    old_disk,       ///< `host` crashes and finds the disk as it was some time ago.
    empty_disk,     ///< `host` crashes and finds its disk empty.
    clock_jump,     ///< Wall clock of `host` is off by `amount` milliseconds (a signed number).
    behave,         ///< `host` is Byzantine and acts as `amount` says.
    twin,           ///< `host` is Byzantine: two replicas with one identity.
    sides,          ///< Twins of the first kind are heard by `set`, of the second by the rest.
    reconfigure,    ///< A new committee of `set` is proposed; `extra`: a member's key is replaced.
};

struct Fault {
    FaultKind kind = FaultKind::crash;
    Moment at = 0;
    Moment until = 0;
    std::uint16_t host = 0;
    HostSet set = 0;
    HostSet other = 0;
    std::int64_t amount = 0;
    std::uint32_t extra = 0;
};
/// A line for people, in a world of so many hosts.
std::string describe(const Fault& fault, std::size_t hosts);

/// Whether a replica that was broken so may break promises of its own and counts towards f.
bool makes_byzantine(const Fault& fault);
/// Whether it keeps a replica silent for long, so that it counts towards f where progress is required.
bool silences(const Fault& fault);

struct Plan {
    std::uint64_t seed = 0;
    consensus::EngineKind engine = consensus::EngineKind::pbft;
    std::size_t hosts = 4;   ///< In the world.
    std::size_t members = 4; ///< The first of them are the genesis committee; the rest observe.
    consensus::SampleParameters samples;
    /// ProBFT with samples that save messages assumes fewer faults than the committee could bear, and its
    /// safety rests on the detection of leaders that sign two values; 0: whatever it takes to be safe.
    std::size_t probft_faults = 0;

    LinkConditions links;
    Moment sync_min = 200 * kMicrosecond;
    Moment sync_max = 3 * kMillisecond;
    Moment skew_max = 0;            ///< Wall clocks are off by up to so much.
    std::int64_t drift_ppm_max = 0; ///< Every clock runs faster or slower by up to so much.

    Moment faults_for = 2 * kSecond;
    /// Progress is required after the faults: within this time all that was submitted must be out.
    bool heals = true;
    Moment heal_for = 60 * kSecond;
    /// Views that may pass between healing and the end.
    std::uint64_t views_max = 0; ///< 0: from n.
    /// More than f Byzantine on purpose: what is lost is noted, not a violation.
    bool over_threshold = false;

    std::size_t clients = 3;
    Moment think_max = 50 * kMillisecond;
    Moment patience = 1 * kSecond; ///< Then a client asks another host.
    std::size_t payload_max = 48;
    bool signed_transactions = false;

    Moment view_timeout = 200 * kMillisecond;
    Moment view_timeout_max = 2 * kSecond;
    std::size_t pipeline = 8;
    std::uint64_t checkpoint_interval = 16;
    /// One message in so many goes through its encoding; 0: none, 1: all.
    std::uint32_t encoded_one_in = 64;
    /// One certificate in so many is verified from scratch; 1: all.
    std::uint32_t certificates_one_in = 8;

    std::vector<Fault> faults;
};

} // namespace dwcp::sim
