#include "ops/shell/server_names.hpp"

#include "ops/shell/client.hpp"
#include "ops/shell/output.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace dwcp::shell {
namespace {

using nlohmann::json;

/// Who types must not wait for a node that is away.
constexpr std::chrono::milliseconds kConnectTimeout{300};
constexpr std::chrono::milliseconds kAnswerTimeout{700};
constexpr std::chrono::seconds kKeptFor{3};
/// Different questions of a few seconds; a session must not grow.
constexpr std::size_t kKeptMax = 64;
constexpr std::size_t kObjectsMax = 1000;
constexpr std::size_t kFilesMax = 1000;

std::vector<std::string> members(const json& list, const char* name) {
    std::vector<std::string> texts;
    for (const json& entry : list)
        if (std::string text = text_at(entry, name); !text.empty()) texts.push_back(std::move(text));
    return texts;
}

} // namespace

ServerNames::ServerNames(Settings settings) : settings_(std::move(settings)) {
    settings_.connect_timeout = std::min(settings_.connect_timeout, kConnectTimeout);
    settings_.timeout = std::min(settings_.timeout, kAnswerTimeout);
}

Names ServerNames::names(const std::string& kind, const std::string& prefix) {
    if (kind == "NODE") return nodes();
    if (kind == "[NODE:]PATH") return actors(prefix);
    if (kind == "KEY" || kind == "PREFIX") return objects(prefix);
    if (kind == "FILE") return files(prefix);
    if (kind == "BREAKER") return {members(list_at(ask("/v1/breakers"), "breakers"), "name")};
    if (kind == "CONFIG-KEY") return {members(list_at(ask("/v1/config"), "keys"), "key")};
    return {};
}

const json& ServerNames::ask(const std::string& path) {
    const auto now = std::chrono::steady_clock::now();
    const auto found = kept_.find(path);
    if (found != kept_.end() && now - found->second.asked < kKeptFor) return found->second.answer;
    if (kept_.size() >= kKeptMax) kept_.clear();
    auto answer = Client(settings_).get(path);
    Kept& kept = kept_[path];
    kept = {now, answer ? std::move(*answer) : json()};
    return kept.answer;
}

Names ServerNames::nodes() { return {members(list_at(ask("/v1/nodes"), "nodes"), "name")}; }

Names ServerNames::actors(const std::string& prefix) {
    const std::size_t colon = prefix.find(':');
    const std::string node = colon == std::string::npos ? "" : prefix.substr(0, colon);
    const std::string start = node.empty() ? "" : node + ":";
    Names found;
    for (const auto& path :
         members(list_at(ask(node.empty() ? "/v1/tree" : "/v1/tree?node=" + http::percent_encode(node)),
                         "actors"),
                 "path"))
        found.all.push_back(start + path);
    if (node.empty())
        for (const auto& name : nodes().all)
            found.all.push_back(name + ":");
    return found;
}

Names ServerNames::objects(const std::string& prefix) {
    const json& page =
        ask(fmt::format("/v1/objects?limit={}&prefix={}", kObjectsMax, http::percent_encode(prefix)));
    return folded(members(list_at(page, "objects"), "key"), prefix, text_at(page, "next_cursor").empty());
}

Names folded(const std::vector<std::string>& keys, const std::string& prefix, bool complete) {
    Names names{{}, complete};
    for (const std::string& key : keys) {
        const std::size_t slash = key.find('/', prefix.size());
        std::string name = slash == std::string::npos ? key : key.substr(0, slash + 1);
        if (names.all.empty() || names.all.back() != name) names.all.push_back(std::move(name));
    }
    return names;
}

Names files(const std::string& prefix) {
    const std::size_t slash = prefix.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
    const std::string start = prefix.substr(folder.size());
    Names found;
    std::error_code error;
    for (auto at = std::filesystem::directory_iterator(folder.empty() ? "." : folder, error);
         !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
        std::string name = at->path().filename();
        // Hidden ones only for those who ask for them.
        if (!name.starts_with(start) || (start.empty() && name.starts_with('.'))) continue;
        std::error_code ignored;
        if (at->is_directory(ignored)) name += '/';
        found.all.push_back(folder + name);
        if (found.all.size() == kFilesMax) {
            found.complete = false;
            break;
        }
    }
    return found;
}

} // namespace dwcp::shell
