#include "ops/shell/output.hpp"

#include "ops/shell/units.hpp"

#include <fmt/format.h>

namespace dwcp::shell {

using nlohmann::json;

const json& part_at(const json& object, const char* name) {
    static const json nothing;
    if (!object.is_object()) return nothing;
    const auto found = object.find(name);
    return found == object.end() ? nothing : *found;
}

namespace {

std::string harmless(const json& value, int indent) {
    return escape_for_terminal(value.dump(indent, ' ', false, json::error_handler_t::replace),
                               Escape::as_json);
}

} // namespace

std::string one_line(const json& value) { return harmless(value, -1); }

std::optional<std::string> Terminal::ask(const std::string& question) {
    if (ask_line) return ask_line(question);
    err << question << std::flush;
    std::string line;
    if (!std::getline(in, line)) return std::nullopt;
    return line;
}

bool Terminal::colours() const {
    const auto no_color = environment("NO_COLOR");
    return out_is_terminal && (!no_color || no_color->empty()) && environment("TERM") != "dumb";
}

std::string coloured(const std::string& text, Colour colour, bool wanted) {
    if (!wanted || colour == Colour::plain) return text;
    const char* code = colour == Colour::good       ? "32"
                       : colour == Colour::doubtful ? "33"
                       : colour == Colour::bad      ? "31"
                       : colour == Colour::strong   ? "1"
                                                    : "2";
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void show(Terminal& terminal, Format format, const json& answer, const std::string& list,
          const std::function<void(std::ostream&)>& as_table) {
    switch (format) {
    case Format::table:
        as_table(terminal.out);
        break;
    case Format::json:
        terminal.out << harmless(answer, 2) << '\n';
        break;
    case Format::ndjson:
        if (list.empty())
            terminal.out << one_line(answer) << '\n';
        else
            for (const auto& entry : list_at(answer, list.c_str()))
                terminal.out << one_line(entry) << '\n';
        break;
    }
}

void show_failure(Terminal& terminal, const Failure& failure, const std::string& where) {
    const std::string label = coloured("error:", Colour::bad, terminal.err_is_terminal && terminal.colours());
    terminal.err << where << (where.empty() ? "" : ": ") << label << ' ' << printable_lines(failure.message)
                 << '\n';
    if (!failure.remedy.empty()) terminal.err << "  try: " << printable_lines(failure.remedy) << '\n';
}

std::string text_at(const json& object, const char* name) {
    const json& value = part_at(object, name);
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) return fmt::format("{:.3g}", value.get<double>());
    return value.is_null() ? "" : one_line(value);
}

std::uint64_t number_at(const json& object, const char* name) {
    const json& value = part_at(object, name);
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    if (!value.is_number()) return 0;
    const double number = value.get<double>();
    return number > 0 && number < 1e19 ? static_cast<std::uint64_t>(number) : 0;
}

bool flag_at(const json& object, const char* name) {
    const json& value = part_at(object, name);
    return value.is_boolean() && value.get<bool>();
}

const json& list_at(const json& object, const char* name) {
    static const json empty = json::array();
    const json& value = part_at(object, name);
    return value.is_array() ? value : empty;
}

} // namespace dwcp::shell
