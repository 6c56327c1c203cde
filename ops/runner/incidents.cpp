#include "ops/runner/incidents.hpp"

#include "protocols/base/random.hpp"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace dwcp::runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kActorLimit = std::chrono::seconds(10);
constexpr auto kNodeLimit = std::chrono::seconds(30);
constexpr auto kAway = std::chrono::milliseconds(1'500);

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::string system_of(const std::string& path) { return path.substr(0, path.find('/')); }

struct Life {
    std::uint64_t number = 0;
    bool running = false;
};

std::optional<Life> life_of(NodeClient& client, const std::string& path) {
    const Answer tree = client.get("/v1/tree");
    if (!tree.ok()) return std::nullopt;
    for (const auto& actor : tree.json.value("actors", nlohmann::json::array()))
        if (actor.value("path", "") == path)
            return Life{actor.value("life", std::uint64_t{0}), actor.value("state", "") == "running"};
    return std::nullopt;
}

/// A request that every system has a part in: admission, placement, codec, block, manifest.
bool serves(NodeClient& client) {
    static std::atomic<std::uint64_t> number{0};
    return client.put(object_path(fmt::format("dwcp-run/probe-{}", ++number)), "probe").ok();
}

} // namespace

std::vector<std::string> actors_to_kill(NodeClient& client) {
    std::vector<std::string> paths;
    std::set<std::string> systems;
    const Answer tree = client.get("/v1/tree");
    for (const auto& actor : tree.json.value("actors", nlohmann::json::array())) {
        const std::string path = actor.value("path", "");
        const std::string system = system_of(path);
        if (system == "supervisor") continue;
        if (system == "consensus" ? systems.insert(path).second : systems.insert(system).second)
            paths.push_back(path);
    }
    return paths;
}

ActorKill kill_actor(Node& node, const std::string& path) {
    ActorKill kill{.path = path, .node = node.name(), .problem = {}};
    NodeClient client = node.client();
    const auto before = life_of(client, path);
    if (!before) {
        kill.problem = "it is not in the supervision tree";
        return kill;
    }
    const auto start = Clock::now();
    const Answer answer = client.kill_actor(path);
    if (!answer.ok()) {
        kill.problem = "the kill was refused: " + answer.describe();
        return kill;
    }
    const auto next_life = [&] {
        const auto now = life_of(client, path);
        return now && now->number > before->number && now->running;
    };
    if (!eventually(kActorLimit, next_life, std::chrono::milliseconds(1))) {
        kill.problem = "it was not started again";
        return kill;
    }
    kill.back_ms = ms_since(start);
    kill.back = eventually(
        kActorLimit, [&] { return serves(client); }, std::chrono::milliseconds(1));
    kill.serve_ms = ms_since(start);
    if (!kill.back) kill.problem = "it was started again, but no request succeeded";
    return kill;
}

namespace {

/// A workload sent to the node that is to die. Its bytes follow from its number, so they need not be kept.
struct Victim {
    std::string key;
    std::uint64_t size_bytes = 0;
    bool held = false; ///< Sends its second half only after the kill: it is in the middle of its body then.
    std::atomic<bool> half_sent{false};
    std::atomic<bool> acknowledged{false};
};

void write_pattern(std::uint64_t seed, std::uint64_t offset, std::span<Byte> buffer) {
    for (std::size_t i = 0; i < buffer.size(); ++i) {
        const std::uint64_t at = offset + i;
        buffer[i] = static_cast<Byte>(Random(seed ^ (at / 8)).next() >> (at % 8 * 8));
    }
}

/// The workloads and the threads that send them. In all stages: done, in the middle of the body, and about to
/// be sealed.
class Victims {
  public:
    explicit Victims(Node& node) {
        constexpr std::size_t kDone = 3, kHeld = 4, kRacing = 3;
        for (std::size_t i = 0; i < kDone + kHeld + kRacing; ++i) {
            auto& victim = *all_.emplace_back(std::make_unique<Victim>());
            victim.key = fmt::format("dwcp-run/in-flight-{}", i);
            victim.held = i >= kDone && i < kDone + kHeld;
            victim.size_bytes = victim.held ? 6U << 20 : 256U << 10;
            if (i >= kDone + kHeld)
                racing_.push_back(i);
            else
                send(node, i);
        }
    }
    ~Victims() { release_and_join(); }

    /// True when the first ones have their receipts and the held ones are half sent.
    bool set_up(std::chrono::milliseconds limit) const {
        return eventually(limit, [&] {
            for (std::size_t i = 0; i < all_.size() - racing_.size(); ++i)
                if (!(all_[i]->held ? all_[i]->half_sent : all_[i]->acknowledged)) return false;
            return true;
        });
    }
    void start_racing(Node& node) {
        for (const std::size_t i : racing_)
            send(node, i);
    }
    void release_and_join() {
        {
            const std::lock_guard lock(mutex_);
            released_ = true;
        }
        wake_.notify_all();
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }

