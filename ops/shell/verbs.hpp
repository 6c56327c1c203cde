// The commands. Each adds itself to the parser; run() does what was parsed.
//
// The operator's verbs come from the table that makes the HTTP routes (actors/gateway/operator_verbs.hpp): a
// new entry there is a command here. Arguments are named by what they take, and completion goes by the name:
// NODE, [NODE:]PATH, KEY, FILE, VERB, CONFIG-KEY, or the choices themselves: debug|info|warn.
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
    bool mutates = false;
    std::string answer{}; ///< What -o json passes on: the API's answer, in a sentence.
};

/// status, nodes, actor kill, ...: every verb of the API's table that is not among `verbs` already.
void add_operator_verbs(CLI::App& app, std::vector<Verb>& verbs);
/// put, get, ls, rm.
void add_object_verbs(CLI::App& app, std::vector<Verb>& verbs);
/// tx submit, tx status, workloads.
void add_work_verbs(CLI::App& app, std::vector<Verb>& verbs);
/// backup restore, which works on a stopped node's files.
void add_restore_verb(CLI::App& app, std::vector<Verb>& verbs);
/// ramp replay, which judges a file.
void add_replay_verb(CLI::App& app, std::vector<Verb>& verbs);
/// verify and consensus verify, which check a proof without a node.
void add_verify_verb(CLI::App& app, std::vector<Verb>& verbs);
/// events, which can follow, and bundle, which writes a file.
void add_stream_verbs(CLI::App& app, std::vector<Verb>& verbs);

/// The parser of "actor kill", with that of "actor" made where it is missing.
CLI::App* add_parser(CLI::App& app, const std::string& name, const std::string& summary);

/// The same for every command that asks one question.
Outcome<void> show_answer(Context& context, const std::string& path, const std::string& list,
                          const std::function<void(std::ostream&, const nlohmann::json&)>& print);

} // namespace dwcp::shell
