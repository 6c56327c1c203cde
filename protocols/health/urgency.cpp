#include "protocols/health/urgency.hpp"

#include <charconv>
#include <string>

namespace dwcp::health {

std::string_view to_string(Priority priority) {
    switch (priority) {
    case Priority::low:
        return "low";
    case Priority::normal:
        return "normal";
    case Priority::high:
        return "high";
    case Priority::critical:
        return "critical";
    }
    return "normal";
}

std::string_view to_string(Work work) {
    switch (work) {
    case Work::none:
        return "none";
    case Work::read:
        return "read";
    case Work::write:
        return "write";
    case Work::going_on:
        return "going_on";
    }
    return "none";
}

Result<Priority> parse_priority(std::string_view text) {
    for (const Priority priority : kPriorities)
        if (text == to_string(priority)) return priority;
    return fail(Errc::invalid_argument, "'" + std::string(text) + "' is no priority",
                "give low, normal, high or critical");
}

Result<Duration> parse_deadline_ms(std::string_view text) {
    std::uint32_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc() || end != text.data() + text.size() || ms < 1 || ms > kDeadlineMsMax)
        return fail(Errc::invalid_argument,
                    "'" + std::string(text) + "' is not a number of milliseconds to wait",
                    "give 1 to " + std::to_string(kDeadlineMsMax));
    return milliseconds(ms);
}

Result<void> still_wanted(TimePoint deadline, TimePoint now, std::string_view what) {
    if (now < deadline) return {};
    return fail(Errc::deadline_exceeded,
                "the client's deadline passed before " + std::string(what) + "; it was not begun",
                "wait longer (X-DWCP-Deadline-Ms), or try again when the node has less to do");
}

} // namespace dwcp::health
