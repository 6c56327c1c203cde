#include "ops/shell/history.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace dwcp::shell {
namespace {

constexpr std::string_view kSecretWords[] = {
    "password", "passwd",  "passphrase", "secret",      "token",       "bearer", "credential",
    "apikey",   "api_key", "api-key",    "private-key", "private_key", "begin ", "authorization"};

/// Appends at once, so that lines of two shells do not mix.
bool append(const std::string& file, const std::string& text) {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    const bool written =
        fchmod(fd, 0600) == 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(fd);
    return written;
}

void replace(const std::string& file, const std::vector<std::string>& lines) {
    std::string temporary = file + ".XXXXXX";
    const int fd = mkostemp(temporary.data(), O_CLOEXEC); // mode 0600
    if (fd < 0) return;
    std::string text;
    for (const auto& line : lines)
        text += line + '\n';
    const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(fd);
    if (!written || rename(temporary.c_str(), file.c_str()) != 0) unlink(temporary.c_str());
}

} // namespace

History::History(std::string file) : file_(std::move(file)) {}

std::vector<std::string> History::load() {
    std::vector<std::string> lines;
    if (file_.empty()) return lines;
    std::ifstream file(file_);
    for (std::string line; std::getline(file, line);)
        if (!line.empty() && line.size() <= kLineBytesMax) lines.push_back(std::move(line));
    const bool grown = lines.size() >= 2 * kLinesMax;
    if (lines.size() > kLinesMax) lines.erase(lines.begin(), lines.end() - kLinesMax);
    if (grown) replace(file_, lines);
    chmod(file_.c_str(), 0600);
    return lines;
}

bool History::remember(std::string_view line) {
    if (file_.empty() || line.size() > kLineBytesMax || !may_be_remembered(line)) return false;
    if (line.find('\n') != std::string_view::npos) return false;
    const auto folder = std::filesystem::path(file_).parent_path();
    std::error_code error;
    if (!folder.empty() && std::filesystem::create_directories(folder, error)) chmod(folder.c_str(), 0700);
    return append(file_, std::string(line) + '\n');
}

std::string history_file(const Environment& environment) {
    if (const auto named = environment("DWCP_HISTORY")) return *named;
    if (const auto state = environment("XDG_STATE_HOME"); state && !state->empty())
        return *state + "/dwcp/history";
    const auto home = environment("HOME");
    return home && !home->empty() ? *home + "/.local/state/dwcp/history" : "";
}

bool may_be_remembered(std::string_view line) {
    if (line.empty() || line.front() == ' ' || line.front() == '\t') return false;
    std::string lower(line);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    // The name of a file is no secret.
    for (std::size_t at = lower.find("--token-file"); at != std::string::npos;
         at = lower.find("--token-file"))
        lower.erase(at, std::string_view("--token-file").size());
    return std::ranges::none_of(kSecretWords,
                                [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

} // namespace dwcp::shell
