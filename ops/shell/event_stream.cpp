#include "ops/shell/event_stream.hpp"

namespace dwcp::shell {

bool EventStream::take(std::string_view piece, const std::function<void(const StreamedEvent&)>& on_event) {
    rest_ += piece;
    std::size_t begin = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
        std::string_view line = std::string_view(rest_).substr(begin, end - begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        take_line(line, on_event);
        begin = end + 1;
    }
    rest_.erase(0, begin);
    return rest_.size() <= kLineBytesMax && event_.data.size() <= kLineBytesMax;
}

void EventStream::take_line(std::string_view line,
                            const std::function<void(const StreamedEvent&)>& on_event) {
    if (line.empty()) {
        if (!event_.data.empty()) {
            event_.data.pop_back(); // the line end after its last line
            on_event(event_);
        }
        event_.name.clear();
        event_.data.clear();
        return;
    }
    const std::size_t colon = line.find(':');
    const std::string_view field = line.substr(0, colon); // a comment has none
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "data") {
        event_.data += value;
        event_.data += '\n';
    } else if (field == "event") {
        event_.name = value;
    } else if (field == "id") {
        event_.id = value;
    }
}

} // namespace dwcp::shell
