#include "ops/runner/traffic.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>

namespace dwcp::runner {
namespace {

using Clock = std::chrono::steady_clock;

/// By the site that they write to: half of the traffic at the first, so that a canary there sees enough of
/// it.
constexpr std::size_t kClientSites[] = {0, 1, 2, 0, 1, 2};
constexpr std::size_t kKeysPerClient = 16;
constexpr std::size_t kBodiesMax = 400; ///< In memory: 25 MB at most.
constexpr std::uint64_t kBodyBytesMax = 64U << 10;
constexpr std::uint64_t kReadEvery = 8;
constexpr auto kPause = std::chrono::milliseconds(20); ///< Before something is sent again.
constexpr auto kAnswerLimit = std::chrono::seconds(10);
constexpr std::size_t kProblemsKept = 5;

std::vector<std::string> load_bodies(const std::vector<SourceFile>& files) {
    std::vector<std::string> bodies;
    const std::size_t stride = std::max<std::size_t>(1, files.size() / kBodiesMax);
    for (std::size_t i = 0; i < files.size() && bodies.size() < kBodiesMax; i += stride) {
        std::ifstream file(files[i].path, std::ios::binary);
        std::string body(std::min(files[i].size_bytes, kBodyBytesMax), '\0');
        file.read(body.data(), static_cast<std::streamsize>(body.size()));
        body.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
        if (!body.empty()) bodies.push_back(std::move(body));
    }
    if (bodies.empty()) bodies.emplace_back("nothing to send but this");
    return bodies;
}

} // namespace

LiveTraffic::LiveTraffic(const std::vector<SourceFile>& files, const std::vector<Site>& sites,
                         double puts_per_s)
    : sites_(sites), puts_per_s_(puts_per_s), bodies_(load_bodies(files)) {
    for (std::size_t c = 0; c < std::size(kClientSites); ++c) {
        auto client = std::make_unique<Client>();
        client->site = kClientSites[c] % sites_.size();
        for (std::size_t k = 0; k < kKeysPerClient; ++k)
            client->keys.push_back({.name = fmt::format("dwcp-run/live/{}-{}", c, k)});
        clients_.push_back(std::move(client));
    }
}

LiveTraffic::~LiveTraffic() { stop(); }

void LiveTraffic::start() {
    started_ = Clock::now();
    for (std::size_t c = 0; c < clients_.size(); ++c)
        clients_[c]->thread = std::thread([this, c] { run(*clients_[c], c); });
}

void LiveTraffic::stop() {
    stopping_ = true;
    for (auto& client : clients_)
        if (client->thread.joinable()) client->thread.join();
    if (seconds_ == 0) seconds_ = std::chrono::duration<double>(Clock::now() - started_).count();
}

TrafficTotals LiveTraffic::totals() const {
    return {acknowledged_, read_back_, refusals_, broken_connections_,
            seconds_ > 0 ? seconds_ : std::chrono::duration<double>(Clock::now() - started_).count()};
}

/// At a steady rate whatever the answers take: a slow cluster must not be spared by its own slowness. But one
/// request at a time, since a key's versions go one after the other.
void LiveTraffic::run(Client& client, std::size_t number) {
    NodeClient site(sites_[client.site].http_port, sites_[client.site].data_dir);
    site.set_answer_limit(kAnswerLimit);
    const auto interval = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(static_cast<double>(clients_.size()) / puts_per_s_));
    Clock::time_point due =
        Clock::now() + interval * static_cast<int>(number) / static_cast<int>(clients_.size());
    for (std::uint64_t n = 0; !stopping_; ++n) {
        std::this_thread::sleep_until(due);
        due = std::max(due + interval, Clock::now() - interval);
        Key& key = client.keys[n % client.keys.size()];
        write_next(site, key);
        if (n % kReadEvery == 0) read_again(site, key);
    }
}

void LiveTraffic::write_next(NodeClient& site, Key& key) {
    key.sent = key.acknowledged + 1;
    const std::string body = body_of(key, key.sent);
    while (!stopping_) {
        const Answer answer = site.put(object_path(key.name), body);
        if (answer.ok()) {
            key.acknowledged = key.sent;
            ++acknowledged_;
            return;
        }
        ++(answer.status == 0 ? broken_connections_ : refusals_);
        std::this_thread::sleep_for(kPause);
    }
}

/// The site has applied what it acknowledged, and nobody else writes this key.
void LiveTraffic::read_again(NodeClient& site, Key& key) {
    if (key.acknowledged == 0 || key.acknowledged != key.sent) return;
    const Answer answer = site.get(object_path(key.name));
    if (!answer.ok()) return; // being away is no loss; verify() reads for good
    ++read_back_;
    if (version_of(key, answer.body) < key.acknowledged) ++key.went_back;
}

std::string LiveTraffic::body_of(const Key& key, std::uint64_t version) const {
    const std::size_t which = std::hash<std::string>{}(key.name) + version;
    return fmt::format("{} {}\n", key.name, version) + bodies_[which % bodies_.size()];
}

std::uint64_t LiveTraffic::version_of(const Key& key, const std::string& body) const {
    std::uint64_t version = 0;
    if (!body.starts_with(key.name + ' ')) return 0;
    std::from_chars(body.data() + key.name.size() + 1, body.data() + body.size(), version);
    return version != 0 && version <= key.sent && body == body_of(key, version) ? version : 0;
}

TrafficVerdict LiveTraffic::verify() {
    TrafficVerdict verdict;
    const auto note = [&](std::string problem) {
        if (verdict.problems.size() < kProblemsKept) verdict.problems.push_back(std::move(problem));
    };
    for (const auto& client : clients_) {
        const std::size_t other = (client->site + 1) % sites_.size();
        NodeClient reader(sites_[other].http_port, sites_[other].data_dir);
        for (const Key& key : client->keys) {
            if (key.acknowledged == 0) continue;
            ++verdict.keys;
            // Another site may be a moment behind the one that acknowledged.
            Answer answer;
            std::uint64_t found = 0;
            for (const auto end = Clock::now() + patience_; Clock::now() < end;
                 std::this_thread::sleep_for(kPause)) {
                answer = reader.get(object_path(key.name));
                found = answer.ok() ? version_of(key, answer.body) : 0;
                if (found >= key.acknowledged) break;
            }
            if (!answer.ok()) {
                ++verdict.lost;
                note(fmt::format("{} version {} at {}: {}", key.name, key.acknowledged, sites_[other].name,
                                 answer.describe()));
            } else if (found == 0) {
                ++verdict.damaged;
                note(fmt::format("{} at {} is nothing that was sent", key.name, sites_[other].name));
            } else if (found < key.acknowledged || key.went_back > 0) {
                ++verdict.reordered;
                note(
                    fmt::format("{}: version {} was acknowledged, {} is there; {} reads found an earlier one",
                                key.name, key.acknowledged, found, key.went_back));
            }
        }
    }
    return verdict;
}

} // namespace dwcp::runner
