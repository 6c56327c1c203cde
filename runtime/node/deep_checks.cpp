#include "runtime/node/deep_checks.hpp"

#include "actors/compression/codec.hpp"
#include "protocols/base/random.hpp"
#include "protocols/crypto/ed25519.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/node/actor_command.hpp"
#include "runtime/node/actor_probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>

namespace dwcp::node {
namespace {

using Condition = health::Condition;

constexpr Duration kMailboxDeadline = std::chrono::seconds(1);
/// A block over a slow link behind a full queue; less than the time between two looks.
constexpr Duration kEchoDeadline = std::chrono::seconds(3);
constexpr Duration kKillDeadline = std::chrono::seconds(2);
/// Several segments, and little beside one real block.
constexpr std::size_t kEchoBytes = 16U << 10;
/// Enough for every codec to find something, and cheap for the slowest.
constexpr std::size_t kCodecBytes = 16U << 10;

constexpr std::string_view kActor = "actor ";
constexpr std::string_view kLink = "link ";

double seconds_since(TimePoint begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

SharedBytes text_block() {
    Bytes bytes;
    for (std::size_t line = 0; bytes.size() < kCodecBytes; ++line) {
        const auto text = fmt::format("line {}: the quick brown fox jumps over the lazy dog\n", line);
        bytes.insert(bytes.end(), text.begin(), text.end());
    }
    bytes.resize(kCodecBytes);
    return share(std::move(bytes));
}

SharedBytes noise_block() {
    Bytes bytes(kCodecBytes);
    Random random(1); // always the same: what fails once fails again
    for (Byte& byte : bytes)
        byte = static_cast<Byte>(random.next());
    return share(std::move(bytes));
}

std::string codec_problem(CodecChoice choice, const char* what, const SharedBytes& raw) {
    const auto encoded = compression::encode(choice, raw, crypto::sha256(*raw));
    if (!encoded) return fmt::format("encoding {}: {}", what, encoded.error().message);
    const auto decoded = compression::decode_verified(*encoded);
    if (!decoded) return fmt::format("decoding {}: {}", what, decoded.error().message);
    return **decoded == *raw ? std::string() : fmt::format("{} came back changed", what);
}

Condition condition_of(const std::string& problem, bool held) {
    if (problem.empty()) return Condition::ok;
    return held ? Condition::held : Condition::failed;
}

} // namespace

std::vector<DeepFinding> check_codecs() {
    static const std::pair<const char*, SharedBytes> blocks[] = {
        {"text", text_block()}, {"zeros", share(Bytes(kCodecBytes))}, {"noise", noise_block()}};
    std::vector<DeepFinding> found;
    for (const auto& codec : compression::known_codecs()) {
        const auto begin = std::chrono::steady_clock::now();
        std::string problem;
        for (const auto& [what, raw] : blocks)
            if (problem.empty()) problem = codec_problem(codec.choice, what, raw);
        found.push_back({.part = "codec " + std::string(codec.name),
                         .condition = condition_of(problem, false),
                         .detail = problem,
                         .seconds = seconds_since(begin),
                         .vital = true,
                         .recoverable = false});
    }
    return found;
}

std::vector<DeepFinding> DeepChecks::look() const {
    auto found = ask_actors("");
    std::ranges::move(ask_links(""), std::back_inserter(found));
    std::ranges::move(check_codecs(), std::back_inserter(found));
    return found;
}

DeepFinding DeepChecks::look_at(const std::string& part) const {
    auto found = part.starts_with(kActor) ? ask_actors(part.substr(kActor.size()))
                                          : ask_links(part.substr(std::min(kLink.size(), part.size())));
    if (!found.empty()) return std::move(found.front());
    return {.part = part, .condition = Condition::held, .detail = "it is not there any more"};
}

Result<void> DeepChecks::recover(const std::string& part) const {
    if (part.starts_with(kLink)) {
        data_.redial(part.substr(kLink.size()));
        return {};
    }
    const supervisor::ActorCommand command{supervisor::ActorCommand::Verb::kill, part.substr(kActor.size()),
                                           "deep health", "it does not answer its mailbox", false};
    const auto done = command_owner_of(system_, resolver_, board_, command,
                                       std::chrono::steady_clock::now() + kKillDeadline);
    if (!done) return std::unexpected(done.error());
    return {};
}

std::vector<DeepFinding> DeepChecks::ask_actors(const std::string& only) const {
    auto children = board_.all();
    if (!only.empty()) std::erase_if(children, [&](const auto& child) { return child.path != only; });
    std::vector<DeepFinding> found;
    for (auto& answer : probe_actors(system_, resolver_, children, kMailboxDeadline, Turn::next)) {
        // One that is away is its supervisor's work, or an operator's decision; a paused one an operator's.
        const bool held = !answer.alive || answer.paused || *draining_;
        found.push_back({.part = std::string(kActor) + answer.path,
                         .condition = condition_of(answer.problem, held),
                         .detail = std::move(answer.problem),
                         .seconds = answer.seconds,
                         .vital = true,
                         .shown = false}); // Health asks them every second
    }
    return found;
}

std::vector<DeepFinding> DeepChecks::ask_links(const std::string& only) const {
    Bytes noise(kEchoBytes);
    crypto::random_bytes(noise);
    const auto block = share(std::move(noise));
    struct Asked {
        links::PeerDataStatus status;
        std::future<Result<void>> answer;
    };
    std::vector<Asked> asked;
    const auto begin = std::chrono::steady_clock::now();
    for (auto& status : data_.status()) {
        if (!only.empty() && status.name != only) continue;
        const auto promise = std::make_shared<std::promise<Result<void>>>();
        auto answer = promise->get_future();
        data_.echo(status.name, block, begin + kEchoDeadline,
                   [promise](Result<void> back) { promise->set_value(std::move(back)); });
        asked.push_back({std::move(status), std::move(answer)});
    }
    std::vector<DeepFinding> found;
    for (auto& [status, answer] : asked) {
        const auto back = answer.get(); // exactly one answer comes, by the deadline
        DeepFinding finding{.part = std::string(kLink) + status.name, .seconds = seconds_since(begin)};
        if (!back && back.error().code == Errc::unimplemented) {
            finding.detail = back.error().message; // said, but no fault of the link
        } else if (!back) {
            // One that is down dials by itself, and its peer may just be away.
            finding.condition = !status.up || *draining_ ? Condition::held : Condition::failed;
            finding.detail = status.up ? "a block did not come back: " + back.error().message : status.reason;
        }
        found.push_back(std::move(finding));
    }
    return found;
}

} // namespace dwcp::node
