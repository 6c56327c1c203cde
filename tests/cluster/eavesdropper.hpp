// Reads every frame on a test's network, as a stranger on the wire could.
#pragma once

#include "tests/cluster/namespaces.hpp"

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace dwcp::testing {

class Eavesdropper {
  public:
    /// Listens at the bridge for these byte strings until it is destroyed.
    Eavesdropper(const Namespaces& network, std::vector<std::string> needles);
    ~Eavesdropper();
    Eavesdropper(const Eavesdropper&) = delete;
    Eavesdropper& operator=(const Eavesdropper&) = delete;

    bool heard(const std::string& needle) const;
    std::uint64_t bytes() const { return bytes_; }

  private:
    void listen();

    const std::vector<std::string> needles_;
    int fd_ = -1;
    std::atomic<bool> ending_ = false;
    std::atomic<std::uint64_t> bytes_ = 0;
    mutable std::mutex mutex_;
    std::set<std::string> heard_;
    std::thread thread_;
};

} // namespace dwcp::testing
