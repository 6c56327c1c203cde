#include "protocols/health/recovery.hpp"

#include <algorithm>

namespace dwcp::health {

std::string_view to_string(RecoveryEnd end) {
    switch (end) {
    case RecoveryEnd::recovered:
        return "recovered";
    case RecoveryEnd::exhausted:
        return "exhausted";
    case RecoveryEnd::cancelled:
        return "cancelled";
    }
    return "cancelled";
}

RecoveryEnded Recovery::end(const std::string& name, Part& part, RecoveryEnd end, TimePoint now) const {
    return {name, end, part.attempts, std::max(now - part.began, Duration::zero()), part.reason};
}

std::vector<RecoveryAction> Recovery::found(const std::string& name, Condition condition,
                                            const std::string& reason, TimePoint now) {
    if (cancelled_) return {};
    const auto known = parts_.find(name);
    if (condition != Condition::failed) {
        if (known == parts_.end()) return {};
        // An attempt that is under way reports by attempted().
        if (known->second.state == State::attempting) return {};
        std::vector<RecoveryAction> actions;
        if (known->second.state == State::waiting) {
            const bool ok = condition == Condition::ok;
            actions.emplace_back(
                end(name, known->second, ok ? RecoveryEnd::recovered : RecoveryEnd::cancelled, now));
        }
        parts_.erase(known);
        return actions;
    }
    Part& part = parts_[name];
    part.reason = reason;
    if (part.state != State::watched || ++part.failures < options_.failures_to_begin) return {};
    part.state = State::waiting;
    part.began = now;
    part.due = now + options_.backoff.delay(0, random_);
    return {RecoveryBegun{name, reason}};
}

std::vector<RecoveryAction> Recovery::due(TimePoint now) {
    std::vector<RecoveryAction> actions;
    for (auto& [name, part] : parts_) {
        if (part.state != State::waiting || part.due > now) continue;
        part.state = State::attempting;
        actions.emplace_back(Attempt{name, ++part.attempts});
    }
    return actions;
}

std::vector<RecoveryAction> Recovery::attempted(const std::string& name, Condition condition,
                                                const std::string& reason, TimePoint now) {
    const auto known = parts_.find(name);
    if (known == parts_.end() || known->second.state != State::attempting) return {};
    Part& part = known->second;
    if (condition == Condition::failed) {
        part.reason = reason;
        if (part.attempts < options_.attempts_max) {
            part.state = State::waiting;
            part.due = now + options_.backoff.delay(part.attempts, random_);
            return {};
        }
        part.state = State::given_up;
        return {end(name, part, RecoveryEnd::exhausted, now)};
    }
    const bool ok = condition == Condition::ok;
    const auto ended = end(name, part, ok ? RecoveryEnd::recovered : RecoveryEnd::cancelled, now);
    parts_.erase(known);
    return {ended};
}

std::vector<RecoveryAction> Recovery::cancel(TimePoint now) {
    cancelled_ = true;
    std::vector<RecoveryAction> actions;
    for (auto& [name, part] : parts_) {
        if (part.state == State::waiting || part.state == State::attempting)
            actions.emplace_back(end(name, part, RecoveryEnd::cancelled, now));
    }
    parts_.clear();
    return actions;
}

std::optional<TimePoint> Recovery::next_due() const {
    std::optional<TimePoint> next;
    for (const auto& [name, part] : parts_) {
        if (part.state == State::waiting && (!next || part.due < *next)) next = part.due;
    }
    return next;
}

std::vector<RecoveryView> Recovery::all() const {
    std::vector<RecoveryView> all;
    for (const auto& [name, part] : parts_) {
        if (part.state == State::watched) continue;
        all.push_back({name,
                       part.state == State::waiting      ? "waiting"
                       : part.state == State::attempting ? "attempting"
                                                         : "given_up",
                       part.attempts, part.reason});
    }
    return all;
}

} // namespace dwcp::health
