// A child process that never outlives its owner by accident.
//
// Life cycle: start(), then signal(), wait() and running(), in one thread; the destructor kills and reaps
// what still runs unless leave_running() was called. The child is its own session, so a terminal's Ctrl-C
// reaches the owner alone, who then stops its children in order; should the owner itself be killed, the
// kernel kills the child.
#pragma once

#include "protocols/base/result.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace dwcp::runner {

struct ProcessOptions {
    std::filesystem::path program;
    std::vector<std::string> arguments;
    std::filesystem::path output; ///< Standard output and error are appended here.
    bool outlive_owner = false;   ///< For clusters that are meant to stay.
};

class Process {
  public:
    /// Must be called in a thread that lives as long as the child is wanted: the kernel ties the child to the
    /// thread.
    static Result<Process> start(const ProcessOptions& options);

    Process() = default;
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    ~Process();

    bool started() const { return pid_ > 0; }
    pid_t pid() const { return pid_; }
    /// Whether it still runs; reaps it if it ended.
    bool running();
    void signal(int number);
    /// True if it ended within the time.
    bool wait(std::chrono::milliseconds limit);
    /// SIGTERM, then SIGKILL after the grace.
    void stop(std::chrono::milliseconds grace);
    /// SIGKILL, and waits for the end.
    void kill();
    void leave_running();

    /// "exit code 2", "signal 9 (Killed)"; only for one that ended.
    std::string how_it_ended() const;
    std::optional<int> exit_code() const;
    /// Resident memory; 0 when it does not run.
    std::uint64_t resident_bytes() const;
    std::uint64_t resident_peak_bytes() const;

  private:
    std::uint64_t status_field_bytes(std::string_view field) const;

    pid_t pid_ = -1;
    bool reaped_ = true;
    int status_ = 0;
};

/// The last lines of a text file, for messages; empty if there is none.
std::string last_lines(const std::filesystem::path& file, std::size_t lines);

/// A program of this build: beside the running one, or in ../bin of it (tests stand in build/X/tests).
std::filesystem::path program_path(std::string_view name);

bool port_is_free(std::uint16_t port);
/// A free loopback port below the range of outgoing connections, so that none of those takes it while its
/// owner is away.
std::uint16_t free_port();

} // namespace dwcp::runner
