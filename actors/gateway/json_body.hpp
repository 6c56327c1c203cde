// JSON bodies of requests: read within bounds, taken apart with a message that names what is wrong.
#pragma once

#include "runtime/http/message.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace dwcp::gateway {

/// Levels of arrays and objects in a body: ours have four. Printing nested JSON recurses.
inline constexpr int kJsonDepthMax = 16;

/// Errors: too_large past `bytes_max`, invalid_argument for what is no JSON or nested too deeply, or what
/// reading the body failed with.
Result<nlohmann::json> read_json(const http::Request& request, std::size_t bytes_max);
/// The same for a text that is here.
Result<nlohmann::json> parse_json(std::string_view text);

/// Takes the members of a JSON object, each once, and tells the first thing that is wrong. `where` names the
/// object in messages: "the body", "workload 3".
class Members {
  public:
    Members(const nlohmann::json& object, std::string where);

    std::string text(const std::string& name, const std::string& fallback, std::size_t bytes_max);
    std::string required_text(const std::string& name, std::size_t bytes_max);
    /// A whole number in min..max.
    std::uint64_t number(const std::string& name, std::uint64_t fallback, std::uint64_t min,
                         std::uint64_t max);
    std::uint64_t required_number(const std::string& name, std::uint64_t min, std::uint64_t max);
    /// A number, whole or not, in min..max.
    double real(const std::string& name, double fallback, double min, double max);
    /// An object; an empty one if there is none.
    const nlohmann::json& required_object(const std::string& name);
    /// An array of at most `count_max`; null if there is none.
    const nlohmann::json* list(const std::string& name, std::size_t count_max, bool required);

    /// The first thing that was wrong, a member that nobody took among it.
    Result<void> done();

  private:
    const nlohmann::json* find(const std::string& name, bool required);
    void wrong(const std::string& what);

    const nlohmann::json& object_;
    const std::string where_;
    std::set<std::string> taken_;
    std::optional<Error> error_;
};

} // namespace dwcp::gateway
