#include "ops/runner/node_client.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <fstream>
#include <httplib.h>

namespace dwcp::runner {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10;
constexpr auto kConnectLimit = std::chrono::seconds(2);
constexpr auto kAnswerLimit = std::chrono::seconds(60);
constexpr const char* kBinary = "application/octet-stream";

httplib::Headers to_httplib(const Headers& headers) { return {headers.begin(), headers.end()}; }

Answer to_answer(const httplib::Result& result) {
    Answer answer;
    if (!result) {
        answer.problem = httplib::to_string(result.error());
        return answer;
    }
    answer.status = result->status;
    answer.body = result->body;
    if (result->get_header_value("Content-Type").starts_with("application/json"))
        answer.json = nlohmann::json::parse(answer.body, nullptr, false);
    const std::string retry_after = result->get_header_value("Retry-After");
    if (!retry_after.empty()) answer.retry_after_s = std::atoi(retry_after.c_str());
    return answer;
}

} // namespace

bool Answer::worth_a_retry() const {
    return status == 0 || status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

std::string Answer::error_code() const {
    if (!json.is_object() || !json.contains("error")) return {};
    return json["error"].value("code", "");
}

std::string Answer::describe() const {
    if (status == 0) return "no answer: " + problem;
    if (!json.is_object() || !json.contains("error"))
        return fmt::format("{} {}", status, body.substr(0, 200));
    const auto& error = json["error"];
    return fmt::format("{} {}: {} ({})", status, error.value("code", "?"), error.value("message", "?"),
                       error.value("remedy", ""));
}

NodeClient::NodeClient(std::uint16_t http_port, std::string data_dir)
    : data_dir_(std::move(data_dir)), http_(std::make_unique<httplib::Client>("127.0.0.1", http_port)) {
    http_->set_keep_alive(true);
    http_->set_tcp_nodelay(true);
    http_->set_url_encode(false); // object_path() does it
    http_->set_connection_timeout(kConnectLimit);
    http_->set_write_timeout(kAnswerLimit);
    http_->set_read_timeout(kAnswerLimit);
}

NodeClient::NodeClient(NodeClient&&) noexcept = default;
NodeClient& NodeClient::operator=(NodeClient&&) noexcept = default;
NodeClient::~NodeClient() = default;

void NodeClient::set_answer_limit(std::chrono::milliseconds limit) {
    http_->set_read_timeout(limit);
    http_->set_write_timeout(limit);
}

Answer NodeClient::get(const std::string& path, const Headers& headers) {
    return to_answer(http_->Get(path, to_httplib(headers)));
}

Answer NodeClient::get_stream(const std::string& path, const TakeBody& take, const Headers& headers) {
    bool good = false;
    std::string error_body;
    const auto on_head = [&](const httplib::Response& response) {
        good = response.status == 200 || response.status == 206;
        return true;
    };
    const auto on_piece = [&](const char* data, std::size_t size) {
        if (good) return take({reinterpret_cast<const Byte*>(data), size});
        error_body.append(data, size);
        return error_body.size() <= kPieceBytes;
    };
    Answer answer = to_answer(http_->Get(path, to_httplib(headers), on_head, on_piece));
    if (!good && !error_body.empty()) {
        answer.body = std::move(error_body);
        answer.json = nlohmann::json::parse(answer.body, nullptr, false);
    }
    return answer;
}

Answer NodeClient::put_stream(const std::string& path, std::uint64_t size_bytes, const ReadBody& read,
                              const Headers& headers) {
    if (size_bytes == 0) return to_answer(http_->Put(path, to_httplib(headers), "", 0, kBinary));
    Bytes piece(std::min<std::uint64_t>(kPieceBytes, size_bytes));
    const auto provide = [&](std::size_t offset, std::size_t left, httplib::DataSink& sink) {
        const std::size_t count = read(offset, std::span(piece).first(std::min(left, piece.size())));
        return count > 0 && sink.write(reinterpret_cast<const char*>(piece.data()), count);
    };
    return to_answer(http_->Put(path, to_httplib(headers), size_bytes, provide, kBinary));
}

Answer NodeClient::put(const std::string& path, std::string_view body, const Headers& headers) {
    return to_answer(http_->Put(path, to_httplib(headers), body.data(), body.size(), kBinary));
}

Answer NodeClient::post(const std::string& path, const nlohmann::json& body) {
    return to_answer(http_->Post(path, body.dump(), "application/json"));
}

Answer NodeClient::post_raw(const std::string& path, const std::string& body, const std::string& content_type,
                            const Headers& headers) {
    return to_answer(http_->Post(path, to_httplib(headers), body, content_type));
}

Answer NodeClient::remove(const std::string& path) { return to_answer(http_->Delete(path)); }

Answer NodeClient::operate(const std::string& path, const nlohmann::json& body) {
    std::string token;
    std::ifstream(data_dir_ + "/operator.token") >> token;
    return to_answer(
        http_->Post(path, {{"Authorization", "Bearer " + token}}, body.dump(), "application/json"));
}

std::string object_path(std::string_view key) {
    std::string path = "/v1/objects/";
    for (const char c : key) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || std::string_view("-._~/").contains(c))
            path += c;
        else
            path += fmt::format("%{:02X}", byte);
    }
    return path;
}

} // namespace dwcp::runner
