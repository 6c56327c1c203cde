// How much a server holds for its clients at the moment. Used by the loop's thread only.
#pragma once

#include <cstddef>

namespace dwcp::http {

class MemoryBudget {
  public:
    explicit MemoryBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    /// What has arrived anyway is always taken; full() says that nobody should ask for more.
    void take(std::size_t bytes) { used_ += bytes; }
    void give_back(std::size_t bytes) { used_ -= bytes; }
    bool full() const { return used_ >= bytes_max_; }
    std::size_t used() const { return used_; }

  private:
    const std::size_t bytes_max_;
    std::size_t used_ = 0;
};

/// A share of it that goes back by itself.
class Held {
  public:
    explicit Held(MemoryBudget& budget) : budget_(budget) {}
    ~Held() { set(0); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    void set(std::size_t bytes) {
        budget_.give_back(bytes_);
        bytes_ = bytes;
        budget_.take(bytes_);
    }
    std::size_t bytes() const { return bytes_; }

  private:
    MemoryBudget& budget_;
    std::size_t bytes_ = 0;
};

} // namespace dwcp::http
