#include "protocols/consensus/rejoin.hpp"

#include <algorithm>
#include <initializer_list>

namespace dwcp::consensus {
namespace {

Bytes numbers(std::initializer_list<std::uint64_t> values) {
    Bytes out;
    for (const auto value : values)
        for (int shift = 56; shift >= 0; shift -= 8)
            out.push_back(static_cast<Byte>(value >> shift));
    return out;
}

/// The n-th number; 0 beyond the end.
std::uint64_t number_at(const Bytes& bytes, std::size_t n) {
    std::uint64_t value = 0;
    for (std::size_t i = 8 * n; i < 8 * (n + 1); ++i)
        value = value << 8 | (i < bytes.size() ? bytes[i] : 0);
    return value;
}

const Bytes* find(const std::map<std::string, Bytes>& persisted, const char* key) {
    const auto at = persisted.find(key);
    return at == persisted.end() ? nullptr : &at->second;
}

} // namespace

std::optional<Said> Said::of(const Statement& statement) {
    switch (statement.kind) {
    case Kind::propose:
    case Kind::prepare:
    case Kind::commit:
    case Kind::view_change:
    case Kind::new_view:
        return Said{statement.epoch, statement.view, statement.slot,
                    static_cast<std::uint8_t>(statement.kind)};
    default:
        return std::nullopt;
    }
}

Rejoin::Rejoin(const std::map<std::string, Bytes>& persisted, std::string doubt) : doubt_(std::move(doubt)) {
    if (const auto* born = find(persisted, kBorn)) covered_from_ = number_at(*born, 0);
    if (const auto* said = find(persisted, kSaid))
        said_ = {number_at(*said, 0), number_at(*said, 1), number_at(*said, 2),
                 static_cast<std::uint8_t>(number_at(*said, 3))};
    if (const auto* silent = find(persisted, kSilent)) {
        silent_until_ = number_at(*silent, 0);
        shown_ = {number_at(*silent, 1), number_at(*silent, 2), 0, 0};
        if (doubt_.empty()) {
            state_ = State::silent;
            doubt_ = "its memory was lost in an earlier life";
        }
    }
    if (const auto* diverged = find(persisted, kDiverged)) diverge(number_at(*diverged, 0));
}

std::string Rejoin::note() const {
    switch (state_) {
    case State::voting:
        return {};
    case State::starting:
        return "asking the others what they last had of this replica (" + std::to_string(answers()) +
               " answered)";
    case State::diverged:
        return "the state after height " + std::to_string(diverged_at_) +
               " differs from what a quorum signed: remove this replica's lane state so that it fetches "
               "theirs";
    case State::silent:
        break;
    }
    return "cannot prove what it voted (" + doubt_ + "): keeps silent until a stable checkpoint at height " +
           std::to_string(silent_until_.value_or(0)) + " or the next epoch";
}

bool Rejoin::shown(const Statement& statement) {
    const auto said = Said::of(statement);
    if (!said) return false;
    shown_ = std::max(shown_, *said);
    if (state_ == State::silent) silent_until_ = std::max(silent_until_.value_or(0), said->slot + kWindow);
    return *said > said_;
}

void Rejoin::distrust(std::string why) {
    if (doubt_.empty()) doubt_ = std::move(why);
    if (state_ == State::diverged) return;
    state_ = State::starting;
}

void Rejoin::conclude(Epoch current, bool begun, Height decided, Height window) {
    if (state_ != State::starting) return;
    if (covers(current)) {
        state_ = State::voting;
        return;
    }
    if (!doubt_.empty() || !covered_from_) {
        const bool fresh = doubt_.empty() && !begun && shown_.epoch < current;
        covered_from_ = fresh ? current : current + 1;
        if (!fresh) silent_until_ = decided + 2 * window;
        if (!fresh && doubt_.empty()) doubt_ = "its memory is empty and the lane is not new";
    }
    if (doubt_.empty() && covers(current)) {
        silent_until_.reset();
        state_ = State::voting;
        return;
    }
    if (doubt_.empty()) doubt_ = "its memory was lost in an earlier life";
    if (!silent_until_) silent_until_ = decided + 2 * window;
    state_ = State::silent;
}

bool Rejoin::advance(Epoch current, Height stable) {
    if (state_ != State::silent) return false;
    const bool passed = silent_until_ && stable >= *silent_until_;
    if (!passed && current < *covered_from_) return false;
    doubt_.clear();
    silent_until_.reset();
    covered_from_ = std::min(*covered_from_, current);
    said_ = std::max(said_, shown_);
    state_ = State::voting;
    return true;
}

void Rejoin::diverge(Height height) {
    state_ = State::diverged;
    diverged_at_ = height;
}

bool Rejoin::say(const Statement& statement) {
    const auto said = Said::of(statement);
    if (!said || *said <= said_) return false;
    said_ = *said;
    return true;
}

View Rejoin::earliest_view(Epoch epoch) const { return shown_.epoch == epoch ? shown_.view : 0; }

std::map<std::string, std::optional<Bytes>> Rejoin::memory() const {
    std::map<std::string, std::optional<Bytes>> memory;
    if (covered_from_) memory[kBorn] = numbers({*covered_from_});
    memory[kSaid] = numbers({said_.epoch, said_.view, said_.slot, said_.kind});
    memory[kSilent] = std::nullopt;
    if (silent_until_) memory[kSilent] = numbers({*silent_until_, shown_.epoch, shown_.view});
    memory[kDiverged] = std::nullopt;
    if (state_ == State::diverged) memory[kDiverged] = numbers({diverged_at_});
    return memory;
}

} // namespace dwcp::consensus
