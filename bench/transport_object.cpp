#include "bench/transport_object.hpp"

#include "ops/runner/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace dwcp::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kStartLimit{20};

std::vector<config::NodeConfig> two_nodes(const std::string& directory, std::uint32_t streams) {
    std::vector<config::NodeConfig> configs;
    for (const char letter : {'a', 'b'}) {
        const char other = letter == 'a' ? 'b' : 'a';
        auto config = config::load_text(
            fmt::format("[node]\nname = 'site-{0}'\nsite = 'place-{0}'\ncluster_id = 'bench'\ndata_dir = "
                        "'{2}/site-{0}'\n"
                        "[listen]\ncontrol = '127.0.0.1:1'\ndata = '127.0.0.1:2'\nhttp = '127.0.0.1:3'\n"
                        "[data]\nstreams_min = {3}\nstreams_max = {3}\n[manager]\nrelease = 'canary'\n"
                        "[[peers]]\nname = 'site-{1}'\nsite = 'place-{1}'\ncontrol = '127.0.0.1:4'\ndata = "
                        "'127.0.0.1:5'\n",
                        letter, other, directory, streams),
            "bench");
        if (!config) throw std::runtime_error(config.error().list.front());
        configs.push_back(std::move(*config));
    }
    runner::assign_free_ports(configs, true);
    return configs;
}

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

} // namespace

ObjectSeconds object_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory,
                             std::uint32_t streams) {
    const std::filesystem::path home = std::filesystem::path(directory) / "object";
    std::filesystem::create_directories(home);
    ObjectSeconds seconds;
    {
        runner::Cluster cluster(home, two_nodes(home.string(), streams));
        if (auto started = cluster.start_all(kStartLimit); !started)
            throw std::runtime_error(started.error().render());
        auto at_a = cluster[0].client();
        auto at_b = cluster[1].client();
        const std::uint64_t size = blocks.size() * std::uint64_t{kBlockBytes};
        const auto read = [&](std::uint64_t offset, std::span<Byte> buffer) {
            const auto& block = *blocks[offset / kBlockBytes].bytes;
            const std::size_t at = offset % kBlockBytes;
            const std::size_t count = std::min(buffer.size(), block.size() - at);
            std::memcpy(buffer.data(), block.data() + at, count);
            return count;
        };
        const auto path = runner::object_path("bench");
        auto begin = Clock::now();
        const auto receipt =
            at_a.put_stream(path, size, read, {{"X-DWCP-Replicas", "2"}, {"X-DWCP-Codec", "none"}});
        seconds.put = seconds_since(begin);
        if (!receipt.ok()) throw std::runtime_error("put: " + receipt.describe());
        std::uint64_t taken = 0;
        begin = Clock::now();
        const auto answer = at_b.get_stream(path, [&](ByteView piece) {
            taken += piece.size();
            return true;
        });
        seconds.get = seconds_since(begin);
        if (!answer.ok() || taken != size) throw std::runtime_error("get: " + answer.describe());
        cluster.stop_all(std::chrono::seconds(10));
    }
    std::filesystem::remove_all(home);
    return seconds;
}

} // namespace dwcp::bench
