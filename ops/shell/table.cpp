#include "ops/shell/table.hpp"

#include "ops/shell/units.hpp"

#include <algorithm>

namespace dwcp::shell {
namespace {

constexpr std::size_t kGap = 2;

/// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

} // namespace

Table::Table(std::vector<std::string> columns) : columns_(std::move(columns)), right_(columns_.size()) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        right_[i] = columns_[i].starts_with('>');
        if (right_[i]) columns_[i].erase(0, 1);
    }
}

void Table::add(std::vector<std::string> cells) {
    for (std::string& cell : cells)
        cell = printable(cell);
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out) const {
    std::vector<std::size_t> widths;
    for (const auto& name : columns_)
        widths.push_back(width(name));
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width(row[i]));

    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string fill(widths[i] - width(cells[i]), ' ');
            text += right_[i] ? fill + cells[i] : cells[i] + fill;
            text.append(kGap, ' ');
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out << text << '\n';
    };
    if (std::ranges::any_of(columns_, [](const auto& name) { return !name.empty(); })) line(columns_);
    for (const auto& row : rows_)
        line(row);
}

} // namespace dwcp::shell
