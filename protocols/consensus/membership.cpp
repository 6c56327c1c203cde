#include "protocols/consensus/membership.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

constexpr const char* kListed = "`consensus status` lists the members";

Result<void> take_out(std::vector<Member>& members, const ReplicaName& name) {
    const auto found = std::ranges::find(members, name, &Member::name);
    if (found == members.end()) return fail(Errc::not_found, name + " is no member", kListed);
    members.erase(found);
    return {};
}

/// One for one: the new ones take the places of the old, so that the order of leaders stays.
Result<void> replace(std::vector<Member>& members, const MembershipEdit& edit) {
    for (std::size_t i = 0; i < edit.remove.size(); ++i) {
        const auto found = std::ranges::find(members, edit.remove[i], &Member::name);
        if (found == members.end()) return fail(Errc::not_found, edit.remove[i] + " is no member", kListed);
        *found = edit.add[i];
    }
    return {};
}

} // namespace

Committee committee_of(const Reconfigure& change) {
    return {.epoch = change.from_epoch + 1,
            .first = 1,
            .engine = change.engine,
            .samples = change.samples,
            .members = change.members};
}

Result<Reconfigure> edited(const Committee& now, const MembershipEdit& edit) {
    Reconfigure change{now.epoch, now.engine, now.samples, now.members};
    auto& members = change.members;
    const auto is_removed = [&](const ReplicaName& name) {
        return std::ranges::count(edit.remove, name) > 0;
    };
    for (const auto& member : edit.add)
        if (now.find(member.name) && !is_removed(member.name))
            return fail(Errc::already_exists, member.name + " is a member already",
                        "replace it by itself to give it another key");
    if (!edit.add.empty() && edit.add.size() == edit.remove.size()) {
        if (auto done = replace(members, edit); !done) return std::unexpected(done.error());
    } else {
        for (const auto& name : edit.remove)
            if (auto done = take_out(members, name); !done) return std::unexpected(done.error());
        members.insert(members.end(), edit.add.begin(), edit.add.end());
    }
    if (members.empty())
        return fail(Errc::precondition_failed, "nobody would be left in the committee",
                    "add another member first");
    if (auto sound = check(committee_of(change)); !sound) return std::unexpected(sound.error());
    return change;
}

Reconfigure with_engine(const Committee& now, EngineKind engine) {
    return {now.epoch, engine, now.samples, now.members};
}

std::string describe_change(const Committee& now, const Reconfigure& change) {
    const auto plain = [](const Committee& committee) {
        return "n = " + std::to_string(committee.n()) + ", survives f = " + std::to_string(committee.f()) +
               " Byzantine, quorum " + std::to_string(committee.quorum());
    };
    const Committee next = committee_of(change);
    std::string out = plain(now) + " -> " + next.describe();
    if (next.f() < now.f() && next.f() > 0)
        out += "; WARNING: it survives fewer dishonest members than before";
    return out;
}

} // namespace dwcp::consensus
