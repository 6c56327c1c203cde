// How fast a client sends or takes, measured over the time that it was waited for: a server that pauses by
// itself does not make its clients slow.
#pragma once

#include "protocols/base/clock.hpp"

#include <chrono>
#include <cstdint>

namespace dwcp::http {

class Pace {
  public:
    /// Begins anew: nothing moved, nobody waits.
    void reset() { *this = {}; }
    /// Repeating either changes nothing.
    void wait(TimePoint now) {
        if (!waiting_) since_ = progress_ = now;
        waiting_ = true;
    }
    void pause(TimePoint now) {
        if (waiting_) waited_ += now - since_;
        waiting_ = false;
    }
    void moved(std::uint64_t bytes, TimePoint now) {
        bytes_ += bytes;
        progress_ = now;
    }

    /// How long the client has been waited for without a byte.
    Duration silence(TimePoint now) const { return waiting_ ? now - progress_ : Duration{}; }
    /// In all.
    Duration waited(TimePoint now) const { return waited_ + (waiting_ ? now - since_ : Duration{}); }
    double bytes_per_s(TimePoint now) const {
        return static_cast<double>(bytes_) / std::chrono::duration<double>(waited(now)).count();
    }
    /// Whether it is slower than this, and has been waited for longer than `grace`.
    bool slower_than(std::uint64_t least_bytes_per_s, Duration grace, TimePoint now) const {
        return waited(now) > grace && bytes_per_s(now) < static_cast<double>(least_bytes_per_s);
    }

  private:
    bool waiting_ = false;
    TimePoint since_{};
    TimePoint progress_{};
    Duration waited_{};
    std::uint64_t bytes_ = 0;
};

} // namespace dwcp::http
