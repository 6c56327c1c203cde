#include "ops/shell/early_answer.hpp"

#include <array>
#include <charconv>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

namespace dwcp::shell {
namespace {

/// The rest of an answer whose head came follows at once; this is for a busy machine.
constexpr int kRestWaitMs = 100;
constexpr int kRestTries = 20;

std::optional<std::size_t> content_length(std::string_view head) {
    constexpr std::string_view kName = "Content-Length:";
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
        at += 2;
        if (head.size() - at < kName.size() || strncasecmp(head.data() + at, kName.data(), kName.size()) != 0)
            continue;
        std::string_view text = head.substr(at + kName.size());
        while (text.starts_with(' '))
            text.remove_prefix(1);
        std::size_t length = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), length).ec != std::errc())
            return std::nullopt;
        return length;
    }
    return std::nullopt;
}

bool readable(int fd, int wait_ms) {
    pollfd waiting{fd, POLLIN, 0};
    return poll(&waiting, 1, wait_ms) == 1;
}

} // namespace

std::optional<EarlyAnswer> parse_answer(std::string_view received) {
    constexpr std::string_view kStart = "HTTP/1.1 ";
    const std::size_t end = received.find("\r\n\r\n");
    if (!received.starts_with(kStart) || end == std::string_view::npos) return std::nullopt;
    EarlyAnswer answer;
    std::from_chars(received.data() + kStart.size(), received.data() + end, answer.status);
    const auto length = content_length(received.substr(0, end + 2));
    const std::string_view body = received.substr(end + 4);
    if (answer.status < 200 || !length || body.size() < *length) return std::nullopt;
    answer.body = body.substr(0, *length);
    return answer;
}

std::optional<EarlyAnswer> peek_answer(int fd) {
    std::array<char, 16U << 10> buffer;
    for (int i = 0; i < kRestTries && readable(fd, i == 0 ? 0 : kRestWaitMs); ++i) {
        const ssize_t count = recv(fd, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
        if (count <= 0) return std::nullopt;
        if (auto answer = parse_answer({buffer.data(), static_cast<std::size_t>(count)})) return answer;
    }
    return std::nullopt;
}

} // namespace dwcp::shell