    const std::vector<std::unique_ptr<Victim>>& all() const { return all_; }

    static bool reads_as_sent(NodeClient& client, const Victim& victim, std::uint64_t seed) {
        std::uint64_t offset = 0;
        bool equal = true;
        const auto take = [&](ByteView piece) {
            Bytes expected(piece.size());
            write_pattern(seed, offset, expected);
            equal = equal && std::ranges::equal(piece, expected);
            offset += piece.size();
            return equal;
        };
        return client.get_stream(object_path(victim.key), take).ok() && equal && offset == victim.size_bytes;
    }

  private:
    void send(Node& node, std::size_t i) {
        threads_.emplace_back([this, i, client = node.client()]() mutable {
            Victim& victim = *all_[i];
            const auto read = [&](std::uint64_t offset, std::span<Byte> buffer) -> std::size_t {
                if (victim.held && offset >= victim.size_bytes / 2) {
                    victim.half_sent = true;
                    std::unique_lock lock(mutex_);
                    wake_.wait(lock, [&] { return released_; });
                }
                write_pattern(i, offset, buffer);
                return buffer.size();
            };
            victim.acknowledged = client.put_stream(object_path(victim.key), victim.size_bytes, read).ok();
        });
    }

    std::vector<std::unique_ptr<Victim>> all_;
    std::vector<std::size_t> racing_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool released_ = false;
};

using States = std::map<std::string, std::pair<std::string, std::string>>; // key -> state, reason

States workload_states(NodeClient& client) {
    States states;
    const Answer answer = client.get("/v1/workloads");
    if (!answer.ok()) return states;
    for (const auto& workload : answer.json.value("workloads", nlohmann::json::array()))
        if (workload.value("state", "") != "starting") // the journal does not have it yet, so nothing is owed
            states.try_emplace(workload.value("key", ""), workload.value("state", ""),
                               workload.value("reason", ""));
    return states;
}

bool is_decided(const States& states, const std::string& key) {
    const auto found = states.find(key);
    if (found == states.end()) return false;
    const auto& [state, reason] = found->second;
    return state == "committed" || (state == "failed" && !reason.empty());
}

/// Sorts the workloads by what became of them. `taken_in`: keys the node reported before it was killed.
void settle(NodeKill& kill, const Victims& victims, const States& taken_in, const States& after,
            NodeClient& reader) {
    for (std::size_t i = 0; i < victims.all().size(); ++i) {
        const Victim& victim = *victims.all()[i];
        const bool committed = after.contains(victim.key) && after.at(victim.key).first == "committed";
        if (!victim.acknowledged && !taken_in.contains(victim.key) && !after.contains(victim.key)) continue;
        ++kill.workloads;
        if (victim.acknowledged) ++kill.acknowledged;
        if (committed)
            ++kill.committed;
        else if (is_decided(after, victim.key))
            ++kill.failed;
        else
            ++kill.undecided;
        if ((victim.acknowledged || committed) && !Victims::reads_as_sent(reader, victim, i)) ++kill.lost;
    }
}

} // namespace

NodeKill kill_node(Cluster& cluster, std::size_t index) {
    Node& node = cluster[index];
    NodeKill kill{.node = node.name(), .problem = {}};
    NodeClient client = node.client();
    NodeClient reader = cluster[0].client();
    Victims victims(node);
    if (!victims.set_up(kNodeLimit)) {
        kill.problem = "the workloads that should be under way when it dies could not be started";
        return kill;
    }
    const States taken_in = workload_states(client);
    victims.start_racing(node);
    const auto killed_at = Clock::now();
    node.process().kill();
    kill.happened = true;
    victims.release_and_join();
    std::this_thread::sleep_until(killed_at +
                                  kAway); // long enough for the peers to notice: that is the incident
    kill.away_ms = ms_since(killed_at);

    const auto started_at = Clock::now();
    auto up = node.start();
    if (up) up = node.wait_ready(kNodeLimit);
    if (!up) {
        kill.problem = up.error().render();
        return kill;
    }
    kill.ready_ms = ms_since(started_at);
    States after;
    const bool decided = eventually(kNodeLimit, [&] {
        after = workload_states(client);
        return std::ranges::all_of(taken_in,
                                   [&](const auto& entry) { return is_decided(after, entry.first); });
    });
    kill.decided_ms = ms_since(started_at);
    if (!decided) kill.problem = "some of its workloads were neither committed nor reported as failed";
    if (!cluster.wait_connected(kNodeLimit)) kill.problem = "it and its peers did not find each other again";
    kill.connected_ms = ms_since(started_at);
    settle(kill, victims, taken_in, after, reader);
    return kill;
}

} // namespace dwcp::runner
