#include "actors/gateway/guards.hpp"

#include "actors/gateway/load_governor.hpp"
#include "actors/gateway/operator_verbs.hpp"
#include "runtime/base/events.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <chrono>

namespace dwcp::gateway {
namespace {

constexpr const char* kPriorityHeader = "X-DWCP-Priority";
constexpr const char* kDeadlineHeader = "X-DWCP-Deadline-Ms";

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

std::string host_of(std::string_view authority) {
    if (authority.starts_with('[')) return std::string(authority.substr(0, authority.find(']') + 1));
    return lower(authority.substr(0, authority.find(':')));
}

std::string remedy(const GuardOptions& options) {
    const std::string token = fmt::format(
        "send 'Authorization: Bearer TOKEN' with the token in {}",
        options.token_file.empty() ? "the node's data directory, file operator.token" : options.token_file);
    return options.tls ? "show a client's certificate (ops/certs client NAME --role ROLE), or " + token
                       : token;
}

/// How the audit log calls it.
std::string name_of(const http::RouteSpec& route) {
    for (const auto& verb : operator_verbs())
        if (verb.route.method == route.method && verb.route.pattern == route.pattern) return verb.name;
    return route.method + " " + route.pattern;
}

/// Tells the backend of refusals on a thread of its own: it waits for the disk, and the guard runs on the
/// thread that serves all connections.
class RefusalTeller {
  public:
    explicit RefusalTeller(Backend& backend) : backend_(backend) {}

    void tell(AdminCall call, Error why) {
        const bool taken = thread_.try_submit([&backend = backend_, call = std::move(call),
                                               why = std::move(why)] { backend.refused(call, why); });
        if (!taken) untold_.add();
    }

  private:
    /// A disk that takes longer than these is a trouble of its own, and the audit log keeps few a minute.
    static constexpr std::size_t kUntoldMax = 64;

    Backend& backend_;
    metrics::Counter untold_ = metrics::counter(
        "dwcp_http_refusals_untold_total", "Refused attempts that came faster than the audit log took them.");
    WorkerPool thread_{"refusals", 1, kUntoldMax};
};

/// Sets Request::client.
Result<void> authorise(http::Request& request, const http::RouteSpec& route, const Backend& backend,
                       const GuardOptions& options) {
    if (route.role != identity::Role::none)
        if (auto allowed = check_same_origin(request, options.tls); !allowed) return allowed;
    auto client = identify(request, backend, options);
    if (!client) return std::unexpected(client.error());
    request.client = std::move(*client);
    if (request.client.may(route.role)) return {};
    const std::string needed =
        fmt::format("'{} {}' needs the role {}", route.method, route.pattern, to_string(route.role));
    if (request.client.how == "certificate")
        return fail(Errc::permission_denied,
                    fmt::format("{}; the certificate of {} {} gives {}", needed,
                                request.certificate->subject.kind, request.client.name,
                                to_string(request.client.role)),
                    "use a certificate with that role: ops/certs client NAME --role ROLE");
    return fail(Errc::unauthenticated, needed, remedy(options));
}

/// Sets Request::work of what is let through.
std::optional<http::Response> shed(http::Request& request, const http::RouteSpec& route,
                                   LoadGovernor* governor) {
    if (governor != nullptr) {
        if (const auto served = governor->admit(route.work, request.urgency.priority); !served) {
            auto response = http::error_response(served.error());
            std::erase_if(response.headers, [](const auto& header) { return header.first == "Retry-After"; });
            response.headers.emplace_back("Retry-After", std::to_string(kShedRetryAfterSeconds));
            return response;
        }
    }
    request.work = route.work;
    return std::nullopt;
}

} // namespace

bool is_loopback_authority(std::string_view authority) {
    const std::string host = host_of(authority);
    if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
    in_addr address{};
    return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

Result<void> check_same_origin(const http::Request& request, bool tls) {
    const auto refuse = [](const std::string& name, const std::string& value) {
        return fail(Errc::permission_denied, fmt::format("{} '{}' is not this node", name, value),
                    "address the node itself, not from a page of another site");
    };
    const auto is_own = [&](std::string_view authority) {
        if (!tls) return is_loopback_authority(authority);
        const auto host = request.header("Host");
        return host && lower(*host) == lower(authority);
    };
    if (!tls) {
        for (auto [host, last] = request.headers.equal_range("Host"); host != last; ++host)
            if (!is_own(host->second)) return refuse("Host", host->second);
    }
    for (auto [origin, last] = request.headers.equal_range("Origin"); origin != last; ++origin) {
        const std::size_t scheme = origin->second.find("://");
        if (scheme == std::string::npos || !is_own(std::string_view(origin->second).substr(scheme + 3)))
            return refuse("Origin", origin->second);
    }
    return {};
}

Result<identity::Principal> identify(const http::Request& request, const Backend& backend,
                                     const GuardOptions& options) {
    constexpr std::string_view kScheme = "Bearer ";
    if (request.certificate) {
        // TLS looked at it when the connection began, which may be long ago.
        if (unix_now_ms() < request.certificate->until_ms) return request.certificate->principal();
        return fail(Errc::unauthenticated,
                    fmt::format("the certificate of {} has expired since this connection began",
                                request.certificate->subject.name),
                    "renew it (ops/certs renew NAME) and connect again");
    }
    const auto given = request.header("Authorization");
    if (!given && options.tls) return identity::Principal{identity::Role::none, "", "none"};
    if (!given) return identity::Principal{options.local_role(), "local", "loopback"};
    if (given->starts_with(kScheme) &&
        backend.is_operator_token(std::string_view(*given).substr(kScheme.size())))
        return identity::Principal{identity::Role::admin, "local", "token"};
    return fail(Errc::unauthenticated, "this is not the operator token of this node", remedy(options));
}

Result<health::Urgency> read_urgency(const http::Request& request, TimePoint now) {
    health::Urgency urgency;
    for (const char* name : {kPriorityHeader, kDeadlineHeader})
        if (request.headers.count(name) > 1)
            return fail(Errc::invalid_argument, fmt::format("{} is there twice", name), "send it once");
    const auto about = [](const char* name, Error error) {
        error.message = fmt::format("{}: {}", name, error.message);
        return std::unexpected(std::move(error));
    };
    if (const auto text = request.header(kPriorityHeader)) {
        const auto priority = health::parse_priority(*text);
        if (!priority) return about(kPriorityHeader, priority.error());
        urgency.priority = *priority;
    }
    if (const auto text = request.header(kDeadlineHeader)) {
        const auto wait = health::parse_deadline_ms(*text);
        if (!wait) return about(kDeadlineHeader, wait.error());
        urgency.deadline = now + *wait;
    }
    return urgency;
}

http::Guard make_guard(Backend& backend, GuardOptions options) {
    return [&backend, options = std::move(options), teller = std::make_shared<RefusalTeller>(backend)](
               http::Request& request, const http::RouteSpec& route) -> std::optional<http::Response> {
        auto allowed = authorise(request, route, backend, options);
        if (allowed) {
            auto urgency = read_urgency(request, std::chrono::steady_clock::now());
            if (!urgency) return http::error_response(urgency.error());
            request.urgency = *urgency;
            return shed(request, route, options.governor);
        }
        if (route.method != "GET")
            teller->tell({name_of(route), nlohmann::json::object(), request.client, request.peer},
                         allowed.error());
        return http::error_response(allowed.error());
    };
}

} // namespace dwcp::gateway
