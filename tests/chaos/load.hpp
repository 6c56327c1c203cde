// What every storm needs: clients that know what they were promised, the actors to hit, and limits that are
// out of the way.
#pragma once

#include "protocols/base/random.hpp"
#include "tests/cluster/cluster_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::testing {

inline constexpr std::size_t kKeysPerClient =
    40; ///< Put again and again, so that the data does not grow while memory is watched.
inline constexpr std::uint64_t kGrowthMaxBytes =
    64U << 20; ///< Caches still fill after the warm-up. Measured: 50 to 65 MB after 800
               ///< kills from a start with an empty store, 43 MB after 2,800 from a later one.

inline std::uint64_t env_number(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// A storm is what is tested, not its damping.
inline void without_damping(std::vector<config::NodeConfig>& configs) {
    for (auto& config : configs) {
        config.restart_backoff_max_ms = 50;
        config.quarantine_after = config.intensity = config.root_intensity = 1'000;
        config.restart_burst = 10'000;
    }
}

/// One client: puts its keys in turn and reads them back at another site; knows what each acknowledged key
/// must hold.
class Load {
  public:
    Load(TestCluster& cluster, std::size_t number, std::uint64_t seed)
        : number_(number),
          random_(seed + number), sites_{cluster.client(0), cluster.client(1), cluster.client(2)},
          thread_([this] { work(); }) {}
    ~Load() { stop(); }

    void stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }
    std::uint64_t acknowledged() const { return acknowledged_; }
    std::uint64_t refused() const { return refused_; }
    const std::vector<std::string>& problems() const { return problems_; } // after stop()

    /// Reads every key from every site; what is there must be the last acknowledged body, or a later one
    /// whose acknowledgement did not arrive.
    void verify(TestCluster& cluster) {
        for (std::size_t site = 0; site < 3; ++site) {
            auto client = cluster.client(site);
            for (const auto& [key, version] : last_acknowledged_) {
                Answer answer;
                const bool there =
                    eventually(10s, [&] { return (answer = client.get(object_path(key))).ok(); });
                if (!there)
                    problems_.push_back(key + ": " + answer.describe());
                else if (!is_version_of(answer.body, key, version))
                    problems_.push_back(
                        fmt::format("{} at site {} is older than acknowledged or damaged", key, site));
            }
        }
    }

  private:
    static std::string body(const std::string& key, std::uint64_t version) {
        return fmt::format("{} {} {}", key, version, noise(version, 1'000 + version % 7 * 9'000));
    }
    /// Whether it is what was put as `at_least` or later.
    static bool is_version_of(const std::string& text, const std::string& key, std::uint64_t at_least) {
        if (!text.starts_with(key + " ")) return false;
        const std::uint64_t version = std::strtoull(text.c_str() + key.size() + 1, nullptr, 10);
        return version >= at_least && text == body(key, version);
    }

    void work() {
        for (std::uint64_t version = 1; !stopping_; ++version) {
            const std::string key = fmt::format("chaos/{}/{}", number_, version % kKeysPerClient);
            const Answer put = sites_[0].put(object_path(key), body(key, version));
            if (put.ok()) {
                ++acknowledged_;
                last_acknowledged_[key] = version;
            } else {
                ++refused_;
                if (!put.worth_a_retry()) problems_.push_back("put " + key + ": " + put.describe());
                continue;
            }
            if (random_.below(4) == 0) read(key, version);
        }
    }

    void read(const std::string& key, std::uint64_t version) {
        Answer got;
        // A site that is a moment behind in the log may still answer with the version before: it must catch
        // up.
        if (!eventually(10s, [&] {
                got = sites_[1 + random_.below(2)].get(object_path(key));
                return got.ok() && is_version_of(got.body, key, version);
            }))
            problems_.push_back(
                fmt::format("read {} version {}: {}", key, version, got.describe().substr(0, 200)));
    }

    const std::size_t number_;
    dwcp::Random random_;
    std::array<NodeClient, 3> sites_;
    std::map<std::string, std::uint64_t> last_acknowledged_;
    std::vector<std::string> problems_;
    std::atomic<std::uint64_t> acknowledged_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_; // last: it uses the others
};

/// Clients that start together.
class Loads {
  public:
    Loads(TestCluster& cluster, std::size_t clients, std::uint64_t seed) {
        for (std::size_t i = 0; i < clients; ++i)
            all_.push_back(std::make_unique<Load>(cluster, i, seed));
    }
    std::uint64_t acknowledged() const {
        std::uint64_t sum = 0;
        for (const auto& load : all_)
            sum += load->acknowledged();
        return sum;
    }
    auto begin() const { return all_.begin(); }
    auto end() const { return all_.end(); }

  private:
    std::vector<std::unique_ptr<Load>> all_;
};

/// All but the root, which lives and dies with its process.
inline std::vector<nlohmann::json> actors_of(NodeClient& client) {
    std::vector<nlohmann::json> actors;
    const Answer tree = client.get("/v1/tree");
    for (const auto& actor : tree.json.value("actors", nlohmann::json::array()))
        if (actor.value("path", "") != "supervisor") actors.push_back(actor);
    return actors;
}

inline std::uint64_t restarts_of(NodeClient& client) {
    std::uint64_t restarts = 0;
    for (const auto& actor : actors_of(client))
        restarts += actor.value("restarts", std::uint64_t{0});
    return restarts;
}

inline bool all_running(NodeClient& client) {
    const auto actors = actors_of(client);
    return !actors.empty() && std::ranges::all_of(actors, [](const auto& actor) {
        return actor.value("state", "") == "running";
    });
}

} // namespace dwcp::testing
