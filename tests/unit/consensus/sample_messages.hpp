// One message of every kind, no field of which has its default value, and what makes two messages the same.
#pragma once

#include "tests/unit/consensus/committee_rig.hpp"

namespace dwcp::test {

inline consensus::ViewChange sample_view_change(const CommitteeRig& rig) {
    using consensus::Kind;
    consensus::ViewChange change;
    change.stable = 64;
    change.stable_proof = rig.certificate(Kind::checkpoint, hash_of("state"), 64, 0,
                                          CommitteeRig::first(rig.committee.quorum()));
    for (const consensus::Height slot : {65U, 66U, 70U}) {
        // Of view 0, whose leader is member 0.
        auto certificate = rig.certificate(Kind::prepare, hash_of("block"), slot, 0, {1, 2, 3});
        certificate.leader_signature =
            rig.sign(rig.statement(Kind::propose, rig.committee.leader(0), hash_of("block"), slot));
        change.prepared.push_back(std::move(certificate));
    }
    return change;
}

inline consensus::NewView sample_new_view(const CommitteeRig& rig, consensus::View view) {
    using consensus::Kind;
    consensus::NewView new_view;
    for (const auto id : CommitteeRig::first(rig.committee.quorum())) {
        auto change = sample_view_change(rig);
        const auto said = rig.statement(Kind::view_change, id, digest_of(change), 0, view);
        new_view.changes.push_back({id, std::move(change), rig.sign(said)});
    }
    for (consensus::Height slot = 65; slot <= 70; ++slot) {
        const auto digest = hash_of("block");
        const auto leader = rig.committee.leader(view);
        new_view.proposals.push_back(
            {slot, digest, rig.sign(rig.statement(Kind::propose, leader, digest, slot, view))});
    }
    return new_view;
}

inline consensus::DecidedBlock decided(const CommitteeRig& rig, const consensus::BlockRef& block) {
    return {block, rig.certificate(consensus::Kind::commit, block->digest(), (*block)->height, 0,
                                   CommitteeRig::first(rig.committee.quorum()))};
}

inline consensus::Evidence sample_evidence(const CommitteeRig& rig) {
    const auto first = rig.statement(consensus::Kind::propose, 1, hash_of("one"), 9, 1);
    const auto second = rig.statement(consensus::Kind::propose, 1, hash_of("other"), 9, 1);
    return {first, rig.sign(first), second, rig.sign(second)};
}

/// Signed by the members of `rig`, and all true.
inline std::vector<consensus::Message> signed_messages(const CommitteeRig& rig) {
    using namespace consensus;
    std::vector<Message> out;
    const auto block = block_of(rig.committee, 3, {transaction_number(1), transaction_number(2)});
    out.push_back(rig.message(rig.statement(Kind::propose, 1, block->digest(), 3, 1), Propose{block}));
    out.push_back(rig.vote(rig.statement(Kind::prepare, 2, block->digest(), 3, 1)));
    out.push_back(rig.vote(rig.statement(Kind::commit, 3, block->digest(), 3, 1)));
    out.push_back(rig.message(rig.statement(Kind::checkpoint, 1, hash_of("state"), 64), CheckpointVote{}));
    out.push_back(rig.message(rig.statement(Kind::wish, 1, {}, 0, 5), Wish{}));
    const auto change = sample_view_change(rig);
    out.push_back(rig.message(rig.statement(Kind::view_change, 3, digest_of(change), 0, 2), change));
    const auto new_view = sample_new_view(rig, 2);
    out.push_back(rig.message(rig.statement(Kind::new_view, 2, digest_of(new_view), 0, 2), new_view));
    return out;
}

/// Authenticated by the link.
inline std::vector<consensus::Message> told_messages(const CommitteeRig& rig) {
    using namespace consensus;
    std::vector<Message> out;
    const auto say = [&](auto body) { out.push_back({rig.name(1), std::move(body)}); };
    const auto block = block_of(rig.committee, 3, {transaction_number(1), transaction_number(2)});
    say(Forward{{transaction_number(3), transaction_number(4)}, true});
    const auto mine = rig.statement(Kind::prepare, 0, block->digest(), 3, 1);
    auto of_mine = std::get<Signed>(rig.vote(mine).body);
    say(Hello{true, 1, 2, 70, 64, of_mine.statement, of_mine.signature});
    say(Hello{});
    say(FetchBlocks{17, 4096});
    say(Blocks{{decided(rig, block), decided(rig, block_of(rig.committee, 4))}, 9, 2});
    say(FetchContent{3, block->digest()});
    say(Content{block});
    say(FetchSnapshot{64, std::string("key\0with zero", 13)});
    SnapshotPart part;
    part.height = 64;
    part.proof = rig.certificate(Kind::checkpoint, hash_of("state"), 64, 0,
                                 CommitteeRig::first(rig.committee.quorum()));
    part.chain = hash_of("chain");
    part.state_root = hash_of("root");
    part.epochs = {decided(rig, block_of(rig.committee, 9))};
    part.after = std::string("a\0b", 3);
    part.pairs = {{std::string("k\0", 2), to_bytes("value")}, {"l", {}}};
    part.last = true;
    say(part);
    say(SnapshotPart{});
    say(Accuse{sample_evidence(rig)});
    return out;
}

inline std::vector<consensus::Message> every_message(const CommitteeRig& rig) {
    auto out = signed_messages(rig);
    for (auto& message : told_messages(rig))
        out.push_back(std::move(message));
    return out;
}

inline bool same(const consensus::BlockRef& a, const consensus::BlockRef& b) {
    return **a == **b && a->digest() == b->digest();
}
inline bool same(const std::vector<consensus::DecidedBlock>& a,
                 const std::vector<consensus::DecidedBlock>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
        return same(left.block, right.block) && left.proof == right.proof;
    });
}

