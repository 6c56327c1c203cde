// dwcp-bench-store: what the store costs beside a plain write() and fsync() of the same bytes, in the same
// run.
//
// Prints one line a case. The plain write runs before and after the store's cases, because the speed of a
// shared disk and of a machine's page cache drifts; shares are of the faster of the two.
#include "protocols/base/random.hpp"
#include "runtime/log/log.hpp"
#include "runtime/store/store.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace dwcp {
namespace {

using Clock = std::chrono::steady_clock;

/// Distinct content for so many blocks; more blocks repeat it under other hashes.
constexpr std::size_t kDistinctBlocks = 32;

template<class T>
T need(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "dwcp-bench-store: {}\n", result.error().render());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void need(Result<void> result) {
    if (result) return;
    fmt::print(stderr, "dwcp-bench-store: {}\n", result.error().render());
    std::exit(1);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::size_t resident_mib_max() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) / 1024;
}

struct Cost {
    double seconds = 0;
    double cpu_seconds = 0;
};

template<class Work>
Cost measure(Work work) {
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    work();
    return {std::chrono::duration<double>(Clock::now() - start).count(), cpu_seconds() - cpu};
}

std::vector<EncodedBlock> make_blocks(std::size_t count) {
    std::vector<SharedBytes> content;
    Random random(1);
    for (std::size_t i = 0; i < std::min(count, kDistinctBlocks); ++i) {
        Bytes bytes(kBlockBytes);
        for (std::size_t at = 0; at < bytes.size(); at += 8) {
            const std::uint64_t word = random.next();
            std::memcpy(bytes.data() + at, &word, sizeof word);
        }
        content.push_back(share(std::move(bytes)));
    }
    std::vector<EncodedBlock> blocks;
    for (std::size_t i = 0; i < count; ++i) {
        EncodedBlock block{
            .hash = {}, .codec = {}, .raw_bytes = kBlockBytes, .bytes = content[i % content.size()]};
        for (std::size_t at = 0; at < block.hash.bytes.size(); at += 8) {
            const std::uint64_t word = random.next();
            std::memcpy(block.hash.bytes.data() + at, &word, sizeof word);
        }
        blocks.push_back(std::move(block));
    }
    return blocks;
}

void write_plainly(const std::string& path, const std::vector<EncodedBlock>& blocks) {
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    bool good = file >= 0;
    for (const EncodedBlock& block : blocks)
        good =
            good && ::write(file, block.bytes->data(), block.bytes->size()) == ssize_t(block.bytes->size());
    good = good && ::fsync(file) == 0;
    ::close(file);
    std::filesystem::remove(path);
    if (good) return;
    fmt::print(stderr, "dwcp-bench-store: cannot write {}\n", path);
    std::exit(1);
}

/// Calls `work(thread, index)` for every index below `count`, shared among threads.
template<class Work>
void in_parallel(std::size_t threads, std::size_t count, Work work) {
    std::atomic<std::size_t> next = 0;
    std::vector<std::thread> running;
    for (std::size_t thread = 0; thread < threads; ++thread)
        running.emplace_back([&, thread] {
            for (std::size_t i = next++; i < count; i = next++)
                work(thread, i);
        });
    for (std::thread& thread : running)
        thread.join();
}

class Bench {
  public:
    Bench(std::string directory, std::size_t block_count)
        : directory_(std::move(directory)), blocks_(make_blocks(block_count)) {}

    void run() {
        fmt::print("{} blocks of 1 MiB; MB/s are of their bytes\n\n", blocks_.size());
        fmt::print("{:<44} {:>9} {:>9} {:>9}\n", "case", "seconds", "MB/s", "CPU s");
        plain("plain write + fsync, before");
        for (const std::size_t writers : {1, 2, 4})
            bulk(writers);
        plain("plain write + fsync, after");
        for (const auto& [name, seconds] : bulk_seconds_)
            fmt::print("{}: {:.0f} % of the plain write's speed\n", name, 100 * plain_seconds_ / seconds);
        fmt::print("most memory resident: {} MiB\n\n", resident_mib_max());
        fmt::print("{:<44} {:>9} {:>9} {:>9}\n", "case", "a second", "p50 ms", "p99 ms");
        latencies();
    }

  private:
    std::unique_ptr<store::Store> fresh_store() {
        std::filesystem::remove_all(directory_ + "/store");
        return need(store::Store::open({.directory = directory_ + "/store"}));
    }

    void print_throughput(std::string_view name, const Cost& cost) const {
        const double megabytes = double(blocks_.size()) * kBlockBytes / 1e6;
        fmt::print("{:<44} {:>9.2f} {:>9.0f} {:>9.2f}\n", name, cost.seconds, megabytes / cost.seconds,
                   cost.cpu_seconds);
    }

