#include "ops/shell/prompt.hpp"

#include "ops/shell/client.hpp"
#include "ops/shell/output.hpp"
#include "ops/shell/units.hpp"

#include <algorithm>

namespace dwcp::shell {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{300};
constexpr std::chrono::milliseconds kAnswerTimeout{700};
/// Pressing return again and again is no load for a node.
constexpr std::chrono::milliseconds kAskedAgainAfter{500};
/// Names of a hostile node must leave room for the line.
constexpr std::size_t kNameBytesMax = 63;

std::string short_name(const std::string& text) { return printable(text.substr(0, kNameBytesMax)); }

} // namespace

std::string prompt_text(const NodeState& state, bool colours) {
    const auto painted = [&](const std::string& text, const char* code) {
        return colours ? std::string("\1\x1b[") + code + "m\1" + text + "\1\x1b[0m\1" : text;
    };
    std::string text;
    if (!state.cluster.empty()) text += short_name(state.cluster) + ' ';
    text += painted(short_name(state.node), "1") + ' ';
    if (!state.role.empty()) text += short_name(state.role) + ' ';
    const bool good = state.health == "healthy";
    text += painted(short_name(state.health), good ? "32" : state.health == "degraded" ? "33" : "31");
    return text + "> ";
}

Prompt::Prompt(Settings settings) : settings_(std::move(settings)) {
    settings_.connect_timeout = std::min(settings_.connect_timeout, kConnectTimeout);
    settings_.timeout = std::min(settings_.timeout, kAnswerTimeout);
    state_.node = settings_.address();
}

const NodeState& Prompt::refresh() {
    const auto now = std::chrono::steady_clock::now();
    if (asked_ != decltype(asked_){} && now - asked_ < kAskedAgainAfter) return state_;
    Client client(settings_);
    const auto who = client.get("/v1/whoami");
    const bool denied = !who && who.error().exit == Exit::denied;
    if (who) {
        state_ = {text_at(*who, "cluster"), text_at(*who, "node"), text_at(*who, "role"), ""};
        const auto health = client.get_report("/health");
        state_.health = health ? text_at(*health, "status") : "";
        if (state_.health.empty()) state_.health = "unknown";
    } else {
        state_.role.clear();
        state_.health = denied ? "denied" : "unreachable";
    }
    asked_ = std::chrono::steady_clock::now();
    return state_;
}

} // namespace dwcp::shell
