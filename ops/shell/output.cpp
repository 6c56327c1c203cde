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

std::string one_line(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void show(Terminal& terminal, Format format, const json& answer, const std::string& list,
          const std::function<void(std::ostream&)>& as_table) {
    switch (format) {
    case Format::table:
        as_table(terminal.out);
        break;
    case Format::json:
        terminal.out << answer.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
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

void show_failure(std::ostream& err, const Failure& failure) {
    err << "error: " << failure.message << '\n';
    if (!failure.remedy.empty()) err << "  try: " << failure.remedy << '\n';
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
