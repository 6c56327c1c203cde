// Where a command reads and writes, and how it shows an answer in the format that was asked for.
#pragma once

#include "ops/shell/failure.hpp"
#include "ops/shell/settings.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <istream>
#include <ostream>
#include <string>

namespace dwcp::shell {

struct Terminal {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    bool in_is_terminal = false;
    bool err_is_terminal = false;
    Environment environment;
    std::function<std::int64_t()> now_ms; ///< Unix time, for ages.
};

/// One line, never throwing: bytes that are no UTF-8 are replaced.
std::string one_line(const nlohmann::json& value);

/// json: the answer as it is. ndjson: one object a line, of answer[list] if `list` is not empty, else the
/// answer. table: what `as_table` prints.
void show(Terminal& terminal, Format format, const nlohmann::json& answer, const std::string& list,
          const std::function<void(std::ostream&)>& as_table);

/// "error: message" and "  try: remedy".
void show_failure(std::ostream& err, const Failure& failure);

/// Members of an answer, forgiving: a node of another version may lack some.
std::string text_at(const nlohmann::json& object, const char* name);
std::uint64_t number_at(const nlohmann::json& object, const char* name);
bool flag_at(const nlohmann::json& object, const char* name);
/// Null if it is missing.
const nlohmann::json& part_at(const nlohmann::json& object, const char* name);
const nlohmann::json& list_at(const nlohmann::json& object, const char* name);

} // namespace dwcp::shell
