// What the disk has of the engine. Keys:
//   view                  view and whether it is blocked
//   change                own word on entering it (ViewChange)
//   safe                  what the view's leader had to propose again; there once the view is active
//   new_view              the whole NewView, where this replica leads
//   stable                certificate of the stable checkpoint
//   vote/SLOT             own vote of the view, and whether a commit followed
//   proposed/SLOT         own proposal of the view
//   prepared/SLOT         latest prepare certificate
//   block/SLOT/DIGEST     content that was voted for or proposed
// Signatures and draws are not kept: a Signer gives the same ones again.

#include "protocols/probft/core.hpp"
#include "protocols/probft/record.hpp"
#include "protocols/wire/consensus.hpp"

namespace dwcp::probft {

namespace {

constexpr std::size_t kSlotDigits = 16;

std::string slot_key(std::string_view what, Height height) {
    Bytes big_endian;
    for (int shift = 56; shift >= 0; shift -= 8)
        big_endian.push_back(static_cast<Byte>(height >> shift));
    return std::string(what) + "/" + to_hex(big_endian);
}

std::string block_key(Height height, const Hash256& digest) {
    return slot_key("block", height) + "/" + digest.hex();
}

std::optional<Height> slot_in(std::string_view key, std::size_t from) {
    std::array<Byte, kSlotDigits / 2> bytes{};
    if (key.size() < from + kSlotDigits || !from_hex(key.substr(from, kSlotDigits), bytes))
        return std::nullopt;
    Height height = 0;
    for (const auto byte : bytes)
        height = height << 8 | byte;
    return height;
}

std::unexpected<Error> corrupted(const std::string& what) {
    return fail(Errc::corrupted, "ProBFT's memory: " + what,
                "the replica must not vote with it: restore the disk, or let the replica begin anew");
}

} // namespace

void Core::persist_view() {
    effects_.persist["view"] = RecordWriter().number(view_).number(blocked_ ? 1 : 0).take();
}

void Core::persist_new_view() {
    RecordWriter record;
    record.raw(new_view_digest_.view()).number(reproposed_upto_);
    for (const auto& [slot, value] : reproposed_)
        record.number(slot).raw(value.digest.view()).raw(value.signature);
    effects_.persist["safe"] = record.take();
}

void Core::persist_vote(Height height, const Slot& slot) {
    RecordWriter record;
    record.number(view_).raw(slot.value->digest.view()).raw(slot.value->signature);
    effects_.persist[slot_key("vote", height)] = record.number(slot.commit ? 1 : 0).take();
}

void Core::persist_proposal(Height height, const Hash256& digest) {
    effects_.persist[slot_key("proposed", height)] = RecordWriter().number(view_).raw(digest.view()).take();
}

void Core::persist_prepared(Height height, const Slot& slot) {
    effects_.persist[slot_key("prepared", height)] = wire::encode(*slot.prepared);
}

void Core::persist_content(Height height, Slot& slot, const BlockRef& block) {
    if (!slot.stored.insert(block->digest()).second) return;
    effects_.persist[block_key(height, block->digest())] = wire::encode(**block);
}

/// All but what may be proposed again, or is being voted for.
void Core::drop_contents(Height height, Slot& slot) {
    const auto needed = [&](const Hash256& digest) {
        return (slot.value && slot.value->digest == digest) ||
               (slot.prepared && slot.prepared->digest == digest) || slot.decided == digest;
    };
    std::erase_if(slot.contents, [&](const auto& content) { return !needed(content.first); });
    std::erase_if(slot.stored, [&](const Hash256& digest) {
        if (needed(digest)) return false;
        effects_.persist[block_key(height, digest)] = std::nullopt;
        return true;
    });
}

void Core::forget_votes(Height height) {
    effects_.persist[slot_key("vote", height)] = std::nullopt;
    effects_.persist[slot_key("proposed", height)] = std::nullopt;
}

/// What the stable checkpoint covers.
void Core::forget_slots() {
    const auto end = slots_.upper_bound(stable_);
    for (auto it = slots_.begin(); it != end; ++it) {
        auto& [height, slot] = *it;
        if (slot.prepare || slot.proposal) forget_votes(height);
        if (slot.prepared) effects_.persist[slot_key("prepared", height)] = std::nullopt;
        for (const auto& digest : slot.stored)
            effects_.persist[block_key(height, digest)] = std::nullopt;
    }
    slots_.erase(slots_.begin(), end);
    reproposed_.erase(reproposed_.begin(), reproposed_.upper_bound(stable_));
    for (auto& [replica, later] : later_)
        std::erase_if(later, [&](const auto& held) { return held.first.first <= stable_; });
}

Result<void> Core::recover(const EngineMemory& memory) {
    if (const auto view = memory.find("view"); view != memory.end()) {
        if (auto done = recover_view(view->second); !done) return done;
    }
    if (const auto stable = memory.find("stable"); stable != memory.end()) {
        auto proof = wire::decode_certificate(stable->second);
        if (!proof || proof->kind != Kind::checkpoint || proof->slot <= stable_)
            return corrupted("the stable checkpoint is none");
        stable_ = decided_ = proof->slot;
        stable_proof_ = *std::move(proof);
    }
    // Contents before what names them.
    for (const auto& [key, value] : memory)
        if (auto done = recover(key, value); !done) return done;
    return take_up_memory();
}

Result<void> Core::recover_view(ByteView value) {
    RecordReader record(value);
    view_ = record.number();
    blocked_ = record.number() != 0;
    if (!record.whole()) return corrupted("the view's record has the wrong length");
    if (blocked_) convicted_.insert(view_);
    active_ = view_ == 0;
    return {};
}

Result<void> Core::recover(const std::string& key, ByteView value) {
    if (key == "view" || key == "stable") return {};
    if (key == "safe") return recover_safe(value);
    if (key == "change") {
        const auto change = wire::decode_view_change(value);
        if (!change) return corrupted("the view change: " + change.error().message);
        change_ = sign(statement(Kind::view_change, view_, 0, digest_of(*change)), *change);
        return {};
    }
    if (key == "new_view") {
        const auto new_view = wire::decode_new_view(value);
        if (!new_view || !leads()) return corrupted("the new view is none of ours");
        new_view_ = sign(statement(Kind::new_view, view_, 0, digest_of(*new_view)), *new_view);
        return {};
    }
    const auto slash = key.find('/');
    const auto height = slot_in(key, slash + 1);
    if (slash == std::string::npos || !height) return corrupted("unknown key '" + key + "'");
    if (!in_window(*height)) return corrupted("'" + key + "' is outside the window");
    if (key.starts_with("block/")) return recover_block(key, *height, value);
    if (key.size() != slash + 1 + kSlotDigits) return corrupted("unknown key '" + key + "'");
    return recover_slot(std::string_view(key).substr(0, slash), *height, value);
}

Result<void> Core::recover_safe(ByteView value) {
    RecordReader record(value);
    new_view_digest_ = record.hash();
    reproposed_upto_ = record.number();
    while (!record.at_end()) {
        const auto slot = record.number();
        const auto digest = record.hash();
        reproposed_[slot] = {digest, record.signature()};
    }
    if (!record.whole() || view_ == 0) return corrupted("the new view's record cannot be");
    active_ = true;
    return {};
}

Result<void> Core::recover_slot(std::string_view what, Height height, ByteView value) {
    auto& slot = slots_[height];
    if (what == "vote") return recover_vote(slot, height, value);
    if (what == "proposed") return recover_proposal(slot, height, value);
    if (what != "prepared") return corrupted("unknown key '" + std::string(what) + "'");
    auto prepared = wire::decode_certificate(value);
    if (!prepared || prepared->kind != Kind::prepare || prepared->slot != height ||
        prepared->epoch != options_.committee.epoch || prepared->recipient != options_.self)
        return corrupted("the certificate of slot " + std::to_string(height) + " is none of ours");
    slot.prepared = *std::move(prepared);
    return {};
}

Result<void> Core::recover_block(const std::string& key, Height height, ByteView value) {
    auto block = wire::decode_block(value);
    if (!block || block->height != height) return corrupted("'" + key + "' is no block of its slot");
    const auto sealed = std::make_shared<const SealedBlock>(*std::move(block));
    if (key != block_key(height, sealed->digest())) return corrupted("'" + key + "' is another block");
    auto& slot = slots_[height];
    slot.contents[sealed->digest()] = sealed;
    slot.stored.insert(sealed->digest());
    return {};
}

Result<void> Core::recover_vote(Slot& slot, Height height, ByteView value) {
    RecordReader record(value);
    const auto view = record.number();
    const auto digest = record.hash();
    const auto signature = record.signature();
    const bool committed = record.number() != 0;
    if (!record.whole() || view != view_)
        return corrupted("the vote of slot " + std::to_string(height) + " is of another view");
    slot.value = {digest, signature};
    hold_own(Kind::prepare, height, slot);
    if (committed) hold_own(Kind::commit, height, slot);
    return {};
}

Result<void> Core::recover_proposal(Slot& slot, Height height, ByteView value) {
    RecordReader record(value);
    const auto view = record.number();
    const auto digest = record.hash();
    const auto content = slot.contents.find(digest); // keys of blocks come first
    if (!record.whole() || view != view_ || content == slot.contents.end())
        return corrupted("the proposal of slot " + std::to_string(height) + " cannot be");
    slot.proposal = sign(statement(Kind::propose, view_, height, digest), Propose{content->second});
    slot.value = {digest, std::get<Signed>(slot.proposal->body).signature};
    next_slot_ = std::max(next_slot_, height + 1);
    return {};
}

Result<void> Core::take_up_memory() {
    if (options_.earliest_view > view_) {
        // It may have promised to leave the views before, and said what it had prepared: now it cannot.
        view_ = options_.earliest_view;
        active_ = blocked_ = false;
        forget_view();
        at_start_ = std::exchange(effects_, {}).persist;
    }
    wished_ = view_;
    note_wish(options_.self, view_);
    next_slot_ = std::max({next_slot_, decided_ + 1, reproposed_upto_ + 1});
    if (!active_) return {};
    for (const auto& [height, value] : reproposed_)
        if (in_window(height) && !slots_[height].value) slots_[height].value = value;
    return {};
}

} // namespace dwcp::probft
