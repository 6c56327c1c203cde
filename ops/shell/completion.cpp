#include "ops/shell/completion.hpp"

#include <algorithm>
#include <sstream>

namespace dwcp::shell {
namespace {

/// The words before the cursor, the last one perhaps unfinished, and in which quotes it stands.
struct Unfinished {
    std::vector<std::string> words;
    std::string last;
    char quote = 0;
};

/// As split_words() cuts, but an open quote or backslash at the end is no error.
Unfinished cut(std::string_view line) {
    Unfinished cut;
    bool in_word = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        const bool blank = c == ' ' || c == '\t';
        if (c == '\\' && cut.quote != '\'' && i + 1 < line.size()) {
            cut.last += line[++i];
            in_word = true;
        } else if (cut.quote != 0 ? c == cut.quote : c == '\'' || c == '"') {
            cut.quote = cut.quote != 0 ? 0 : c;
            in_word = true;
        } else if (!blank || cut.quote != 0) {
            cut.last += c;
            in_word = true;
        } else if (in_word) {
            cut.words.push_back(std::exchange(cut.last, {}));
            in_word = false;
        }
    }
    return cut;
}

const CLI::Option* find_option(const CLI::App& app, const CLI::App& root, const std::string& name) {
    const CLI::Option* option = app.get_option_no_throw(name);
    return option != nullptr ? option : root.get_option_no_throw(name);
}

bool takes_value(const CLI::Option& option) { return option.get_expected_max() > 0; }

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        if (command->get_name() == name) return command;
    return nullptr;
}

std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    return names;
}

/// Where in the grammar the last word stands.
struct Place {
    const CLI::App* command = nullptr;
    std::string value_of{};      ///< The kind of the option whose value it is.
    std::size_t positionals = 0; ///< Before it.
    bool takes_value = false;
};

Place find_place(const std::vector<std::string>& words, const Parser& parser) {
    Place place{&parser.app};
    for (const std::string& word : words) {
        if (std::exchange(place.takes_value, false)) continue;
        if (word.size() > 1 && word.starts_with('-')) {
            const CLI::Option* option = find_option(*place.command, parser.app, word);
            place.takes_value = option != nullptr && takes_value(*option);
            if (place.takes_value) place.value_of = option->get_type_name();
        } else if (place.command == parser.watch || place.command == parser.help) {
            // What follows is a command line of its own.
            const CLI::App* inner = find_command(parser.app, word);
            place.command = inner != nullptr ? inner : place.command;
        } else if (const CLI::App* inner = find_command(*place.command, word);
                   inner != nullptr && place.positionals == 0) {
            place.command = inner;
        } else {
            ++place.positionals;
        }
    }
    return place;
}

std::vector<std::string> flags_of(const CLI::App& command, const CLI::App& root) {
    std::vector<std::string> flags;
    for (const CLI::App* app : {&command, &root})
        for (const CLI::Option* option : app->get_options())
            for (const std::string& name : option->get_lnames())
                flags.push_back("--" + name);
    std::ranges::sort(flags);
    flags.erase(std::unique(flags.begin(), flags.end()), flags.end());
    return flags;
}

Names names_of(const std::string& kind, const std::string& prefix, NameSource& source) {
    if (kind.find('|') == std::string::npos) return source.names(kind, prefix);
    Names choices;
    std::istringstream all(kind);
    for (std::string choice; std::getline(all, choice, '|');)
        choices.all.push_back(choice);
    return choices;
}

std::string positional_kind(const CLI::App& command, std::size_t index) {
    for (const CLI::Option* option : command.get_options())
        if (option->get_positional() && index-- == 0) return option->get_name();
    return "";
}

Names candidates_at(const Place& place, const std::string& last, const Parser& parser, NameSource& source) {
    if (place.takes_value) return names_of(place.value_of, last, source);
    if (last.starts_with('-')) return {flags_of(*place.command, parser.app)};
    if (place.command == parser.watch || place.command == parser.help) return {command_names(parser.app)};
    if (auto names = command_names(*place.command); !names.empty()) {
        if (place.command == &parser.app) names.insert(names.end(), {"exit", "quit"});
        return {names};
    }
    const std::string kind = positional_kind(*place.command, place.positionals);
    return kind.empty() ? Names{} : names_of(kind, last, source);
}

std::string common_start(const std::vector<std::string>& words) {
    std::string common = words.empty() ? "" : words.front();
    for (const std::string& word : words)
        common.resize(static_cast<std::size_t>(std::ranges::mismatch(common, word).in1 - common.begin()));
    // Not the half of a character.
    while (!common.empty() && std::ranges::any_of(words, [&](const std::string& word) {
        return word.size() > common.size() &&
               (static_cast<unsigned char>(word[common.size()]) & 0xc0) == 0x80;
    }))
        common.pop_back();
    return common;
}

/// So that split_words() reads it as it is meant.
std::string quoted(const std::string& text, char quote) {
    std::string out;
    for (const char c : text) {
        const bool special = quote == 0 ? std::string_view(" \t'\"\\").find(c) != std::string_view::npos
                                        : quote == '"' && (c == '"' || c == '\\');
        if (special) out += '\\';
        out += c;
    }
    return out;
}

/// A name that goes on: a folder, a node before its actor.
bool goes_on(const std::string& word) { return word.ends_with('/') || word.ends_with(':'); }

} // namespace

Completion complete(std::string_view line, const Parser& parser, NameSource& source) {
    const Unfinished typed = cut(line);
    Names names = candidates_at(find_place(typed.words, parser), typed.last, parser, source);
    Completion completion;
    completion.complete = names.complete;
    for (std::string& name : names.all)
        if (name.starts_with(typed.last)) completion.candidates.push_back(std::move(name));
    std::ranges::sort(completion.candidates);
    const auto same = std::ranges::unique(completion.candidates);
    completion.candidates.erase(same.begin(), same.end());
    if (completion.candidates.empty() || !completion.complete) return completion;
    const std::string common = common_start(completion.candidates);
    completion.insert = quoted(common.substr(typed.last.size()), typed.quote);
    if (completion.candidates.size() > 1 || goes_on(common)) return completion;
    if (typed.quote != 0) completion.insert += typed.quote;
    completion.insert += ' ';
    return completion;
}

} // namespace dwcp::shell
