// Structured logging behind spdlog: JSON lines for machines, aligned text for a console.
//
// Every line carries time, level, node, incarnation, and what the caller gives: event name, actor path, trace
// id and key-value fields. Event names are lower_snake_case and stable: alerts and tests match on them.
// Secrets never go in.
//
//   log::info("peer_up", {{"peer", name}, {"rtt_ms", rtt}});
//   log::warn("block_corrupted", {{"key", hash.hex()}}, {.actor = "manager/0", .trace = id});
//
// Life cycle: configure() once in main before threads start; shutdown() flushes at the end. Before
// configure(), lines go to stderr as text. All functions are thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dwcp::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };
enum class Format : std::uint8_t { console, json };

struct Options {
    Level level = Level::info;
    Format format = Format::console;
    std::string file; ///< Empty: stderr. Otherwise appended to, rotated at 64 MiB, three kept.
    std::string node;
    std::uint64_t incarnation = 0;
};

void configure(const Options& options);
void set_level(Level level);
Level level();
/// Parses "trace" .. "off"; false if unknown.
bool parse_level(std::string_view text, Level& out);
void shutdown();

/// The last lines that were written, oldest first, as they were written: for a bundle of diagnostics.
std::vector<std::string> recent();
/// Lines and bytes that are kept for it.
inline constexpr std::size_t kRecentLinesMax = 2000;
inline constexpr std::size_t kRecentBytesMax = 1U << 20;

/// One key and its value, rendered once; numbers and booleans stay bare in JSON.
class Field {
  public:
    Field(std::string_view key, std::string_view value) : key_(key), value_(value), quoted_(true) {}
    Field(std::string_view key, const std::string& value) : Field(key, std::string_view(value)) {}
    Field(std::string_view key, const char* value) : Field(key, std::string_view(value)) {}
    Field(std::string_view key, bool value) : key_(key), value_(value ? "true" : "false"), quoted_(false) {}
    template<class T>
    requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) Field(std::string_view key, T value)
        : key_(key), value_(number(value)), quoted_(false) {}

    std::string_view key() const { return key_; }
    std::string_view value() const { return value_; }
    bool quoted() const { return quoted_; }

  private:
    template<class T>
    static std::string number(T value) {
        if constexpr (std::is_floating_point_v<T>)
            return number_text(static_cast<double>(value));
        else if constexpr (std::is_signed_v<T>)
            return std::to_string(static_cast<long long>(value));
        else
            return std::to_string(static_cast<unsigned long long>(value));
    }
    static std::string number_text(double value); // shortest form; non-finite becomes null

    std::string_view key_;
    std::string value_;
    bool quoted_;
};

/// Where a line comes from, when it is not the node as a whole.
struct Origin {
    std::string_view actor = {};
    std::string_view trace = {};
};

using Fields = std::initializer_list<Field>;

void write(Level level, std::string_view event, Fields fields, Origin origin = {});

inline void trace(std::string_view event, Fields fields = {}, Origin origin = {}) {
    write(Level::trace, event, fields, origin);
}
inline void debug(std::string_view event, Fields fields = {}, Origin origin = {}) {
    write(Level::debug, event, fields, origin);
}
inline void info(std::string_view event, Fields fields = {}, Origin origin = {}) {
    write(Level::info, event, fields, origin);
}
inline void warn(std::string_view event, Fields fields = {}, Origin origin = {}) {
    write(Level::warn, event, fields, origin);
}
inline void error(std::string_view event, Fields fields = {}, Origin origin = {}) {
    write(Level::error, event, fields, origin);
}

} // namespace dwcp::log
