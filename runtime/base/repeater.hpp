// A thread that does something again and again: at once, then each time a pause after it ended.
//
// Life cycle: runs from its construction on; the destructor, or stop(), wakes it from its pause and waits for
// a turn under way. Owners make it last and let it go first, since the turns use what they own.
#pragma once

#include "protocols/base/clock.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace dwcp {

class Repeater {
  public:
    /// `name` as for name_this_thread(). `turn` must not throw.
    Repeater(std::string name, Duration pause, std::function<void()> turn);
    ~Repeater() { stop(); }
    Repeater(const Repeater&) = delete;
    Repeater& operator=(const Repeater&) = delete;

    /// After it no turn runs; not from within one.
    void stop();

  private:
    void run(const std::string& name);

    const Duration pause_;
    const std::function<void()> turn_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace dwcp