    void plain(std::string_view name) {
        const Cost cost = measure([&] { write_plainly(directory_ + "/plain", blocks_); });
        print_throughput(name, cost);
        plain_seconds_ = plain_seconds_ == 0 ? cost.seconds : std::min(plain_seconds_, cost.seconds);
    }

    void bulk(std::size_t writers) {
        const auto store = fresh_store();
        const std::string name = fmt::format("store: bulk + durable, {} writer(s)", writers);
        const Cost cost = measure([&] {
            in_parallel(writers, blocks_.size(), [&](std::size_t, std::size_t i) {
                need(store->put_block(blocks_[i], store::BlockWrite::bulk));
            });
            need(store->make_blocks_durable());
        });
        print_throughput(name, cost);
        bulk_seconds_.emplace_back(name, cost.seconds);
        if (writers != 1) return;
        print_throughput("store: read back, 1 reader", measure([&] {
                             for (const EncodedBlock& block : blocks_)
                                 need(store->get_block(block.hash));
                         }));
    }

    void print_latencies(std::string_view name, double seconds, std::vector<double> each_ms) const {
        std::sort(each_ms.begin(), each_ms.end());
        fmt::print("{:<44} {:>9.0f} {:>9.2f} {:>9.2f}\n", name, double(each_ms.size()) / seconds,
                   each_ms[each_ms.size() / 2], each_ms[each_ms.size() * 99 / 100]);
    }

    /// Runs `operation(index)` count times on so many threads and prints rate and latencies.
    template<class Operation>
    double timed(std::string_view name, std::size_t threads, std::size_t count, Operation operation) {
        std::vector<double> each_ms(count);
        const Cost cost = measure([&] {
            in_parallel(threads, count, [&](std::size_t, std::size_t i) {
                each_ms[i] = measure([&] { operation(i); }).seconds * 1e3;
            });
        });
        print_latencies(name, cost.seconds, std::move(each_ms));
        return double(count) / cost.seconds;
    }

    void latencies() {
        const auto store = fresh_store();
        const Bytes value(200, 1);
        const auto write_value = [&](std::size_t i) {
            store::Batch batch;
            batch.put(store::Family::journal, std::to_string(i), value);
            need(store->write(batch, store::Sync::yes));
        };
        const double one = timed("synced write of 200 bytes, 1 writer", 1, 500, write_value);
        const double many = timed("synced write of 200 bytes, 32 writers", 32, 16'000, write_value);
        fmt::print("group commit: 32 writers do {:.1f} times the rate of one\n", many / one);

        std::atomic<bool> stop = false;
        std::thread load([&] {
            for (std::size_t i = 0; i < blocks_.size() && !stop; ++i)
                need(store->put_block(blocks_[i], store::BlockWrite::bulk));
        });
        timed("synced write while blocks come in", 1, 100, write_value);
        stop = true;
        load.join();

        std::size_t next = 0;
        const auto extra = make_blocks(600);
        const auto durable_block = [&](store::BlockWrite how) {
            EncodedBlock block = extra[next++];
            block.hash.bytes[0] = static_cast<Byte>(block.hash.bytes[0] ^ 0xff);
            need(store->put_block(block, how));
            need(store->make_blocks_durable());
        };
        need(store->make_blocks_durable());
        timed("1 MiB block bulk + durable, 1 writer", 1, 200,
              [&](auto) { durable_block(store::BlockWrite::bulk); });
        timed("1 MiB block logged + durable, 1 writer", 1, 200,
              [&](auto) { durable_block(store::BlockWrite::logged); });
    }

    const std::string directory_;
    const std::vector<EncodedBlock> blocks_;
    double plain_seconds_ = 0;
    std::vector<std::pair<std::string, double>> bulk_seconds_;
};

} // namespace
} // namespace dwcp

int main(int argc, char** argv) {
    CLI::App app{"Measures the store against a plain write and fsync of the same bytes", "dwcp-bench-store"};
    std::string parent = std::filesystem::temp_directory_path();
    std::size_t mebibytes = 2048;
    app.add_option("--dir", parent, "Where to write; the disk to measure")->check(CLI::ExistingDirectory);
    app.add_option("--mib", mebibytes, "How much to write a case, MiB")->check(CLI::Range(64, 65536));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    std::string directory = parent + "/dwcp-bench-store-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) {
        fmt::print(stderr, "dwcp-bench-store: cannot make a directory in {}\n", parent);
        return 1;
    }
    dwcp::log::set_level(dwcp::log::Level::warn);
    dwcp::Bench(directory, mebibytes).run();
    std::filesystem::remove_all(directory);
}
