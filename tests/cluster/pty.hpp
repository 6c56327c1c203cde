// A program at a terminal of its own, for tests: types into it and reads the screen.
//
// The screen is kept as text: what a program draws with carriage returns, backspaces and the usual codes ends
// up where it would be seen. Everything that was ever shown is kept, so a test can wait for it.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace dwcp::testing {

/// A terminal without end: lines are never scrolled away, and clearing the screen begins a new page below.
class Screen {
  public:
    void show(std::string_view bytes);
    /// All lines, without blanks at their ends.
    std::string text() const;

  private:
    void put(const std::string& character);
    void run_code(char command, const std::string& arguments);
    void new_page();

    std::vector<std::vector<std::string>> lines_{1}; ///< A character each, which may be several bytes.
    std::size_t row_ = 0;
    std::size_t column_ = 0;
    std::size_t page_ = 0; ///< The row where the page begins.
    std::string pending_;  ///< The begin of a code or character.
};

class Pty {
  public:
    /// `environment` is all there is of it.
    Pty(const std::string& program, std::vector<std::string> arguments,
        const std::map<std::string, std::string>& environment);
    /// Kills what still runs.
    ~Pty();
    Pty(const Pty&) = delete;
    Pty& operator=(const Pty&) = delete;

    void type(std::string_view keys);
    /// Waits until `text` is shown behind what was waited for before; fails the test if it does not come.
    void expect(std::string_view text, std::chrono::milliseconds limit = std::chrono::seconds(15));
    /// What is waited for next may stand in the line that was just waited for: the program draws it anew.
    void expect_redrawn(std::string_view text);
    /// Waits for the end; the exit code, or 128 + signal.
    int wait(std::chrono::milliseconds limit = std::chrono::seconds(15));
    /// Everything shown so far.
    std::string text() const { return screen_.text(); }
    pid_t pid() const { return pid_; }

  private:
    /// False: nothing came within the time, or the program is gone.
    bool read_some(std::chrono::milliseconds limit);

    pid_t pid_ = -1;
    int fd_ = -1;
    Screen screen_;
    std::size_t seen_ = 0; ///< Of text(), by expect().
};

inline constexpr const char* kTab = "\t";
inline constexpr const char* kCtrlC = "\x03";
inline constexpr const char* kCtrlD = "\x04";
inline constexpr const char* kUp = "\x1b[A";

} // namespace dwcp::testing
