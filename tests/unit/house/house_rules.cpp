#include "tests/unit/house/house_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>

namespace dwcp::house {
namespace {

constexpr std::size_t kColumnsMax = 110;

// Headers that bring threads, sockets, files, clocks or global randomness; a name that ends in '/' stands for
// a folder.
constexpr std::string_view kImpureHeaders[] = {
    "thread",      "mutex",     "shared_mutex", "condition_variable",
    "future",      "semaphore", "latch",        "barrier",
    "stop_token",  "fstream",   "filesystem",   "iostream",
    "random",      "ctime",     "time.h",       "unistd.h",
    "fcntl.h",     "poll.h",    "pthread.h",    "netdb.h",
    "signal.h",    "csignal",   "cstdio",       "stdio.h",
    "sys/",        "netinet/",  "arpa/",        "linux/",
    "caf/",        "torch/",    "spdlog/",      "prometheus/",
    "rocksdb/",    "httplib.h", "kj/async.h",   "kj/io.h",
    "capnp/rpc.h",
};
// The same without a header of their own.
constexpr std::string_view kImpureCalls[] = {
    "random_device", "::now()",       "this_thread",    "rand()",  "srand(",
    "getenv(",       "gettimeofday(", "clock_gettime(", "printf(",
};

bool in(std::string_view path, std::string_view folder) { return path.starts_with(folder); }

bool in_any(std::string_view path, std::initializer_list<std::string_view> folders) {
    return std::ranges::any_of(folders, [&](std::string_view folder) { return in(path, folder); });
}

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool has_word(std::string_view line, std::string_view word) {
    for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
        const auto end = at + word.size();
        const bool starts = at == 0 || !word_char(line[at - 1]);
        const bool ends = end == line.size() || !word_char(line[end]);
        if (starts && ends) return true;
    }
    return false;
}

/// Characters as a terminal counts them: continuation bytes of UTF-8 take no column.
std::size_t columns(std::string_view line) {
    return static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// The line without its comment and without what its string literals hold.
std::string code_of(std::string_view line) {
    std::string code;
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quoted && line[i] == '\\') {
            ++i;
        } else if (line[i] == '"' && (i == 0 || line[i - 1] != '\'')) {
            quoted = !quoted;
            code += '"';
        } else if (!quoted) {
            if (line.substr(i, 2) == "//") break;
            code += line[i];
        }
    }
    return code;
}

/// What an include line includes, with its opening delimiter: `"protocols/x.hpp` or `<vector`; empty for
/// other lines.
std::string_view included(std::string_view line) {
    const auto skip_blanks = [&line] {
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    };
    skip_blanks();
    if (!line.starts_with('#')) return {};
    line.remove_prefix(1);
    skip_blanks();
    if (!line.starts_with("include")) return {};
    line.remove_prefix(std::string_view("include").size());
    skip_blanks();
    const auto end = line.find_first_of("\">", 1);
    return end == std::string_view::npos ? std::string_view{} : line.substr(0, end);
}

/// Programs stand above all rooms; this one stands inside one.
bool is_program(std::string_view path) { return in(path, "runtime/node/"); }

bool may_include_caf(std::string_view path) {
    if (in(path, "protocols/")) return false;
    if (in(path, "runtime/"))
        return is_program(path) || in_any(path, {"runtime/caf/", "runtime/links/control/"});
    if (in(path, "actors/")) return path.find("_actor.") != std::string_view::npos;
    return true;
}

std::string own_include_complaint(std::string_view path, std::string_view name) {
    if (name.starts_with("../") || name.find('/') == std::string_view::npos)
        return "include from the repository's root";
    if (in(path, "protocols/") && !in(name, "protocols/")) return "protocols/ includes only protocols/";
    if (in(path, "runtime/") && !is_program(path) && !in_any(name, {"protocols/", "runtime/"}))
        return "runtime/ includes only protocols/ and runtime/";
    if (in(path, "actors/") &&
        (!in_any(name, {"protocols/", "runtime/", "actors/"}) || in(name, "runtime/node/")))
        return "actors/ includes only protocols/, runtime/ and actors/";
    if (!in(path, "tests/") && in(name, "tests/")) return "only tests include tests/";
    return {};
}

std::string foreign_include_complaint(std::string_view path, std::string_view name) {
    if (in(name, "caf/") && !may_include_caf(path))
        return "CAF is included only in runtime/caf, runtime/links/control, programs and actors' *_actor.* "
               "files";
    if (in(name, "torch/") && (path.ends_with(".hpp") || path.ends_with(".h")))
        return "no header includes torch";
    const auto impure = [name](std::string_view header) {
        return header.ends_with('/') ? in(name, header) : name == header;
    };
    if (in(path, "protocols/") && std::ranges::any_of(kImpureHeaders, impure))
        return "protocols/ is pure: no threads, sockets, files, clocks or global randomness";
    return {};
}

std::string include_complaint(std::string_view path, std::string_view include) {
    const std::string_view name = include.substr(1);
    const std::string complaint =
        include.front() == '"' ? own_include_complaint(path, name) : foreign_include_complaint(path, name);
    return complaint.empty() ? complaint : fmt::format("includes {}: {}", name, complaint);
}

std::string code_complaint(std::string_view path, std::string_view code) {
    if (in(path, "protocols/")) {
        for (std::string_view call : kImpureCalls) {
            if (code.find(call) != std::string_view::npos)
                return fmt::format("protocols/ is pure: no {}", call);
        }
        if (!in(path, "protocols/crypto/") && has_word(code, "random_bytes"))
            return "decision cores take their randomness as an input: no random_bytes";
    }
    // A request without a deadline waits for ever when its receiver is lost.
    if (has_word(code, "infinite")) return "infinite is no timeout: give a deadline";
    return {};
}

std::string text_complaint(std::string_view line) {
    // Put together here, so that this file passes its own rule.
    for (const std::string& mark :
         {std::string("TO") + "DO", std::string("FIX") + "ME", std::string("XX") + "X"}) {
        if (has_word(line, mark)) return "finish it now or file an issue: no " + mark;
    }
    if (const std::size_t width = columns(line); width > kColumnsMax)
        return fmt::format("{} columns, {} are allowed", width, kColumnsMax);
    if (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
        return "blank at the line's end";
    return {};
}

} // namespace

std::vector<std::string> check_source(const std::string& path, std::string_view text) {
    std::vector<std::string> complaints;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string_view include = included(line);
        for (const std::string& complaint : {
                 include.empty() ? code_complaint(path, code_of(line)) : include_complaint(path, include),
                 text_complaint(line),
             }) {
            if (!complaint.empty()) complaints.push_back(fmt::format("{}:{}: {}", path, number, complaint));
        }
    }
    return complaints;
}

bool lists_source(std::string_view cmake, std::string_view source) {
    const auto separates = [](char c) {
        return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '(' || c == ')';
    };
    for (auto at = cmake.find(source); at != std::string_view::npos; at = cmake.find(source, at + 1)) {
        const auto end = at + source.size();
        const std::string_view before = cmake.substr(0, at);
        const bool starts = before.empty() || separates(before.back()) || before.ends_with("_SOURCE_DIR}/");
        if (starts && (end == cmake.size() || separates(cmake[end]))) return true;
    }
    return false;
}

} // namespace dwcp::house
