// Cuts a stream of server-sent events (text/event-stream) into events, whatever pieces it comes in.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace dwcp::shell {

struct StreamedEvent {
    std::string id; ///< To go on after; the last one that was sent, if this one has none.
    std::string name;
    std::string data; ///< Its lines joined.
};

class EventStream {
  public:
    /// Calls `on_event` for each event that is complete now. False: a line is longer than kLineBytesMax,
    /// which no event of a node is.
    bool take(std::string_view piece, const std::function<void(const StreamedEvent&)>& on_event);

    /// The hostile or broken other end must not fill our memory.
    static constexpr std::size_t kLineBytesMax = 1U << 20;

  private:
    void take_line(std::string_view line, const std::function<void(const StreamedEvent&)>& on_event);

    std::string rest_;
    StreamedEvent event_;
};

} // namespace dwcp::shell
