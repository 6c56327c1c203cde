#include "actors/gateway/event_feed.hpp"

#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <charconv>
#include <mutex>
#include <optional>
#include <vector>

namespace dwcp::gateway {
namespace {

/// Where a client goes on.
struct Position {
    std::uint64_t after = 0;
    bool other_life = false; ///< Its id is of another process: what came between is not known.
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

Result<Position> position_of(const http::Request& request, const std::string& incarnation,
                             std::uint64_t last_id) {
    const auto after = request.param("after");
    const auto last = request.header("Last-Event-ID");
    if (!last && !after) return Position{last_id, false};
    // The header is of a client that comes back: it is newer than the address that it was opened with.
    const std::string text = last ? *last : *after;
    const auto dash = text.find('-');
    const auto number = parse_number(dash == std::string::npos ? text : text.substr(dash + 1));
    if (!number)
        return fail(Errc::invalid_argument, "'" + text + "' is not the id of an event",
                    "send INCARNATION-ID as the stream gave it, or a number");
    if (dash != std::string::npos && text.substr(0, dash) != incarnation) return Position{0, true};
    // A number that was never given is of another life too.
    if (*number > last_id) return Position{0, true};
    return Position{*number, false};
}

std::string message(const std::string& id, std::string_view name, const nlohmann::json& data) {
    return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id, name,
                       data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

} // namespace

nlohmann::json event_json(const Event& event) {
    return {{"id", event.id},           {"time_ms", event.time_ms}, {"name", event.name},
            {"subject", event.subject}, {"trace", event.trace},     {"fields", event.fields}};
}

/// What feed and streams share; the streams are the server's, so either may end first.
struct EventFeed::Streams {
    std::mutex mutex;
    EventRing* ring = nullptr; ///< Null: the feed has ended.
    std::vector<Stream*> all;
    const metrics::Gauge open =
        metrics::gauge("dwcp_event_streams", "Clients that follow this node's events.");

    void wake_all();
};

class EventFeed::Stream final : public http::LiveBody {
  public:
    Stream(std::shared_ptr<Streams> shared, std::string incarnation, Position from, Duration heartbeat)
        : shared_(std::move(shared)), incarnation_(std::move(incarnation)), after_(from.after),
          other_life_(from.other_life), heartbeat_(heartbeat) {}
    ~Stream() override {
        const std::lock_guard lock(shared_->mutex);
        std::erase(shared_->all, this);
        shared_->open.set(static_cast<double>(shared_->all.size()));
    }

    void on_ready(std::function<void()> wake) override {
        const std::lock_guard lock(shared_->mutex);
        wake_ = std::make_shared<const Wake>(std::move(wake));
    }

    std::optional<std::string> take() override {
        std::string text;
        if (!greeted_) text = "retry: 2000\n: events of this node\n\n";
        greeted_ = true;
        for (const auto& event : next())
            text += render(event);
        const auto now = std::chrono::steady_clock::now();
        if (text.empty() && now - sent_at_ >= heartbeat_) text = ": alive\n\n";
        if (!text.empty()) sent_at_ = now;
        return text;
    }

    using Wake = std::function<void()>;
    /// With the streams' mutex held; null before on_ready().
    const std::shared_ptr<const Wake>& waker() const { return wake_; }

  private:
    std::vector<Event> next() const {
        const std::lock_guard lock(shared_->mutex);
        return shared_->ring != nullptr ? shared_->ring->since(after_, kEventsAPiece) : std::vector<Event>{};
    }

    std::string render(const Event& event) {
        std::string text;
        const auto id = fmt::format("{}-{}", incarnation_, event.id);
        if (other_life_ || event.id > after_ + 1) {
            nlohmann::json gap{{"next", event.id}};
            // How many a former process had told nobody knows.
            if (!other_life_) gap["missed"] = event.id - after_ - 1;
            gap["reason"] = other_life_ ? "the node was restarted" : "the events were no longer kept";
            text = message(fmt::format("{}-{}", incarnation_, event.id - 1), "gap", gap);
        }
        other_life_ = false;
        after_ = event.id;
        return text + message(id, event.name, event_json(event));
    }

    const std::shared_ptr<Streams> shared_;
    const std::string incarnation_;
    std::uint64_t after_;
    bool other_life_;
    bool greeted_ = false;
    const Duration heartbeat_;
    TimePoint sent_at_ = std::chrono::steady_clock::now();
    std::shared_ptr<const Wake> wake_;
};

void EventFeed::Streams::wake_all() {
    std::vector<std::shared_ptr<const Stream::Wake>> wakers;
    {
        const std::lock_guard lock(mutex);
        for (const auto* stream : all)
            if (stream->waker()) wakers.push_back(stream->waker());
    }
    for (const auto& wake : wakers) // without the mutex: whom it wakes may ask for events at once
        (*wake)();
}

EventFeed::EventFeed(EventRing& ring, std::string incarnation, Duration heartbeat)
    : ring_(ring), incarnation_(std::move(incarnation)), heartbeat_(heartbeat),
      streams_(std::make_shared<Streams>()) {
    streams_->ring = &ring;
    subscription_ = ring.subscribe([streams = streams_] { streams->wake_all(); });
    timer_.after(heartbeat_, [this] { beat(); });
}

EventFeed::~EventFeed() {
    ring_.unsubscribe(subscription_);
    const std::lock_guard lock(streams_->mutex);
    streams_->ring = nullptr;
}

void EventFeed::beat() {
    streams_->wake_all();
    timer_.after(heartbeat_, [this] { beat(); });
}

Result<http::Response> EventFeed::open(const http::Request& request) {
    const auto from = position_of(request, incarnation_, ring_.last_id());
    if (!from) return std::unexpected(from.error());
    auto stream = std::make_shared<Stream>(streams_, incarnation_, *from, heartbeat_);
    {
        const std::lock_guard lock(streams_->mutex);
        if (streams_->all.size() >= kStreamsMax)
            return fail(Errc::resource_exhausted,
                        fmt::format("{} clients follow the events already", kStreamsMax),
                        "ask GET /v1/events from time to time instead");
        streams_->all.push_back(stream.get());
        streams_->open.set(static_cast<double>(streams_->all.size()));
    }
    http::Response response;
    response.content_type = "text/event-stream";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.live = std::move(stream);
    return response;
}

} // namespace dwcp::gateway
