// Checkpoints: every so many heights, and at an epoch's last, each member signs what the lane's state is; a
// quorum of equal signatures makes it stable (Castro and Liskov, section 4.3). Until then a member says its
// own again to those that ask.
//
// A pure value: collects votes, bounded by kPerMember a member, and makes certificates.
#pragma once

#include "protocols/consensus/message.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace dwcp::consensus {

class Checkpoints {
  public:
    /// Heights a member's votes are kept for: those of the window, and the ends of epochs between.
    static constexpr std::size_t kPerMember = 4;
    /// Own ones that are kept for those that lag, and stable ones for those that fetch a snapshot.
    static constexpr std::size_t kKept = 8;

    /// A vote of a member of `committee`, its signature checked. The certificate if it completes a quorum.
    std::optional<Certificate> add(const Committee& committee, const Statement& vote,
                                   const crypto::Signature& signature);
    /// What this replica said, to be said again.
    void keep_own(Signed vote);
    /// Own votes above a height.
    std::vector<Signed> own_above(Height height) const;
    const std::map<Height, Signed>& own() const { return own_; }

    /// Votes at or below it are needed no more.
    void collect(Height stable);

  private:
    struct Ballot {
        Hash256 digest;
        crypto::Signature signature{};
    };
    /// By height and epoch, then by member.
    std::map<std::pair<Height, Epoch>, std::map<ReplicaId, Ballot>> votes_;
    std::map<std::pair<Epoch, ReplicaId>, std::set<Height>> heights_;
    std::map<Height, Signed> own_;
    Height stable_ = 0;
};

} // namespace dwcp::consensus
