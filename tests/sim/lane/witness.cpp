#include "tests/sim/lane/witness.hpp"

#include <algorithm>

namespace dwcp::sim {

using consensus::Entry;
using consensus::LogIndex;

void Witness::violated(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
}

void Witness::booted(const Member& member) {
    applied_[member.name()] = member.applied_upto();
    committed_[member.name()] = 0;
}

void Witness::applied(const NodeName& member, const Entry& entry) {
    const std::string where = member + " applied entry " + std::to_string(entry.index);
    LogIndex& last = applied_[member];
    if (entry.index != last + 1) return violated(where + " after " + std::to_string(last));
    last = entry.index;
    if (entry.index <= log_.size()) {
        if (log_[entry.index - 1] != entry) violated(where + ", and another member another one there");
        return;
    }
    const auto submitted = submitted_.find(entry.command.id);
    if (submitted == submitted_.end() || submitted->second != entry.command.payload) {
        return violated(where + ", which nobody submitted");
    }
    const auto [first, fresh] = index_of_.emplace(entry.command.id, entry.index);
    if (!fresh) {
        return violated(where + " with id " + entry.command.id + ", which is at " +
                        std::to_string(first->second));
    }
    log_.push_back(entry);
}

void Witness::answered(const std::string& id, LogIndex index) {
    const auto found = index_of_.find(id);
    if (found == index_of_.end())
        return violated("id " + id + " was answered before it was applied anywhere");
    if (found->second != index) {
        return violated("id " + id + " is at " + std::to_string(found->second) + " but was answered " +
                        std::to_string(index));
    }
    check_majority_has(index, "was answered");
    promised_ = std::max(promised_, index);
}

void Witness::check_majority_has(LogIndex index, const std::string& why) {
    const auto have = static_cast<std::size_t>(std::ranges::count_if(members_, [&](const Member* member) {
        if (member->durable_upto() < index) return false;
        const auto entry = member->durable_entry(index);
        return entry && (index > log_.size() || *entry == log_[index - 1]);
    }));
    if (have <= members_.size() / 2) {
        violated("entry " + std::to_string(index) + " " + why + " but is on the disks of " +
                 std::to_string(have) + " of " + std::to_string(members_.size()) + " members");
    }
}

void Witness::stepped() {
    LogIndex committed_anywhere = 0;
    for (const Member* member : members_) {
        if (!member->is_up()) continue;
        const LogIndex committed = member->committed();
        LogIndex& before = committed_[member->name()];
        if (committed < before) violated(member->name() + "'s committed index fell");
        if (applied_[member->name()] > committed) violated(member->name() + " applied what is not committed");
        before = committed;
        committed_anywhere = std::max(committed_anywhere, committed);
    }
    if (committed_anywhere > promised_) {
        promised_ = committed_anywhere;
        check_majority_has(promised_, "is committed");
    }
    // Logs have no gaps, so the highest promise stands for all; disks only lose in a crash, which is one
    // step.
    const auto have = std::ranges::count_if(
        members_, [&](const Member* member) { return member->durable_upto() >= promised_; });
    if (static_cast<std::size_t>(have) <= members_.size() / 2) {
        violated("entry " + std::to_string(promised_) +
                 " was promised and is no longer on a majority's disks");
    }
}

void Witness::finished() {
    for (const Member* member : members_) {
        if (member->applied_upto() != log_.size()) {
            violated(member->name() + " applied " + std::to_string(member->applied_upto()) + " of " +
                     std::to_string(log_.size()) + " entries");
        }
        for (const auto& entry : log_) {
            const auto effects = member->effects_of(entry.command.id);
            if (effects != 1) {
                violated(entry.command.id + " took effect " + std::to_string(effects) + " times on " +
                         member->name());
            }
        }
    }
}

} // namespace dwcp::sim
