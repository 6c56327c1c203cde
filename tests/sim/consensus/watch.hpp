// Watches a simulated lane and notes the first broken promise of consensus.md section 5. It counts and checks
// by itself: quorums, certificates and the application of commands are worked out here a second time, so that
// a bug of the code under test is not repeated in its judge.
//
//   I1 agreement    one block a height, each chained to the one before, one state root a height
//   I2 validity     what is decided was submitted; a command takes effect once; what was answered stands
//   there I3 one word     no correct replica says two things for one (epoch, kind, view, slot), restarts
//   included,
//                   and none votes anew in a view that it has left
//   I4 certificates every decision's certificate verifies from scratch, by votes that the voters really cast
//   I6 samples      a ProBFT vote that was let in was drawn for its recipient
//   I8 bounds       queues, records, evidence and messages stay below their limits
// I9 (progress) and I10 (same seed, same trace) are judged by the world and by whoever runs it twice.
#pragma once

#include "protocols/consensus/replica.hpp"
#include "tests/sim/consensus/plan.hpp"
#include "tests/sim/consensus/registers.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace dwcp::sim {

class Watch {
  public:
    Watch(const Plan& plan, consensus::Domain domain, consensus::Committee genesis,
          consensus::Checker& checker);

    void submitted(const consensus::Command& command);
    /// A correct replica made this message (it may die before it says it), or said it.
    void made(std::size_t host, const consensus::Signed& message);
    void said(std::size_t host, const consensus::Signed& message);
    /// A correct replica let this vote in.
    void let_in(const consensus::ReplicaName& me, const consensus::Signed& message);
    void decided(std::size_t host, const consensus::Commit& commit);
    void applied(std::size_t host, consensus::Height height, const Hash256& root);
    void answered(const consensus::Command& command, const consensus::Answer::Place& place);
    void evidence(std::size_t host, const consensus::Evidence& evidence);
    void bounded(std::size_t host, std::size_t value, std::size_t limit, const char* what);
    /// A host begins at this height after a crash or a snapshot.
    void begins_at(std::size_t host, consensus::Height height) { last_decided_[host] = height; }
    /// What this host signs is worth nothing: it is Byzantine.
    void set_correct(std::vector<bool> correct) { correct_ = std::move(correct); }

    void violated(std::string what);
    const std::string& violation() const { return violation_; }
    consensus::Height height() const { return log_.size(); }
    std::size_t commands() const { return commands_; }
    std::uint64_t certificates() const { return certificates_; }
    const std::map<consensus::Epoch, consensus::Committee>& committees() const { return committees_; }
    /// Replicas, by epoch and name, that were convicted.
    const std::unordered_set<std::string>& convicted() const { return convicted_; }

  private:
    void first_decision(const consensus::Commit& commit);
    void check_certificate(std::size_t host, const consensus::Commit& commit);
    std::string flaw_of(const consensus::Certificate& certificate, const Hash256& digest,
                        consensus::Height height);
    std::string flaw_of_vote(const consensus::Certificate& certificate, const consensus::Vote& vote,
                             const consensus::Committee& committee);
    const consensus::Committee* committee_at(consensus::Height height) const;
    std::size_t host_of(const consensus::Committee& committee, consensus::ReplicaId id) const;

    const Plan& plan_;
    consensus::Domain domain_;
    consensus::Checker& checker_;
    std::map<consensus::Epoch, consensus::Committee> committees_;
    std::vector<bool> correct_;

    std::unordered_map<std::string, std::uint64_t> submitted_; ///< Digest of command to a mark.
    std::vector<consensus::BlockRef> log_;                     ///< Agreed: at i the block of height i + 1.
    std::vector<Hash256> chain_;
    std::vector<Hash256> roots_;
    Registers state_;
    std::map<std::size_t, consensus::Height> last_decided_;
    std::size_t commands_ = 0;
    std::uint64_t certificates_ = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> said_;   ///< (host, kind, epoch, view, slot) to what.
    std::unordered_set<std::uint64_t> made_;                  ///< The same with what.
    std::unordered_map<std::uint64_t, consensus::View> left_; ///< (host, epoch) to the view it changed to.
    std::unordered_set<std::string> convicted_;
    std::string violation_;
};

} // namespace dwcp::sim
