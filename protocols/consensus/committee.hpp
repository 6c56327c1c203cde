// Who decides: the replicas of an epoch, their keys, and the numbers that follow from how many they are.
//
// n replicas tolerate f = (n - 1) / 3 Byzantine ones. quorum() = n - f: two quorums share at least f + 1
// replicas, one of them honest (2f + 1 is the same only for n = 3f + 1; at n = 50 it is unsafe). validity() =
// f + 1: at least one honest replica. deterministic_quorum() = ceil((n + f + 1) / 2), ProBFT's word.
//
// Membership changes by a committed command alone (reconfigure()); the height after it belongs to the next
// epoch, whose committee may have other members, keys or another engine. Every message names its epoch, and
// no certificate mixes two. Plain values, the same on every member.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "protocols/consensus/seeded_bug.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::consensus {

/// Index in the committee of an epoch: 0 .. n - 1.
using ReplicaId = std::uint16_t;
using Epoch = std::uint64_t; ///< 1, 2, 3, ...
using View = std::uint64_t;  ///< 0, 1, 2, ... in an epoch.
/// Position of a block: 1, 2, 3, ... without gaps, across epochs. Engines call it a slot.
using Height = std::uint64_t;

/// Replicas of a committee; sample ids are 16 bits, and a certificate of more is no longer one message.
inline constexpr std::size_t kReplicasMax = 1024;
inline constexpr std::size_t kReplicaNameBytesMax = 80;

enum class EngineKind : std::uint8_t { pbft = 1, probft = 2, tpbft = 3, bullshark = 4 };
std::string_view to_string(EngineKind kind);
std::optional<EngineKind> engine_from(std::string_view name);

/// A replica: "NODE/NUMBER", e.g. "site-a/1". A node hosts as many as it is given; they may share its key,
/// since everything that is signed names the replica.
using ReplicaName = std::string;
ReplicaName replica_name(const NodeName& host, unsigned number);
/// The part before the slash.
NodeName host_of(const ReplicaName& name);
/// Their form alone; names from outside come back in logs and labels.
bool is_node_name(std::string_view name);
bool is_replica_name(std::string_view name);

struct Member {
    ReplicaName name;
    PublicKey key;

    bool operator==(const Member&) const = default;
};

/// ProBFT's l and o in thousandths (integers, so that every member computes the same).
struct SampleParameters {
    std::uint32_t l_permille =
        2000; ///< Probabilistic quorum: ceil(l * sqrt(n)), at most deterministic_quorum().
    std::uint32_t o_permille = 1700; ///< Sample: ceil(o * quorum), at most n.

    bool operator==(const SampleParameters&) const = default;
};

struct Committee {
    Epoch epoch = 1;
    Height first = 1; ///< First height that this epoch decides.
    EngineKind engine = EngineKind::pbft;
    SampleParameters samples;
    std::vector<Member> members; ///< Distinct names, in an order that every member knows.

    std::size_t n() const { return members.size(); }
    std::size_t f() const { return (n() - 1) / 3; }
    std::size_t quorum() const {
        if (has_bug(SeededBug::quorum_minus_one)) return n() - f() - 1;
        if (has_bug(SeededBug::two_f_plus_one)) return 2 * f() + 1;
        return n() - f();
    }
    std::size_t validity() const { return f() + 1; }
    std::size_t deterministic_quorum() const {
        return (n() + f() + 2) / 2 - (has_bug(SeededBug::quorum_minus_one) ? 1 : 0);
    }
    /// Round robin.
    ReplicaId leader(View view) const { return static_cast<ReplicaId>(view % n()); }

    std::optional<ReplicaId> find(const ReplicaName& name) const;
    const Member& member(ReplicaId id) const { return members.at(id); }
    bool contains(ReplicaId id) const { return id < members.size(); }

    /// SHA-256 over every field.
    Hash256 digest() const;
    /// "n = 7, survives f = 2 Byzantine, quorum 5"; with a warning where f = 0.
    std::string describe() const;

    bool operator==(const Committee&) const = default;
};

/// Errc::invalid_argument: empty, too many, a name twice or malformed, a zero key.
Result<void> check(const Committee& committee);

/// What every signature of a lane is bound to, besides what it says: replays to another cluster, lane or
/// founding fail.
struct Domain {
    std::string cluster;
    std::string lane;
    Hash256 genesis; ///< Digest of the lane's first committee.

    bool operator==(const Domain&) const = default;
};

} // namespace dwcp::consensus
