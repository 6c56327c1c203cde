#include "ops/shell/client.hpp"

#include "ops/shell/early_answer.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/tls_failure.hpp"
#include "protocols/base/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <httplib.h>
#include <utility>

namespace dwcp::shell {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10;
/// Answers that are not objects: a page of a listing has at most 1000 entries of some KiB.
constexpr std::size_t kAnswerBytesMax = 64U << 20;

httplib::Headers to_httplib(const Headers& headers) { return {headers.begin(), headers.end()}; }

Failure failure_of(int status, const std::string& body) {
    const auto answer = nlohmann::json::parse(body, nullptr, false);
    if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
        const auto text = [&](const char* name) {
            const auto& error = answer["error"];
            return error.contains(name) && error[name].is_string() ? error[name].get<std::string>()
                                                                   : std::string();
        };
        return {exit_of(text("code")), text("message"), text("remedy")};
    }
    return {Exit::failed, fmt::format("the node answered {} without saying why", status),
            "is this a DWCP node's HTTP port?"};
}

Outcome<nlohmann::json> json_of(int status, const std::string& body) {
    if (status < 200 || status > 299) return std::unexpected(failure_of(status, body));
    auto answer = nlohmann::json::parse(body, nullptr, false);
    if (answer.is_discarded())
        return give_up(Exit::failed, "the node's answer is not JSON", "is this a DWCP node's HTTP port?");
    return answer;
}

} // namespace

struct Client::Connection {
    explicit Connection(const Settings& given)
        : settings(given),
          http(given.url(), given.tls ? given.certificate_file : "", given.tls ? given.key_file : "") {
        http.set_connection_timeout(settings.connect_timeout);
        http.set_read_timeout(settings.timeout);
        http.set_write_timeout(settings.timeout);
        http.set_keep_alive(true);
        http.set_tcp_nodelay(true);
        http.set_url_encode(false); // callers do it
        http.set_decompress(false);
        http.set_socket_options([this](socket_t socket) {
            fd = socket;
            shut_down_on_interrupt(socket);
        });
        if (settings.tls && !settings.ca_file.empty()) http.set_ca_cert_path(settings.ca_file);
        if (settings.tls) http.enable_server_certificate_verification(true);
        if (!settings.token.empty())
            http.set_default_headers({{"Authorization", "Bearer " + settings.token}});
    }
    ~Connection() { shut_down_on_interrupt(-1); }

    Failure broken(httplib::Error error, TimePoint began) const {
        const std::string node = settings.address();
        if (interrupted()) return interrupted_failure();
        const bool late = std::chrono::steady_clock::now() - began >= settings.timeout;
        if (!late)
            if (auto failure = tls_failure(settings, error, http.get_openssl_verify_result()))
                return *failure;
        if (error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout)
            return {Exit::unreachable, fmt::format("cannot reach a node at {}", node),
                    "start it, or name another one with --node HOST:PORT"};
        if (late)
            return {Exit::timeout, fmt::format("the node at {} did not answer in time", node),
                    "look at its health with 'status', or wait longer with --timeout SECONDS"};
        return {Exit::unreachable, fmt::format("the connection to {} broke off", node),
                "the node may have stopped: look at its log, then try again"};
    }

    /// The answer whatever its status.
    template<class Call>
    Outcome<Answer> call(const Call& call) {
        if (interrupted()) return std::unexpected(interrupted_failure());
        if (!http.is_valid()) return std::unexpected(bad_certificate(settings));
        const TimePoint began = std::chrono::steady_clock::now();
        forget_tls_errors();
        const httplib::Result result = call();
        if (!result) return std::unexpected(broken(result.error(), began));
        return Answer{result->status, result->body};
    }

    template<class Call>
    Outcome<nlohmann::json> ask(const Call& request) {
        const auto answer = call(request);
        if (!answer) return std::unexpected(answer.error());
        return json_of(answer->status, answer->body);
    }

    const Settings settings;
    httplib::Client http;
    int fd = -1;
};

Client::Client(const Settings& settings) : connection_(std::make_unique<Connection>(settings)) {}
Client::~Client() = default;

Outcome<nlohmann::json> Client::get(const std::string& path) {
    return connection_->ask([&] { return connection_->http.Get(path); });
}

Outcome<nlohmann::json> Client::get_report(const std::string& path) {
    const auto answer = connection_->call([&] { return connection_->http.Get(path); });
    if (!answer) return std::unexpected(answer.error());
    auto report = nlohmann::json::parse(answer->body, nullptr, false);
    if (report.is_discarded() || report.contains("error")) return json_of(answer->status, answer->body);
    return report;
}

