#include "protocols/wire/condition.hpp"

#include <algorithm>

namespace dwcp::wire {

using Kind = Condition::Kind;

bool holds(const Condition& condition, const std::optional<Hash256>& current) {
    const bool named = current && std::ranges::find(condition.versions, *current) != condition.versions.end();
    switch (condition.kind) {
    case Kind::none:
        return true;
    case Kind::absent:
        return !current;
    case Kind::exists:
        return current.has_value();
    case Kind::is_one_of:
        return named;
    case Kind::is_none_of:
        return !named;
    }
    return false;
}

std::string describe_failure(const Condition& condition, const std::optional<Hash256>& current) {
    if (!current) return "there is no such object";
    const std::string etag = "its ETag is \"" + current->hex() + '"';
    return condition.kind == Kind::absent ? "the object exists, " + etag : etag;
}

Result<void> check_condition(const Condition& condition) {
    if (condition.kind > Kind::is_none_of)
        return fail(Errc::invalid_argument, "condition of an unknown kind");
    if (condition.versions.size() > kConditionVersionsMax)
        return fail(Errc::too_large, "a condition names " + std::to_string(condition.versions.size()) +
                                         " versions, at most " + std::to_string(kConditionVersionsMax) +
                                         " are allowed");
    const bool takes_versions = condition.kind == Kind::is_one_of || condition.kind == Kind::is_none_of;
    if (!takes_versions && !condition.versions.empty())
        return fail(Errc::invalid_argument, "condition with versions where there are none to name");
    return {};
}

} // namespace dwcp::wire
