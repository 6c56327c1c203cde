// A server for tests, with routes that answer, echo, and take uploads.
#pragma once

#include "runtime/http/errors.hpp"
#include "runtime/http/http_server.hpp"
#include "tests/unit/http/gate.hpp"
#include "tests/unit/http/raw_client.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::test {

inline http::Response text(std::string body) {
    http::Response response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

inline http::Response echo(http::Request& request) {
    auto body = http::read_text(request, 1U << 20);
    return body ? text("[" + *body + "]") : http::error_response(body.error());
}

inline http::RouteSpec spec(std::string method, std::string pattern) {
    return {.method = std::move(method), .pattern = std::move(pattern), .group = {}, .sentence = {}};
}

/// An upload route that keeps what came and how each upload ended.
struct Uploads {
    std::mutex mutex;
    std::condition_variable changed;
    int begun = 0;
    std::uint64_t bytes = 0;
    std::vector<std::string> ends;
    Gate* gate = nullptr; ///< Held by every take().

    struct One : http::Upload {
        explicit One(Uploads& owner) : all(owner) {}
        Result<void> take(ByteView piece) override {
            if (all.gate != nullptr) all.gate->pass();
            content += as_text(piece);
            all.change([&] { all.bytes += piece.size(); });
            if (content.starts_with("bad")) return fail(Errc::too_large, "that is too much", "");
            return {};
        }
        http::Response finish() override {
            all.change([&] { all.ends.push_back("finished"); });
            return text("[" + content + "]");
        }
        http::Response abandon(const Error& why) override {
            all.change([&] { all.ends.emplace_back(to_string(why.code)); });
            return http::error_response(why);
        }
        Uploads& all;
        std::string content;
    };
    http::UploadHandler handler() {
        return [this](http::Request& request) -> std::variant<http::Response, std::unique_ptr<http::Upload>> {
            if (request.header("X-Refuse")) return http::error_response({Errc::permission_denied, "no", ""});
            change([&] { ++begun; });
            return std::make_unique<One>(*this);
        };
    }
    template<class Change>
    void change(Change apply) {
        const std::lock_guard lock(mutex);
        apply();
        changed.notify_all();
    }
    template<class Condition>
    void wait_until(Condition holds) {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(10), holds));
    }
};

struct ServerFixture {
    http::HttpServer server;
    http::Options options;

    ServerFixture() {
        options.threads = 2;
        server.route("GET", "/hello", [](http::Request&) { return text("hello"); });
        server.route("POST", "/echo", echo);
    }
    struct Running {
        http::HttpServer& server;
        ~Running() { server.stop(); }
    };
    /// Kept by a test after everything that its handlers refer to, so that they end before it goes.
    [[nodiscard]] Running start() {
        REQUIRE(server.start(options));
        return Running{server};
    }
    std::string exchange(std::string_view sent) {
        RawClient client(server.port());
        client.send(sent);
        return client.receive_all();
    }
};

inline std::string get(const std::string& path, const std::string& headers = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + headers + "\r\n";
}

inline nlohmann::json error_of(const std::string& answer) {
    const auto body = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
    return body.at("error");
}

inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace dwcp::test
