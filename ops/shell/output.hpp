// Where a command reads and writes, and how it shows an answer in the format that was asked for.
#pragma once

#include "ops/shell/failure.hpp"
#include "ops/shell/settings.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <ostream>
#include <string>

namespace dwcp::shell {

struct Terminal {
    std::istream& in; ///< Not that of the interactive shell, whose editor reads its terminal.
    std::ostream& out;
    std::ostream& err;
    bool in_is_terminal = false;
    bool err_is_terminal = false;
    Environment environment;
    std::function<std::int64_t()> now_ms; ///< Unix time, for ages.
    bool out_is_terminal = false;
    /// These are the program's own streams, so a line editor may work on their terminal.
    bool is_process = false;
    /// The shell's loop runs, which has its own ways of asking.
    bool interactive = false;
    /// Shows a question and takes the line that is typed; nullopt: none, the input ended. Empty: asks on
    /// `err` and reads from `in`.
    std::function<std::optional<std::string>(const std::string& question)> ask_line{};

    /// An interrupt would end the program with the command.
    bool runs_one_command() const { return is_process && !interactive; }
    std::optional<std::string> ask(const std::string& question);
    /// Whether colours are wanted: on a terminal that has them, unless NO_COLOR is set.
    bool colours() const;
};

enum class Colour { plain, good, doubtful, bad, strong, faint };

/// The text in the terminal's codes, or as it is unless `wanted`.
std::string coloured(const std::string& text, Colour colour, bool wanted);

/// One line, never throwing: bytes that are no UTF-8 are replaced, and what could steer a terminal is written
/// as an escape, which is the same JSON.
std::string one_line(const nlohmann::json& value);

/// json: the answer as it is. ndjson: one object a line, of answer[list] if `list` is not empty, else the
/// answer. table: what `as_table` prints.
void show(Terminal& terminal, Format format, const nlohmann::json& answer, const std::string& list,
          const std::function<void(std::ostream&)>& as_table);

/// "error: message" and "  try: remedy"; `where`, such as "deploy.dwcp:12", stands before it.
void show_failure(Terminal& terminal, const Failure& failure, const std::string& where = {});

/// Members of an answer, forgiving: a node of another version may lack some.
std::string text_at(const nlohmann::json& object, const char* name);
std::uint64_t number_at(const nlohmann::json& object, const char* name);
bool flag_at(const nlohmann::json& object, const char* name);
/// Null if it is missing.
const nlohmann::json& part_at(const nlohmann::json& object, const char* name);
const nlohmann::json& list_at(const nlohmann::json& object, const char* name);

} // namespace dwcp::shell
