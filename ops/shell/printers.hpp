// The tables that people see of the API's answers. They forgive: a node of another version may say less.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace dwcp::shell {

struct Look {
    std::int64_t now_ms = 0; ///< For ages.
    bool colours = false;
};

using Print = void (*)(std::ostream& out, const nlohmann::json& answer, const Look& look);

void print_status(std::ostream& out, const nlohmann::json& answer, const Look& look);
void print_nodes(std::ostream& out, const nlohmann::json& answer, const Look& look);
void print_tree(std::ostream& out, const nlohmann::json& answer, const Look& look);
void print_events(std::ostream& out, const nlohmann::json& answer, const Look& look);
/// The spans as a tree, each with a bar where it lies between the first beginning and the last end.
void print_trace(std::ostream& out, const nlohmann::json& answer, const Look& look);
/// An operator's deed a line, with its result; then the head, as `audit verify --head` takes it.
void print_audit(std::ostream& out, const nlohmann::json& answer, const Look& look);
void print_health(std::ostream& out, const nlohmann::json& answer, const Look& look);
/// Phase, a bar over the plan's steps, who serves what, and the verdicts.
void print_ramp_status(std::ostream& out, const nlohmann::json& answer, const Look& look);
/// A plan's stages with their gates; of a command's answer its outcome first.
void print_ramp_plan(std::ostream& out, const nlohmann::json& answer, const Look& look);
void print_ramp_history(std::ostream& out, const nlohmann::json& answer, const Look& look);
void print_ramp_explain(std::ostream& out, const nlohmann::json& answer, const Look& look);

/// Any answer: its plain members, then each list of objects as a table of `columns` ("path depth busy_ms";
/// empty: all there are). A number is shown by the unit that its name ends with.
void print_answer(std::ostream& out, const nlohmann::json& answer, const std::string& columns,
                  const Look& look);

/// A member as people read it: 1048576 of size_bytes is "1.0 MiB".
std::string shown_value(const std::string& name, const nlohmann::json& value, std::int64_t now_ms);

} // namespace dwcp::shell
