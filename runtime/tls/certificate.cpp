#include "runtime/tls/certificate.hpp"

#include "runtime/config/rules.hpp"

#include <fmt/format.h>

namespace dwcp::tls {
namespace {

constexpr std::string_view kScheme = "dwcp://";

bool is_kind(std::string_view text) {
    const auto role = identity::parse_role(text);
    return text == "node" || (role && *role != identity::Role::none);
}

} // namespace

Result<Subject> parse_subject(std::string_view uri) {
    const auto malformed = [&] {
        return fail(Errc::invalid_argument, fmt::format("'{}' is not a DWCP certificate's name", uri),
                    "make certificates with ops/certs; the form is dwcp://CLUSTER/KIND/NAME");
    };
    if (!uri.starts_with(kScheme)) return malformed();
    const std::string_view rest = uri.substr(kScheme.size());
    const std::size_t first = rest.find('/');
    const std::size_t second = first == std::string_view::npos ? first : rest.find('/', first + 1);
    if (second == std::string_view::npos) return malformed();
    Subject subject{std::string(rest.substr(0, first)),
                    std::string(rest.substr(first + 1, second - first - 1)),
                    std::string(rest.substr(second + 1))};
    if (!config::is_node_name(subject.cluster) || !is_kind(subject.kind) ||
        !config::is_node_name(subject.name))
        return malformed();
    return subject;
}

identity::Principal Certificate::principal() const {
    const auto role = identity::parse_role(subject.kind);
    return {role.value_or(identity::Role::none), subject.name, "certificate"};
}

} // namespace dwcp::tls
