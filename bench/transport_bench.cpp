// dwcp-bench-transport: blocks between two processes over data links, plain and in TLS, against a plain copy
// of the same bytes.
//
// The plain copy (one socket, fsynced file) and each of ours run in turn, since the speed of a shared machine
// and its disk drifts; a figure is the median over the pairs, a ratio the median of the pairs' ratios.
#include "bench/command_line.hpp"
#include "bench/transport_links.hpp"
#include "bench/transport_object.hpp"
#include "bench/transport_plain.hpp"
#include "bench/transport_process.hpp"
#include "protocols/base/random.hpp"
#include "protocols/crypto/hash.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <thread>

namespace dwcp::bench {
namespace {

struct Settings : SuiteSettings {
    std::string directory = ".";
    int pairs = 3;
    std::size_t bytes() const { return quick ? std::size_t{256} << 20 : std::size_t{2} << 30; }
};

/// Removed at the end, also after an interrupt.
class WorkDirectory {
  public:
    explicit WorkDirectory(const std::string& parent) {
        path_ = parent + "/dwcp-bench-transport-XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr) give_up("cannot make a directory in " + parent);
    }
    ~WorkDirectory() { std::filesystem::remove_all(path_); }
    WorkDirectory(const WorkDirectory&) = delete;
    WorkDirectory& operator=(const WorkDirectory&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// Random, distinct blocks: nothing can be compressed or found to be there already.
std::vector<EncodedBlock> make_blocks(std::size_t bytes) {
    Random random(20240601);
    std::vector<EncodedBlock> blocks;
    for (std::size_t done = 0; done < bytes; done += kBlockBytes) {
        Bytes content(kBlockBytes);
        for (std::size_t at = 0; at < content.size(); at += 8) {
            const std::uint64_t word = random.next();
            std::memcpy(content.data() + at, &word, sizeof word);
        }
        EncodedBlock block;
        block.hash = crypto::sha256(content);
        block.raw_bytes = kBlockBytes;
        block.bytes = share(std::move(content));
        blocks.push_back(std::move(block));
    }
    return blocks;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// The seconds of one case's pairs.
struct Series {
    std::vector<double> ours;
    std::vector<double> plain;
};

/// Data links one way: both figures of it come from the same runs.
struct LinkCase {
    std::string put_name;
    std::string get_name;
    LinkWish wish;
    Series put;
    Series get;
};

class Report {
  public:
    explicit Report(const Settings& settings) : settings_(settings) {
        if (!settings.json) fmt::print("{:<20} {:<24} {:>10} {}\n", "case", "metric", "value", "unit");
    }

    void add(const std::string& name, std::uint32_t streams, bool durable, const Series& series,
             bool tls = false) const {
        const double megabytes = static_cast<double>(settings_.bytes()) / 1e6;
        std::vector<double> speeds;
        std::vector<double> plain;
        std::vector<double> ratios;
        for (std::size_t i = 0; i < series.ours.size(); ++i) {
            speeds.push_back(megabytes / series.ours[i]);
            plain.push_back(megabytes / series.plain[i]);
            ratios.push_back(series.plain[i] / series.ours[i]);
        }
        nlohmann::json conditions = {{"bytes", settings_.bytes()},
                                     {"block_bytes", kBlockBytes},
                                     {"codec", "none"},
                                     {"streams", streams},
                                     {"durable", durable},
                                     {"tls", tls},
                                     {"verified", "sha256"},
                                     {"pairs", series.ours.size()},
                                     {"cpus", std::thread::hardware_concurrency()},
                                     {"plain_copy", "one socket, 1 MiB writes, fsynced file"},
                                     {"plain_copy_mb_per_s", median(plain)}};
        line(name, "throughput_mb_per_s", median(speeds), "MB/s", with_range(conditions, speeds));
        line(name, "ratio_to_plain_copy", median(ratios), "ratio", with_range(conditions, ratios));
    }

  private:
    static nlohmann::json with_range(nlohmann::json conditions, const std::vector<double>& values) {
        conditions["lowest"] = *std::min_element(values.begin(), values.end());
        conditions["highest"] = *std::max_element(values.begin(), values.end());
        return conditions;
    }

    void line(const std::string& name, const std::string& metric, double value, const std::string& unit,
              const nlohmann::json& conditions) const {
        if (!settings_.json) {
            fmt::print("{:<20} {:<24} {:>10.2f} {}   ({:.2f} to {:.2f}; plain copy {:.0f} MB/s)\n", name,
                       metric, value, unit, conditions["lowest"].get<double>(),
                       conditions["highest"].get<double>(), conditions["plain_copy_mb_per_s"].get<double>());
        } else {
            const nlohmann::json figure = {{"suite", "transport"}, {"case", name},
                                           {"metric", metric},     {"value", value},
                                           {"unit", unit},         {"conditions", conditions}};
            fmt::print("{}\n", figure.dump());
        }
        std::fflush(stdout);
    }

    const Settings& settings_;
};

/// What the cases of one run share.
struct Run {
    bool wants(const std::string& name) const { return std::regex_search(name, wanted); }
    static std::string case_name(const char* what, std::uint32_t streams) {
        return fmt::format("{}_{}_stream{}", what, streams, streams == 1 ? "" : "s");
    }

    const Settings& settings;
    const std::regex wanted;
    const std::vector<EncodedBlock> blocks;
    const WorkDirectory directory;
    const Report report;
};

void run_links(const Run& run) {
    for (const std::uint32_t streams : {1U, 8U}) {
        std::vector<LinkCase> cases;
        for (const bool tls : {false, true}) {
            const auto put = Run::case_name(tls ? "put_tls" : "put", streams);
            const auto get = Run::case_name(tls ? "get_tls" : "get", streams);
            if (run.wants(put) || run.wants(get))
                cases.push_back({put, get, {streams, tls, run.wants(get)}, {}, {}});
        }
        if (cases.empty()) continue;
        for (int pair = 0; pair < run.settings.pairs; ++pair) {
            fmt::print(stderr, "{} stream(s), pair {} of {}: plain copy", streams, pair + 1,
                       run.settings.pairs);
            const double plain = plain_copy_seconds(run.blocks, run.directory.path());
            fmt::print(stderr, " {:.2f} s", plain);
            for (LinkCase& one : cases) {
                const LinkSeconds ours = link_seconds(run.blocks, run.directory.path(), one.wish);
                fmt::print(stderr, ", ours{} put {:.2f} s, get {:.2f} s", one.wish.tls ? " in TLS" : "",
                           ours.put, ours.get);
                one.put.plain.push_back(plain);
                one.put.ours.push_back(ours.put);
                one.get.plain.push_back(plain);
                one.get.ours.push_back(ours.get);
            }
            fmt::print(stderr, "\n");
        }
        for (const LinkCase& one : cases) {
            if (run.wants(one.put_name)) run.report.add(one.put_name, streams, true, one.put, one.wish.tls);
            if (run.wants(one.get_name)) run.report.add(one.get_name, streams, false, one.get, one.wish.tls);
        }
    }
}

void run_objects(const Run& run) {
    for (const std::uint32_t streams : {1U, 8U}) {
        const auto put_name = Run::case_name("object_put", streams);
        const auto get_name = Run::case_name("object_get", streams);
        if (!run.wants(put_name) && !run.wants(get_name)) continue;
        const int pairs = run.settings.quick ? 1 : run.settings.pairs; // two nodes start and stop for each
        Series put;
        Series get;
        for (int pair = 0; pair < pairs; ++pair) {
            fmt::print(stderr, "object, {} stream(s), pair {} of {}: plain copy", streams, pair + 1, pairs);
            const double plain = plain_copy_seconds(run.blocks, run.directory.path());
            const ObjectSeconds ours = object_seconds(run.blocks, run.directory.path(), streams);
            fmt::print(stderr, " {:.2f} s, ours put {:.2f} s, get {:.2f} s\n", plain, ours.put, ours.get);
            put.plain.push_back(plain);
            put.ours.push_back(ours.put);
            get.plain.push_back(plain);
            get.ours.push_back(ours.get);
        }
        if (run.wants(put_name)) run.report.add(put_name, streams, true, put);
        if (run.wants(get_name)) run.report.add(get_name, streams, false, get);
    }
}

void run(const Settings& settings) {
    fmt::print(stderr, "making {} MiB of random blocks\n", settings.bytes() >> 20);
    const Run run{settings, std::regex(settings.cases), make_blocks(settings.bytes()),
                  WorkDirectory(settings.directory), Report(settings)};
    run_links(run);
    run_objects(run);
}

} // namespace
} // namespace dwcp::bench

int main(int argc, char** argv) {
    dwcp::bench::Settings settings;
    CLI::App app(
        "Put and get over loopback against a plain copy of the same bytes: of blocks over data links, "
        "and of whole objects through two nodes (object_put: HTTP to receipt, two replicas on disk).");
    dwcp::bench::add_suite_options(app, settings, "256 MiB instead of 2 GiB");
    app.add_option("--dir", settings.directory, "Where to put the temporary data: the disk that is measured");
    app.add_option("--pairs", settings.pairs, "How often plain copy and ours take turns")
        ->check(CLI::Range(1, 100));
    if (const auto exit = dwcp::bench::parse_command_line(app, argc, argv)) return *exit;
    dwcp::bench::watch_for_interrupt();
    try {
        dwcp::bench::run(settings);
    } catch (const std::exception& error) {
        fmt::print(stderr, "\ndwcp-bench-transport: {}\n", error.what());
        return dwcp::bench::interrupted() ? 130 : 1;
    }
    return 0;
}