struct SameBody {
    template<class A, class B>
    bool operator()(const A&, const B&) const {
        return false;
    }
    bool operator()(const consensus::Propose& a, const consensus::Propose& b) const {
        return same(a.block, b.block);
    }
    bool operator()(const consensus::VoteFor& a, const consensus::VoteFor& b) const {
        return a.leader_signature == b.leader_signature && a.proof == b.proof;
    }
    bool operator()(const consensus::CheckpointVote&, const consensus::CheckpointVote&) const { return true; }
    bool operator()(const consensus::Wish&, const consensus::Wish&) const { return true; }
    bool operator()(const consensus::ViewChange& a, const consensus::ViewChange& b) const { return a == b; }
    bool operator()(const consensus::NewView& a, const consensus::NewView& b) const { return a == b; }
    bool operator()(const consensus::Signed& a, const consensus::Signed& b) const {
        return a.statement == b.statement && a.signature == b.signature && std::visit(*this, a.body, b.body);
    }
    bool operator()(const consensus::Forward& a, const consensus::Forward& b) const {
        return a.transactions == b.transactions && a.to_all == b.to_all;
    }
    bool operator()(const consensus::Hello& a, const consensus::Hello& b) const {
        return a.asks == b.asks && a.epoch == b.epoch && a.view == b.view && a.decided == b.decided &&
               a.stable == b.stable && a.last_from_you == b.last_from_you &&
               a.last_from_you_signature == b.last_from_you_signature;
    }
    bool operator()(const consensus::FetchBlocks& a, const consensus::FetchBlocks& b) const {
        return a.from == b.from && a.bytes_max == b.bytes_max;
    }
    bool operator()(const consensus::Blocks& a, const consensus::Blocks& b) const {
        return same(a.blocks, b.blocks) && a.tip == b.tip && a.earliest == b.earliest;
    }
    bool operator()(const consensus::FetchContent& a, const consensus::FetchContent& b) const {
        return a.slot == b.slot && a.digest == b.digest;
    }
    bool operator()(const consensus::Content& a, const consensus::Content& b) const {
        return same(a.block, b.block);
    }
    bool operator()(const consensus::FetchSnapshot& a, const consensus::FetchSnapshot& b) const {
        return a.height == b.height && a.after == b.after;
    }
    bool operator()(const consensus::SnapshotPart& a, const consensus::SnapshotPart& b) const {
        return a.height == b.height && a.proof == b.proof && a.chain == b.chain &&
               a.state_root == b.state_root && same(a.epochs, b.epochs) && a.after == b.after &&
               a.pairs == b.pairs && a.last == b.last;
    }
    bool operator()(const consensus::Accuse& a, const consensus::Accuse& b) const {
        return a.evidence == b.evidence;
    }
};

inline bool same(const consensus::Message& a, const consensus::Message& b) {
    return a.from == b.from && std::visit(SameBody{}, a.body, b.body);
}

} // namespace dwcp::test
