// Places in the program where a drill can end the process at once, as SIGKILL or a power failure would: the
// Nth time that it comes by there.
//
// Life cycle: one a node. Whoever writes what must survive calls pass() there; `chaos kill` arms a place
// where the configuration allows chaos. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::chaos {

/// Before a record of the ramp is proposed, and after it was committed and before anything follows from it.
inline constexpr std::string_view kRampWrite = "ramp-write";
inline constexpr std::string_view kRampCommit = "ramp-commit";

class KillPoints {
  public:
    static const std::vector<std::string_view>& names();

    /// The process ends the `count`th time that it passes `point`; 0: it does not.
    void arm(const std::string& point, std::uint64_t count);
    void pass(std::string_view point);

  private:
    std::mutex mutex_;
    std::map<std::string, std::uint64_t, std::less<>> left_;
};

} // namespace dwcp::chaos
