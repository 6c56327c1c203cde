// dwcp-bench-http: what one node serves over HTTP, alone and beside 500 slow clients, against a bare epoll
// server in the same run.
//
// The load generator is one thread of this process and shares the machine with the node, so every figure
// holds both.
#include "bench/command_line.hpp"
#include "bench/http_load.hpp"
#include "bench/transport_process.hpp"
#include "bench/work_directory.hpp"
#include "ops/runner/cluster.hpp"
#include "protocols/base/random.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <stdexcept>
#include <thread>

namespace dwcp::bench {
namespace {

constexpr std::size_t kObjects = 1000;
constexpr std::size_t kObjectBytes = 1024;
constexpr std::size_t kBigBytes = 64U << 20;
constexpr int kConnections = 32;
constexpr int kSlowClients = 500;

using Settings = SuiteSettings;

class Report {
  public:
    explicit Report(bool json) : json_(json) {
        if (!json_) fmt::print("{:<28} {:<24} {:>12} {}\n", "case", "metric", "value", "unit");
    }
    void add(const std::string& name, const std::string& metric, double value, const std::string& unit,
             const nlohmann::json& conditions) const {
        if (json_) {
            const nlohmann::json figure = {{"suite", "http"}, {"case", name}, {"metric", metric},
                                           {"value", value},  {"unit", unit}, {"conditions", conditions}};
            fmt::print("{}\n", figure.dump());
        } else {
            fmt::print("{:<28} {:<24} {:>12.2f} {}\n", name, metric, value, unit);
        }
        std::fflush(stdout);
    }
    void add(const std::string& name, const LoadResult& load, const nlohmann::json& conditions) const {
        add(name, "requests_per_s", load.per_second(), "1/s", conditions);
        add(name, "latency_p50_ms", load.quantile_us(0.50) / 1000, "ms", conditions);
        add(name, "latency_p99_ms", load.quantile_us(0.99) / 1000, "ms", conditions);
        add(name, "latency_p999_ms", load.quantile_us(0.999) / 1000, "ms", conditions);
    }

