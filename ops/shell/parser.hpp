// One command line, parsed: the global options, the verbs and what was said to them. Made anew for each line,
// since a parser keeps what it has seen.
#pragma once

#include "ops/shell/verbs.hpp"

#include <string>
#include <vector>

namespace dwcp::shell {

struct Parser {
    /// What the line does not say is as in `defaults`.
    explicit Parser(const GlobalOptions& defaults = {});

    /// Failures: usage, with a hint at the help that fits.
    Outcome<void> parse(std::vector<std::string> words);
    const Verb* parsed() const;
    /// The name of the verb that the words chose so far.
    std::string topic() const;

    CLI::App app;
    GlobalOptions globals;
    std::vector<Verb> verbs;

    bool wants_help = false; ///< --help, of the program or of topic().
    bool wants_version = false;
    std::string script_file;
    bool keep_going = false;

    CLI::App* help = nullptr;
    std::vector<std::string> help_topic;

    CLI::App* watch = nullptr;
    double watch_seconds = 2;
    std::uint64_t watch_count = 0; ///< 0: until an interrupt.
    std::vector<std::string> watched;

  private:
    void add_globals();
    void add_own_verbs();
    Outcome<void> no_such_command(const std::string& word) const;
};

} // namespace dwcp::shell
