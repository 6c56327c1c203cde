// What Ctrl-C and SIGTERM do to the shell.
//
// One command ends at once: an unfinished file is removed and the exit code is 128 + the signal's number.
// In the interactive shell SIGINT ends what runs, not the shell: the flag rises, a waiting read of the
// terminal wakes up, and the connection of the running command is shut down so that its call returns. SIGTERM
// and SIGHUP do the same and the shell leaves after it. One main thread; the handler only uses what is
// async-signal-safe. A command that has something to say at its end asks for the same (CancelOnInterrupt).
#pragma once

#include <chrono>
#include <string>

namespace dwcp::shell {

enum class OnInterrupt { end_program, cancel_command };

/// For SIGINT, SIGTERM and SIGHUP. May be called again to change what an interrupt does.
void install_interrupt_handler(OnInterrupt what = OnInterrupt::end_program);

/// While it lives, an interrupt ends what runs and not the program, which then can say how to go on.
class CancelOnInterrupt {
  public:
    /// Without `needed` nothing changes: the shell is interactive, or no program of its own.
    explicit CancelOnInterrupt(bool needed);
    ~CancelOnInterrupt();
    CancelOnInterrupt(const CancelOnInterrupt&) = delete;
    CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;

  private:
    const bool needed_;
};

/// Since the last clear_interrupt().
bool interrupted();
/// Keeps a request to leave.
void clear_interrupt();
/// SIGTERM or SIGHUP came: its number; 0 otherwise.
int leave_signal();
/// Readable from an interrupt until it is cleared; -1 unless interrupts cancel commands.
int interrupt_fd();
/// True if an interrupt came within the time.
bool wait_for_interrupt(std::chrono::milliseconds time);

/// The file that an interrupt removes at the program's end; empty: none. At most 4095 bytes, else false.
bool remove_on_interrupt(const std::string& path);

/// The socket that an interrupt shuts down; -1: none.
void shut_down_on_interrupt(int socket);

} // namespace dwcp::shell
