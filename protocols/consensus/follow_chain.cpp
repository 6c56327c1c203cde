#include "protocols/consensus/verifier.hpp"
#include "protocols/consensus/verifier_parts.hpp"

namespace dwcp::consensus {
namespace {

using verifier_parts::untrue;

/// That knows one epoch alone, so that no other's votes count.
Verifier verifier_of(const Domain& domain, Checker& checker, const Committee& committee) {
    auto view = std::make_shared<LaneView>();
    view->domain = domain;
    view->committees.emplace(committee.epoch, committee);
    return {std::move(view), checker};
}

} // namespace

Result<void> follow_chain(const LaneView& view, Checker& checker, std::span<const DecidedBlock> blocks,
                          Committee& committee) {
    if (blocks.empty()) return {};
    std::optional<Verifier> verifier(verifier_of(view.domain, checker, committee));
    auto height = (*blocks.front().block)->height;
    for (const auto& [block, proof] : blocks) {
        if ((*block)->height != height)
            return untrue("after block " + std::to_string(height - 1) + " comes block " +
                          std::to_string((*block)->height));
        const bool right_epoch = (*block)->epoch == committee.epoch && proof.epoch == committee.epoch;
        if (!right_epoch && !has_bug(SeededBug::cross_epoch_quorum))
            return untrue("block " + std::to_string(height) + " is not of epoch " +
                          std::to_string(committee.epoch) + ", which decides it");
        if (const auto proven = verifier->proves(proof, block->digest(), height); !proven) return proven;
        if (auto next = next_committee(committee, **block)) {
            committee = std::move(*next);
            verifier.emplace(verifier_of(view.domain, checker, committee));
        }
        ++height;
    }
    return {};
}

} // namespace dwcp::consensus
