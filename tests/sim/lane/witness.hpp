// Watches a lane's members and notes the first broken promise. Knows nothing of engines: it sees what is
// applied, answered and on the disks.
//
//   agreement     every member applies the same entry at an index, one after the other, without gaps
//   exactly once  an id is at one index only and takes effect once on every member
//   validity      what is applied was submitted
//   durability    what was answered, or counts as committed anywhere, is on the disks of a majority, and
//   stays there monotonic     in one life, a member's committed and applied indexes never fall
#pragma once

#include "tests/sim/lane/member.hpp"

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace dwcp::sim {

class Witness {
  public:
    void watch(const std::vector<Member*>& members) { members_ = members; }

    void submitted(const consensus::Command& command) { submitted_.emplace(command.id, command.payload); }
    void booted(const Member& member);
    void applied(const NodeName& member, const consensus::Entry& entry);
    void answered(const std::string& id, consensus::LogIndex index);
    /// After every event.
    void stepped();
    /// At the end, when every member is up and has caught up.
    void finished();

    const std::string& violation() const { return violation_; }
    std::size_t entries() const { return log_.size(); }

  private:
    void violated(std::string what);
    void check_majority_has(consensus::LogIndex index, const std::string& why);

    std::vector<Member*> members_;
    std::unordered_map<std::string, Bytes> submitted_;
    std::vector<consensus::Entry> log_; ///< Agreed: at i the entry of index i + 1.
    std::unordered_map<std::string, consensus::LogIndex> index_of_;
    std::map<NodeName, consensus::LogIndex> applied_;
    std::map<NodeName, consensus::LogIndex> committed_;
    consensus::LogIndex promised_ = 0; ///< Highest index that was answered or seen committed.
    std::string violation_;
};

} // namespace dwcp::sim
