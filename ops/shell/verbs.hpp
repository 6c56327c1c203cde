// The commands. Each adds itself to the parser; run() does what was parsed.
#pragma once

#include "ops/shell/client.hpp"
#include "ops/shell/failure.hpp"
#include "ops/shell/output.hpp"
#include "ops/shell/settings.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace dwcp::shell {

struct Context {
    Terminal& terminal;
    const Settings& settings;
    Client& client;
};

/// A command as the user knows it.
struct Verb {
    std::string name;    ///< "actor kill".
    std::string summary; ///< One sentence.
    std::string example; ///< As typed after "dwcp-shell".
    CLI::App* parser = nullptr;
    std::function<Outcome<void>(Context&)> run;
};

/// status, nodes, tree, events, actor show, actor kill, actor restart.
void add_operator_verbs(CLI::App& app, std::vector<Verb>& verbs);
/// put, get, ls, rm.
void add_object_verbs(CLI::App& app, std::vector<Verb>& verbs);

} // namespace dwcp::shell
