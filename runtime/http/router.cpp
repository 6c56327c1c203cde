#include "runtime/http/router.hpp"

#include <algorithm>

namespace dwcp::http {
namespace {

/// What '*' stands for; nullopt: the pattern does not match.
std::optional<std::string> match_pattern(const std::string& pattern, const std::string& path) {
    if (!pattern.ends_with('*')) return pattern == path ? std::optional(std::string()) : std::nullopt;
    const std::size_t fixed = pattern.size() - 1;
    if (path.size() <= fixed || path.compare(0, fixed, pattern, 0, fixed) != 0) return std::nullopt;
    return path.substr(fixed);
}

bool serves(const Route& route, const std::string& method) {
    return route.spec.method == method || (route.spec.method == "GET" && method == "HEAD");
}

} // namespace

RouteProbe::RouteProbe(std::string route, std::string method)
    : route_(std::move(route)), method_(std::move(method)),
      duration_(metrics::histogram("dwcp_http_request_duration_seconds",
                                   "From the request's head to the last byte of the response.",
                                   metrics::duration_bounds(), {{"route", route_}, {"method", method_}})) {}

void RouteProbe::finished(int status, double seconds) {
    duration_.observe(seconds);
    const std::lock_guard lock(mutex_);
    auto known = by_status_.find(status);
    if (known == by_status_.end()) {
        const auto counter =
            metrics::counter("dwcp_http_requests_total", "Requests answered, by route, method and status.",
                             {{"route", route_}, {"method", method_}, {"status", std::to_string(status)}});
        known = by_status_.emplace(status, counter).first;
    }
    known->second.add();
}

void Router::add(RouteSpec spec, std::variant<Handler, UploadHandler> handler) {
    specs_.push_back(spec);
    auto probe = std::make_unique<RouteProbe>(spec.pattern, spec.method);
    routes_.push_back({std::move(spec), std::move(handler), std::move(probe)});
    std::ranges::stable_sort(routes_, [](const Route& a, const Route& b) {
        const bool a_exact = !a.spec.pattern.ends_with('*');
        const bool b_exact = !b.spec.pattern.ends_with('*');
        return a_exact != b_exact ? a_exact : a.spec.pattern.size() > b.spec.pattern.size();
    });
}

Router::Match Router::match(const std::string& method, const std::string& path) const {
    Match found;
    for (const Route& route : routes_) {
        auto rest = match_pattern(route.spec.pattern, path);
        if (!rest) continue;
        if (serves(route, method)) return {&route, std::move(*rest), {}};
        found.allowed.insert(route.spec.method);
        if (route.spec.method == "GET") found.allowed.insert("HEAD");
    }
    return found;
}

} // namespace dwcp::http
