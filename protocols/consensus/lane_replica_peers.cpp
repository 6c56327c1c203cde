// What replicas tell each other of where they stand, and the beginning of a life.
#include "protocols/consensus/lane_replica.hpp"

#include <algorithm>

namespace dwcp::consensus {

void LaneReplica::say_hello(std::vector<ReplicaName> to, bool asks) {
    next_hello_ = now_.time + options_.hello;
    const auto view = engine_ ? engine_->status().view : 0;
    for (auto& name : to) {
        Hello hello{.asks = asks,
                    .epoch = committee_.epoch,
                    .view = view,
                    .decided = decided_,
                    .stable = stable_,
                    .last_from_you = {},
                    .last_from_you_signature = {}};
        if (const auto peer = peers_.find(name); peer != peers_.end() && peer->second.said) {
            hello.last_from_you = peer->second.said;
            hello.last_from_you_signature = peer->second.said_signature;
        }
        send({name}, std::move(hello));
    }
}

void LaneReplica::note_said(const ReplicaName& from, const Signed& message) {
    const auto said = Said::of(message.statement);
    const auto peer = peers_.find(from);
    if (!said || peer == peers_.end() || message.statement.epoch != committee_.epoch) return;
    if (peer->second.said && *Said::of(*peer->second.said) >= *said) return;
    peer->second.said = message.statement;
    peer->second.said_signature = message.signature;
}

void LaneReplica::take_hello(const ReplicaName& from, const Hello& hello) {
    const auto member = committee_.find(from);
    auto peer = peers_.find(from);
    if (peer == peers_.end()) {
        if (peers_.size() >= committee_.n() + kFollowersMax) {
            std::erase_if(peers_, [&](const auto& known) {
                const bool gone =
                    !committee_.find(known.first) &&
                    (!known.second.heard || now_.time - *known.second.heard > 3 * options_.hello);
                if (gone) catch_up_.forget(known.first);
                return gone;
            });
            if (peers_.size() >= committee_.n() + kFollowersMax) return;
        }
        peer = peers_.try_emplace(from).first;
    }
    peer->second.heard = now_.time;
    peer->second.last = hello;
    catch_up_.stands(from, hello.decided, decided_, now_.time);
    if (hello.last_from_you && id_) {
        // The verifier has held it against this replica's key.
        const auto& shown = *hello.last_from_you;
        const bool unsure = rejoin_.state() == Rejoin::State::starting || voting();
        if (shown.epoch == committee_.epoch && rejoin_.shown(shown) && unsure && !rejoin_.must_catch_up()) {
            rejoin_.distrust(from + " has a vote of it that its disk does not know");
            engine_.reset();
        }
    }
    if (member) rejoin_.heard(from);
    if (hello.asks) {
        auto hellos_at = next_hello_;
        say_hello({from}, false);
        next_hello_ = hellos_at;
    }
    if (engine_ && member && hello.epoch == committee_.epoch)
        run_engine(PeerStands{.peer = *member, .view = hello.view, .decided = hello.decided});
    if (hello.stable < applied_) resay_checkpoints(from, hello.stable);
}

/// Votes are not repeated by themselves, and a checkpoint that lacks one would hold up the window.
void LaneReplica::resay_checkpoints(const ReplicaName& to, Height above) {
    for (auto& vote : checkpoints_.own_above(above))
        send({to}, std::move(vote));
}

/// The first vote of a life waits until the others said what they last had of this replica.
void LaneReplica::conclude_start() {
    if (rejoin_.state() != Rejoin::State::starting) return;
    std::size_t answers = 0;
    for (const auto& member : committee_.members)
        answers += rejoin_.answered(member.name) ? 1 : 0;
    if (answers + (is_member() ? 1 : 0) < committee_.quorum()) return;
    const bool behind = catch_up_.claimed(now_.time) > decided_;
    if (rejoin_.must_catch_up() && behind) return;
    rejoin_.conclude(committee_.epoch, decided_ >= committee_.first, decided_, kWindow);
    for (auto& [key, value] : rejoin_.memory())
        persist(key, std::move(value));
    if (rejoin_.state() == Rejoin::State::silent) drop_engine_memory(committee_.epoch);
    if (voting()) begin_voting();
}

void LaneReplica::begin_voting() {
    for (const auto& [height, point] : points_)
        sign_checkpoint(height, point);
    begin_engine();
}

} // namespace dwcp::consensus
