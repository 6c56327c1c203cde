#include "ops/shell/output.hpp"
#include "ops/shell/printers.hpp"
#include "ops/shell/table.hpp"
#include "ops/shell/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace dwcp::shell {
namespace {

using nlohmann::json;

constexpr std::size_t kBarColumns = 32;
/// Steps call steps a few levels deep; an answer with a circle must end.
constexpr std::size_t kDepthMax = 32;

struct Time {
    std::uint64_t begin_us = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t end_us = 0;

    std::size_t column(std::uint64_t at_us) const {
        const auto whole = static_cast<double>(std::max<std::uint64_t>(end_us - begin_us, 1));
        const double share = static_cast<double>(at_us - std::min(at_us, begin_us)) / whole;
        return std::min(kBarColumns, static_cast<std::size_t>(share * kBarColumns));
    }
};

std::string milliseconds(std::uint64_t us) {
    return fmt::format("{:.2f} ms", static_cast<double>(us) / 1000);
}

std::uint64_t end_of(const json& span) {
    return number_at(span, "start_us") + number_at(span, "duration_us");
}

/// "    ====    ": at least one mark, or a short step would not be seen.
std::string bar(const json& span, const Time& time) {
    const std::size_t begin = std::min(time.column(number_at(span, "start_us")), kBarColumns - 1);
    const std::size_t end = std::max(time.column(end_of(span)), begin + 1);
    return "|" + std::string(begin, ' ') + std::string(end - begin, '=') +
           std::string(kBarColumns - end, ' ') + "|";
}

std::string what_of(const json& span) {
    std::string text = text_at(span, "name");
    if (const std::string detail = text_at(span, "detail"); !detail.empty()) text += " " + detail;
    if (const auto count = number_at(span, "count"); count > 1) text += fmt::format(" x{}", count);
    return text;
}

struct Tree {
    const json& spans;
    Time time;
    Table table{{"STEP", "NODE", ">AT", ">TOOK", "", "NOTE"}};

    void add(const std::string& parent, bool root, std::size_t depth) {
        if (depth > kDepthMax) return;
        for (const json& span : spans) {
            const std::string above = text_at(span, "parent");
            if (root ? is_listed(above) : above != parent) continue;
            const json& ok = part_at(span, "ok");
            const std::string note = ok.is_boolean() && !ok.get<bool>()
                                         ? "FAILED: " + text_at(span, "error")
                                         : shown_value("fields", part_at(span, "fields"), 0);
            table.add({std::string(2 * depth, ' ') + what_of(span), text_at(span, "node"),
                       milliseconds(number_at(span, "start_us") - time.begin_us),
                       milliseconds(number_at(span, "duration_us")), bar(span, time),
                       note == "-" ? "" : note});
            const std::string id = text_at(span, "span");
            if (!id.empty() && id != above) add(id, false, depth + 1);
        }
    }
    bool is_listed(const std::string& id) const {
        return !id.empty() && std::any_of(spans.begin(), spans.end(),
                                          [&](const json& span) { return text_at(span, "span") == id; });
    }
};

} // namespace

void print_trace(std::ostream& out, const json& answer, const Look&) {
    const json& spans = list_at(answer, "spans");
    Time time;
    for (const json& span : spans) {
        time.begin_us = std::min(time.begin_us, number_at(span, "start_us"));
        time.end_us = std::max(time.end_us, end_of(span));
    }
    out << fmt::format("{}, {} steps", printable(text_at(answer, "id")), spans.size());
    out << (spans.empty() ? "" : fmt::format(", {}", milliseconds(time.end_us - time.begin_us))) << "\n\n";
    Tree tree{spans, time};
    tree.add("", true, 0);
    tree.table.print(out);
    for (const json& node : list_at(answer, "nodes"))
        if (!flag_at(node, "answered"))
            out << printable(
                       fmt::format("{} did not answer: {}", text_at(node, "node"), text_at(node, "problem")))
                << '\n';
}

} // namespace dwcp::shell