Outcome<void> Client::follow(const std::string& path, const Headers& headers, const WriteSink& sink) {
    std::optional<Failure> failed;
    std::string error_body;
    int status = 0;
    TimePoint last_progress = std::chrono::steady_clock::now();
    const auto answer = connection_->call([&] {
        return connection_->http.Get(
            path, to_httplib(headers),
            [&](const httplib::Response& response) {
                status = response.status;
                return true;
            },
            [&](const char* data, std::size_t size) {
                last_progress = std::chrono::steady_clock::now();
                if (status != 200) {
                    error_body.append(data, size);
                    return error_body.size() <= kAnswerBytesMax;
                }
                const auto taken = sink({reinterpret_cast<const Byte*>(data), size});
                if (!taken) failed = taken.error();
                return taken.has_value();
            });
    });
    if (failed) return std::unexpected(*failed);
    if (status != 0 && status != 200) return std::unexpected(failure_of(status, error_body));
    if (!answer) return std::unexpected(answer.error());
    return {};
}

Outcome<nlohmann::json> Client::post(const std::string& path, const nlohmann::json& body,
                                     const Headers& headers) {
    return connection_->ask(
        [&] { return connection_->http.Post(path, to_httplib(headers), body.dump(), "application/json"); });
}

Outcome<nlohmann::json> Client::post_raw(const std::string& path, const std::string& body,
                                         const Headers& headers) {
    return connection_->ask(
        [&] { return connection_->http.Post(path, to_httplib(headers), body, "application/octet-stream"); });
}

Outcome<nlohmann::json> Client::erase(const std::string& path) {
    return connection_->ask([&] { return connection_->http.Delete(path); });
}

Outcome<nlohmann::json> Client::upload(const std::string& path, const std::string& content_type,
                                       std::optional<std::uint64_t> size_bytes, const ReadSource& source,
                                       const Headers& headers) {
    auto& http = connection_->http;
    if (!http.is_valid()) return std::unexpected(bad_certificate(connection_->settings));
    forget_tls_errors();
    if (size_bytes == 0)
        return connection_->ask([&] { return http.Put(path, to_httplib(headers), "", 0, content_type); });

    std::optional<Failure> failed;
    std::optional<EarlyAnswer> early;
    TimePoint last_progress = std::chrono::steady_clock::now();
    Bytes buffer(kPieceBytes);
    const auto send_piece = [&](std::size_t most, httplib::DataSink& sink) {
        last_progress = std::chrono::steady_clock::now();
        if (interrupted()) return false;
        if (!connection_->settings.tls && (early = peek_answer(connection_->fd))) return false;
        const auto count = source(std::span(buffer).first(std::min(most, buffer.size())));
        if (!count) {
            failed = count.error();
            return false;
        }
        if (*count > 0 && !sink.write(reinterpret_cast<const char*>(buffer.data()), *count)) return false;
        if (!size_bytes && *count < buffer.size()) sink.done();
        return *count > 0 || !size_bytes;
    };
    const auto result =
        size_bytes ? http.Put(
                         path, to_httplib(headers), *size_bytes,
                         [&](std::size_t, std::size_t left, httplib::DataSink& sink) {
                             return send_piece(left, sink);
                         },
                         content_type)
                   : http.Put(
                         path, to_httplib(headers),
                         [&](std::size_t, httplib::DataSink& sink) { return send_piece(kPieceBytes, sink); },
                         content_type);
    if (failed) return std::unexpected(*failed);
    if (early) return json_of(early->status, early->body);
    if (!result) return std::unexpected(connection_->broken(result.error(), last_progress));
    return json_of(result->status, result->body);
}

Outcome<ObjectHead> Client::download(const std::string& path,
                                     const std::function<Outcome<void>(const ObjectHead&)>& on_head,
                                     const WriteSink& sink) {
    ObjectHead head;
    std::optional<Failure> failed;
    std::string error_body;
    int status = 0;
    if (!connection_->http.is_valid()) return std::unexpected(bad_certificate(connection_->settings));
    forget_tls_errors();
    TimePoint last_progress = std::chrono::steady_clock::now();
    const auto keep = [&](const Outcome<void>& outcome) {
        if (!outcome) failed = outcome.error();
        return outcome.has_value();
    };
    const auto result = connection_->http.Get(
        path, httplib::Headers{},
        [&](const httplib::Response& response) {
            status = response.status;
            head.sha256 = response.get_header_value("X-DWCP-SHA256");
            const std::string length = response.get_header_value("Content-Length");
            std::from_chars(length.data(), length.data() + length.size(), head.size_bytes);
            return status != 200 || keep(on_head(head));
        },
        [&](const char* data, std::size_t size) {
            last_progress = std::chrono::steady_clock::now();
            if (interrupted()) return false;
            if (status == 200) return keep(sink({reinterpret_cast<const Byte*>(data), size}));
            error_body.append(data, size);
            return error_body.size() <= kAnswerBytesMax;
        });
    if (failed) return std::unexpected(*failed);
    if (!result) return std::unexpected(connection_->broken(result.error(), last_progress));
    if (status != 200) return std::unexpected(failure_of(status, error_body));
    return head;
}

} // namespace dwcp::shell
