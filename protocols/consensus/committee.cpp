#include "protocols/consensus/committee.hpp"

#include "protocols/consensus/layout.hpp"

#include <algorithm>
#include <set>

namespace dwcp::consensus {
namespace {

constexpr std::size_t kHostBytesMax = 63;
constexpr std::size_t kNumberDigitsMax = 5;
/// ProBFT wants l >= 1, and a sample no smaller than its quorum; above a hundred every committee is clamped.
constexpr std::uint32_t kPermilleMin = 1000;
constexpr std::uint32_t kPermilleMax = 100'000;

constexpr std::string_view kEngineNames[] = {"pbft", "probft", "tpbft", "bullshark"};

std::unexpected<Error> unsound(std::string message) {
    return fail(Errc::invalid_argument, "committee: " + std::move(message),
                "name 1 to " + std::to_string(kReplicasMax) +
                    " different replicas as NODE/NUMBER, each with the public key of its node");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_sound(const SampleParameters& samples) {
    const auto inside = [](std::uint32_t value) { return value >= kPermilleMin && value <= kPermilleMax; };
    return inside(samples.l_permille) && inside(samples.o_permille);
}

/// A foreign name may hold anything and be long.
std::string shown(const ReplicaName& name) {
    std::string out = name.substr(0, kReplicaNameBytesMax);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return "'" + out + "'";
}

} // namespace

std::string_view to_string(EngineKind kind) {
    const auto at = static_cast<std::size_t>(kind) - 1;
    return at < std::size(kEngineNames) ? kEngineNames[at] : "unknown";
}

std::optional<EngineKind> engine_from(std::string_view name) {
    for (std::size_t at = 0; at < std::size(kEngineNames); ++at) {
        if (kEngineNames[at] == name) return static_cast<EngineKind>(at + 1);
    }
    return std::nullopt;
}

ReplicaName replica_name(const NodeName& host, unsigned number) {
    return host + "/" + std::to_string(number);
}

NodeName host_of(const ReplicaName& name) { return name.substr(0, name.find('/')); }

bool is_node_name(std::string_view name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
    return !name.empty() && name.size() <= kHostBytesMax && std::all_of(name.begin(), name.end(), allowed);
}

bool is_replica_name(std::string_view name) {
    const auto slash = name.find('/');
    if (slash == std::string_view::npos || !is_node_name(name.substr(0, slash))) return false;
    const auto number = name.substr(slash + 1);
    if (number.empty() || number.size() > kNumberDigitsMax) return false;
    if (number.size() > 1 && number[0] == '0') return false; // one replica, one name
    return std::all_of(number.begin(), number.end(), is_digit);
}

std::optional<ReplicaId> Committee::find(const ReplicaName& name) const {
    for (std::size_t id = 0; id < members.size(); ++id) {
        if (members[id].name == name) return static_cast<ReplicaId>(id);
    }
    return std::nullopt;
}

Hash256 Committee::digest() const {
    Layout layout("dwcp.consensus.committee.1");
    layout.number(epoch).number(first).number(static_cast<std::uint8_t>(engine));
    layout.number(samples.l_permille).number(samples.o_permille);
    layout.number(std::uint64_t{members.size()});
    for (const auto& member : members)
        layout.text(member.name).raw(member.key.view());
    return layout.digest();
}

std::string Committee::describe() const {
    if (members.empty()) return "no members";
    std::string out = "n = " + std::to_string(n()) + ", survives f = " + std::to_string(f()) +
                      " Byzantine, quorum " + std::to_string(quorum());
    if (f() == 0)
        out += "; WARNING: every replica must be up and honest, four or more survive one that is not";
    return out;
}

Result<void> check(const Committee& committee) {
    if (committee.epoch == 0 || committee.first == 0) return unsound("epochs and heights begin at 1");
    if (to_string(committee.engine) == "unknown") return unsound("its engine is unknown");
    if (!is_sound(committee.samples)) {
        return unsound("ProBFT's l and o must be 1 to 100 (1000 to 100000 thousandths)");
    }
    if (committee.members.empty()) return unsound("it has no members");
    if (committee.members.size() > kReplicasMax) {
        return unsound(std::to_string(committee.members.size()) + " members are more than " +
                       std::to_string(kReplicasMax));
    }
    std::set<ReplicaName> names;
    for (const auto& member : committee.members) {
        if (!is_replica_name(member.name)) return unsound(shown(member.name) + " is not a replica's name");
        if (!names.insert(member.name).second) return unsound(shown(member.name) + " is in it twice");
        if (member.key == PublicKey{}) return unsound(shown(member.name) + " has no key");
    }
    return {};
}

} // namespace dwcp::consensus
