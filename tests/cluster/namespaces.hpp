// Machines for a test: network namespaces of their own, joined by a bridge, so that nodes talk over addresses
// that are not loopback and nothing of it touches this machine's network.
//
// Life cycle: made when why_not() has nothing to say; the destructor takes everything away again, after the
// processes inside have ended. What a killed test left behind is taken away by the next one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::testing {

struct Output {
    int exit_code = -1;
    std::string text; ///< Standard output and error.
};

/// Runs a shell command to its end.
Output run_command(const std::string& command);

class Namespaces {
  public:
    /// Why namespaces cannot be had here, for a test that says so and is skipped.
    static std::optional<std::string> why_not();

    /// Namespace 0 is the operator's, with the bridge; 1 ... `machines` hang on it.
    explicit Namespaces(std::size_t machines);
    ~Namespaces();
    Namespaces(const Namespaces&) = delete;
    Namespaces& operator=(const Namespaces&) = delete;

    std::string name(std::size_t machine) const;
    /// "10.77.0.1" and so on; the same in every test, since no two bridges meet.
    static std::string address(std::size_t machine);
    /// Runs a shell command in there.
    Output run(std::size_t machine, const std::string& command) const;
    /// Calls a function in a thread that is in there.
    void enter(std::size_t machine, const std::function<void()>& function) const;

  private:
    void remove() const;

    const std::size_t machines_;
};

} // namespace dwcp::testing
