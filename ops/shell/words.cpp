#include "ops/shell/words.hpp"

#include <fmt/format.h>

namespace dwcp::shell {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

} // namespace

Result<std::vector<std::string>> split_words(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        const bool escapes = c == '\\' && quote != '\'';
        if (escapes && i + 1 == line.size())
            return fail(Errc::invalid_argument, "the command ends with a backslash",
                        "remove it or write \\\\");
        if (escapes && (quote == 0 || line[i + 1] == '"' || line[i + 1] == '\\')) {
            word += line[++i];
            in_word = true;
        } else if (quote != 0) {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (!is_blank(c)) {
            word += c;
            in_word = true;
        } else if (in_word) {
            words.push_back(std::exchange(word, {}));
            in_word = false;
        }
    }
    if (quote != 0)
        return fail(Errc::invalid_argument, fmt::format("the quote {} is not closed", quote),
                    "add the missing quote");
    if (in_word) words.push_back(std::move(word));
    return words;
}

} // namespace dwcp::shell
