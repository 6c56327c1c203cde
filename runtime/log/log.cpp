#include "runtime/log/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <mutex>

namespace dwcp::log {
namespace {

constexpr std::size_t kFileBytesMax =
    64U << 20; // one file fits an editor; four files bound the disk a log can take
constexpr std::size_t kFilesKept = 3;

struct State {
    std::shared_ptr<spdlog::logger> logger;
    Format format = Format::console;
    std::string node;
    std::uint64_t incarnation = 0;
};

std::atomic<Level> current_level{Level::info};

/// The last lines, within both limits.
class RecentLines {
  public:
    void add(const std::string& line) {
        const std::lock_guard lock(mutex_);
        lines_.push_back(line.substr(0, kRecentBytesMax));
        bytes_ += lines_.back().size();
        while (lines_.size() > kRecentLinesMax || bytes_ > kRecentBytesMax) {
            bytes_ -= lines_.front().size();
            lines_.pop_front();
        }
    }
    std::vector<std::string> all() const {
        const std::lock_guard lock(mutex_);
        return {lines_.begin(), lines_.end()};
    }

  private:
    mutable std::mutex mutex_;
    std::deque<std::string> lines_;
    std::size_t bytes_ = 0;
};

// Leaked on purpose: threads may log after static destruction.
RecentLines& recent_lines() {
    static auto* const instance = new RecentLines();
    return *instance;
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
    auto logger = std::make_shared<spdlog::logger>("dwcp", std::move(sink));
    logger->set_pattern("%v"); // we render the whole line, so that both forms carry the same fields
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::info);
    return logger;
}

State& state() {
    static State instance{
        make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>()), Format::console, {}, 0};
    return instance;
}

std::string_view name_of(Level level) {
    static constexpr std::string_view names[] = {"trace", "debug", "info", "warn", "error", "off"};
    return names[static_cast<std::size_t>(level)];
}

std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                       ms % 1000);
}

// What is not could be mistaken for more than one field, could move the cursor, or is perhaps not UTF-8.
bool is_plain(char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '='; }

// nlohmann's escaping is used for strings only, so that a line costs no tree of JSON values.
void append_quoted(std::string& line, std::string_view text) {
    line += nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string render_json(Level level, std::string_view event, Fields fields, Origin origin) {
    const State& s = state();
    std::string line = fmt::format(R"({{"time":"{}","level":"{}")", timestamp(), name_of(level));
    const auto text = [&](std::string_view key, std::string_view value) {
        line += fmt::format(R"(,"{}":)", key);
        append_quoted(line, value);
    };
    if (!s.node.empty()) {
        text("node", s.node);
        text("incarnation", fmt::format("{:016x}", s.incarnation));
    }
    text("event", event);
    if (!origin.actor.empty()) text("actor", origin.actor);
    if (!origin.trace.empty()) text("trace", origin.trace);
    for (const Field& field : fields) {
        if (field.quoted())
            text(field.key(), field.value());
        else
            line += fmt::format(R"(,"{}":{})", field.key(), field.value());
    }
    line += '}';
    return line;
}

std::string render_console(Level level, std::string_view event, Fields fields, Origin origin) {
    const State& s = state();
    std::string line = fmt::format("{} {:5} {}{}{}", timestamp().substr(11, 12), name_of(level), s.node,
                                   s.node.empty() ? "" : " ", event);
    if (!origin.actor.empty()) line += fmt::format(" actor={}", origin.actor);
    if (!origin.trace.empty()) line += fmt::format(" trace={}", origin.trace);
    for (const Field& field : fields) {
        line += fmt::format(" {}=", field.key());
        if (field.quoted() && !std::ranges::all_of(field.value(), is_plain))
            append_quoted(line, field.value());
        else
            line += field.value();
    }
    return line;
}

} // namespace

std::string Field::number_text(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

void configure(const Options& options) {
    State& s = state();
    spdlog::sink_ptr sink;
    if (options.file.empty())
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    else
        sink =
            std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file, kFileBytesMax, kFilesKept);
    s.logger = make_logger(std::move(sink));
    s.format = options.format;
    s.node = options.node;
    s.incarnation = options.incarnation;
    current_level = options.level;
}

void set_level(Level level) { current_level = level; }
Level level() { return current_level; }

bool parse_level(std::string_view text, Level& out) {
    for (auto level : {Level::trace, Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
        if (text == name_of(level)) {
            out = level;
            return true;
        }
    }
    return false;
}

void shutdown() { state().logger->flush(); }

std::vector<std::string> recent() { return recent_lines().all(); }

void write(Level level, std::string_view event, Fields fields, Origin origin) {
    if (level < current_level.load(std::memory_order_relaxed)) return;
    const State& s = state();
    const auto line = s.format == Format::json ? render_json(level, event, fields, origin)
                                               : render_console(level, event, fields, origin);
    recent_lines().add(line);
    s.logger->log(level >= Level::info ? spdlog::level::info : spdlog::level::debug, line);
}

} // namespace dwcp::log
