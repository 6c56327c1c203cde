// Processes of the transport benchmark: each side of a transfer is a forked child, so that sender and
// receiver share neither threads nor caches of the allocator, as two nodes do not.
//
// The parent stays single-threaded (a fork copies only one thread) and talks to its children through pipes.
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

namespace dwcp::bench {

/// One end of a pair of pipes between parent and child. Throws std::runtime_error on a broken pipe: a
/// benchmark whose other side is gone has no figure to give.
class Channel {
  public:
    Channel(int in, int out) : in_(in), out_(out) {}
    Channel(Channel&& other) noexcept;
    Channel& operator=(Channel&& other) noexcept;
    ~Channel();

    void send(double value) const;
    double receive() const;
    /// Blocks until the other end is closed.
    void wait_for_close() const;
    /// Tells the other end that there is no more.
    void close_sending();

  private:
    int in_;
    int out_;
};

/// A child that runs `body` and exits. Killed and waited for when this goes away; it also dies with the
/// parent.
class Child {
  public:
    explicit Child(const std::function<void(Channel&)>& body);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    Channel& channel() { return channel_; }
    /// Lets it end by itself; false if it failed.
    bool finish();

  private:
    pid_t pid_ = -1;
    Channel channel_{-1, -1};
};

/// True once the user pressed Ctrl-C; receive() then ends the parent's wait, and cleaning up is left to the
/// caller.
bool interrupted();
void watch_for_interrupt();

/// Prints why and ends this process.
[[noreturn]] void give_up(const std::string& why);

} // namespace dwcp::bench