  private:
    const bool json_;
};

/// One node, alone, as its defaults are. Slow clients are not cut here, so that all of them stay connected:
/// the harder case.
config::NodeConfig make_config(const std::filesystem::path& directory) {
    const auto text =
        fmt::format("[node]\nname = 'bench'\nsite = 'here'\ncluster_id = 'bench'\ndata_dir = '{}/data'\n"
                    "[listen]\ncontrol = '127.0.0.1:1'\ndata = '127.0.0.1:2'\nhttp = '127.0.0.1:3'\n"
                    "[manager]\nreplicas_default = 1\n[http]\nmin_rate_bytes_per_s = 0\n",
                    directory.string());
    auto config = config::load_text(text, "bench");
    if (!config) throw std::runtime_error(config.error().list.front());
    std::vector<config::NodeConfig> configs{*config};
    runner::assign_free_ports(configs, true);
    return configs.front();
}

std::string noise(Random& random, std::size_t bytes) {
    std::string text(bytes, '\0');
    for (char& c : text)
        c = static_cast<char>(random.next());
    return text;
}

std::string get_request(const std::string& path) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
}

template<class T>
T need(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().render());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Bench {
  public:
    Bench(const Settings& settings, const Report& report)
        : settings_(settings), report_(report), pattern_(settings.cases), seconds_(settings.quick ? 4 : 10) {}

    /// Must run before this process has threads: it forks.
    void bare_server() const {
        if (!wanted("bare_epoll_1k")) return;
        const std::string body(kObjectBytes, 'x');
        const std::string answer =
            fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
        Child server(
            [&](Channel& parent) { serve_plainly(answer, [&](std::uint16_t port) { parent.send(port); }); });
        const auto port = static_cast<std::uint16_t>(server.channel().receive());
        measure("bare_epoll_1k", port, {{get_request("/"), body}});
    }

    void node() const {
        const WorkDirectory directory("http");
        runner::Node node(directory.path(), make_config(directory.path()));
        need(node.start());
        need(node.wait_ready(std::chrono::seconds(20)));
        auto client = node.client();
        Random random(1);
        std::vector<Question> questions;
        for (std::size_t i = 0; i < kObjects; ++i) {
            const std::string path = fmt::format("/v1/objects/small-{}", i);
            const std::string body = noise(random, kObjectBytes);
            put(client, path, body);
            questions.push_back({get_request(path), body});
        }
        put(client, "/v1/objects/big", noise(random, kBigBytes));
        const std::uint16_t port = node.config().http.port;
        if (wanted("ready")) measure("ready", port, {{get_request("/ready"), client.get("/ready").body}});
        if (wanted("get_1k")) measure("get_1k", port, questions);
        if (wanted("get_1k_beside_500_slow")) beside_slow(node, port, questions);
        node.process().stop(std::chrono::seconds(20));
    }

  private:
    bool wanted(const std::string& name) const { return std::regex_search(name, pattern_); }

    static void put(runner::NodeClient& client, const std::string& path, const std::string& body) {
        const auto answer = client.put(path, body);
        if (answer.status != 201) throw std::runtime_error("cannot put " + path + ": " + answer.body);
    }

    LoadResult load(const std::string& name, std::uint16_t port, const std::vector<Question>& questions,
                    double seconds) const {
        fmt::print(stderr, "{}: {:.0f} s\n", name, seconds);
        return run_load(port, questions, kConnections, seconds);
    }

    nlohmann::json conditions() const {
        return {{"connections", kConnections},
                {"seconds", seconds_},
                {"cores", std::thread::hardware_concurrency()},
                {"load_generator", "one thread on the same machine"}};
    }

    void measure(const std::string& name, std::uint16_t port, const std::vector<Question>& questions) const {
        load(name + " (warming up)", port, questions, 1);
        auto with = conditions();
        with["objects"] = questions.size();
        report_.add(name, load(name, port, questions, seconds_), with);
    }

    void beside_slow(runner::Node& node, std::uint16_t port, const std::vector<Question>& questions) const {
        const std::string name = "get_1k_beside_500_slow";
        load(name + " (warming up)", port, questions, 1);
        const auto mib = [&] { return static_cast<double>(node.process().resident_bytes()) / (1U << 20); };
        const double before = mib();
        SlowClients slow(port, kSlowClients, "/v1/objects/big");
        const auto result = load(name, port, questions, 2 * seconds_);
        const double after = mib();
        auto with = conditions();
        with["seconds"] = 2 * seconds_;
        with["slow_clients"] = kSlowClients;
        with["slow_reconnects"] = slow.reconnects();
        with["slow_mix"] =
            "a quarter each: head, transaction, object at 1 byte/s; 64 MiB object read at 1 KiB/s";
        report_.add(name, result, with);
        report_.add(name, "resident_before_mib", before, "MiB", with);
        report_.add(name, "resident_after_mib", after, "MiB", with);
    }

    const Settings& settings_;
    const Report& report_;
    const std::regex pattern_;
    const double seconds_;
};

} // namespace
} // namespace dwcp::bench

int main(int argc, char** argv) {
    dwcp::bench::Settings settings;
    CLI::App app("What one node serves over HTTP, alone and beside slow clients.");
    dwcp::bench::add_suite_options(app, settings, "Shorter; ends within 60 s");
    if (const auto exit = dwcp::bench::parse_command_line(app, argc, argv)) return *exit;
    try {
        const dwcp::bench::Report report(settings.json);
        const dwcp::bench::Bench bench(settings, report);
        bench.bare_server();
        bench.node();
    } catch (const std::exception& error) {
        fmt::print(stderr, "dwcp-bench-http: {}\n", error.what());
        return 1;
    }
    return 0;
}
