#include "actors/ramp/exercise.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace dwcp::ramp {
namespace {

using nlohmann::json;

/// Nothing if the text is not what was expected.
template<class T>
Result<T> parsed(std::string_view text, std::optional<T> (*take)(const json&)) {
    try {
        if (auto taken = take(json::parse(text))) return std::move(*taken);
    } catch (const json::exception&) { // said below, as what it is
    }
    return fail(Errc::invalid_argument, "an exercise of the ramp is malformed",
                "all nodes must run the same version");
}

std::optional<Check> kind_at(const json& object) {
    const auto name = object.at("what").get<std::string>();
    for (int check = 0; check <= static_cast<int>(kCheckLast); ++check) {
        const auto known = static_cast<Check>(check);
        if (is_exercise(known) && to_string(known) == name) return known;
    }
    return std::nullopt;
}

} // namespace

std::string to_text(const ExerciseOrder& order) {
    return json{
        {"seq", order.seq}, {"what", to_string(order.what)}, {"system", order.system}, {"node", order.node}}
        .dump();
}

std::string to_text(const ExerciseResult& result) {
    return json{{"what", to_string(result.what)},
                {"done", result.done},
                {"ok", result.ok},
                {"took_ms", result.took_ms},
                {"detail", result.detail}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ExerciseOrder> order_from_text(std::string_view text) {
    return parsed<ExerciseOrder>(text, [](const json& object) -> std::optional<ExerciseOrder> {
        const auto what = kind_at(object);
        if (!what) return std::nullopt;
        return ExerciseOrder{object.at("seq"), *what, object.at("system"), object.at("node")};
    });
}

Result<ExerciseResult> result_from_text(std::string_view text) {
    return parsed<ExerciseResult>(text, [](const json& object) -> std::optional<ExerciseResult> {
        const auto what = kind_at(object);
        if (!what) return std::nullopt;
        return ExerciseResult{*what, object.at("done"), object.at("ok"), object.at("took_ms"),
                              object.at("detail")};
    });
}

} // namespace dwcp::ramp
