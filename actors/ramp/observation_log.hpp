// The observations of the phase at hand, one line of JSON each, as `ramp replay` reads them; thinned out when
// they become too many, so that a day's phase is there from its beginning to its end.
//
// Life cycle: of the ramp's actor; a record that begins a stage begins a new log. Not thread-safe.
#pragma once

#include "protocols/ramp/ramp.hpp"

#include <string>
#include <vector>

namespace dwcp::ramp {

/// Of the lines of one phase; beyond it every other one of them goes.
inline constexpr std::size_t kLogBytesMax = 4U << 20;

class ObservationLog {
  public:
    void add(const Observation& observation);
    void follow(const Record& record);
    const std::vector<std::string>& lines() const { return lines_; }

  private:
    void thin_out();

    std::vector<std::string> lines_;
    std::size_t bytes_ = 0;
    std::uint64_t every_ = 1; ///< So many observations make a line.
    std::uint64_t seen_ = 0;
};

} // namespace dwcp::ramp
