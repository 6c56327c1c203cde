#include "runtime/node/offline.hpp"

#include "runtime/log/log.hpp"
#include "runtime/node/restore.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace dwcp::node {
namespace {

constexpr milliseconds kShowEvery{200};
constexpr double kMega = 1e6;
constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;

std::atomic<bool> interrupted = false;

/// Ctrl-C ends the work between two pieces; what was restored so far is no node's state yet.
void catch_interrupt() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = true; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

int report(const Error& error) {
    std::fprintf(stderr, "dwcp-node: %s\n", error.message.c_str());
    if (!error.remedy.empty()) std::fprintf(stderr, "  try: %s\n", error.remedy.c_str());
    return kExitFailed;
}

/// Counts bytes and, on a terminal, shows how far it is.
class Meter {
  public:
    explicit Meter(std::uint64_t total_bytes) : total_bytes_(total_bytes) {}

    backup::Progress progress() {
        return [this](std::uint64_t bytes) {
            done_bytes_ += bytes;
            show();
            return !interrupted;
        };
    }
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    }
    void end() const {
        if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
    }

  private:
    void show() {
        const auto now = std::chrono::steady_clock::now();
        if (isatty(STDERR_FILENO) == 0 || now - shown_ < kShowEvery) return;
        shown_ = now;
        std::fprintf(stderr, "\r%.1f of %.1f MB  %.0f MB/s\033[K", static_cast<double>(done_bytes_) / kMega,
                     static_cast<double>(total_bytes_) / kMega,
                     static_cast<double>(done_bytes_) / kMega / std::max(seconds(), 0.001));
    }

    const std::uint64_t total_bytes_;
    const TimePoint begun_ = std::chrono::steady_clock::now();
    TimePoint shown_{};
    std::uint64_t done_bytes_ = 0;
};

/// Only warnings and worse: the report is what matters here.
void quiet_log() { log::set_level(log::Level::warn); }

} // namespace

int restore_offline(const config::NodeConfig& config, const std::string& path) {
    quiet_log();
    catch_interrupt();
    const auto backup = backup::read_backup(path);
    if (!backup) return report(backup.error());
    Meter meter(backup->bytes());
    const auto restored = restore_node(config, path, meter.progress());
    meter.end();
    if (!restored) return report(restored.error());
    std::printf("restored %s from %s: %zu files, %.1f MB, %.1f s\n", config.data_dir.c_str(), path.c_str(),
                restored->backup.files.size(), static_cast<double>(restored->backup.bytes()) / kMega,
                meter.seconds());
    if (restored->lanes_given_up)
        std::printf("this copy knew more than the sequencer's of the same set: it learns the lanes from the "
                    "sequencer again\n");
    if (restored->backup.set.empty())
        std::printf("this was a backup of one node: if it orders the lanes (consensus.sequencer) and the "
                    "others have gone on since, restore the whole cluster from one set instead\n");
    std::printf("next: start it with the same configuration\n");
    return kExitOk;
}

int verify_offline(const std::string& path) {
    quiet_log();
    catch_interrupt();
    const auto backup = backup::read_backup(path);
    if (!backup) return report(backup.error());
    Meter meter(2 * backup->bytes());
    const auto found = verify_backup(path, meter.progress());
    meter.end();
    if (!found) return report(found.error());
    for (const auto& problem : found->problems)
        std::fprintf(stderr, "%s: %s\n", path.c_str(), problem.c_str());
    std::printf("%s: %s: %llu files, %llu objects, %llu blocks read in %.1f s\n", path.c_str(),
                found->problems.empty() ? "good" : "DAMAGED", static_cast<unsigned long long>(found->files),
                static_cast<unsigned long long>(found->objects),
                static_cast<unsigned long long>(found->blocks), meter.seconds());
    return found->problems.empty() ? kExitOk : kExitFailed;
}

} // namespace dwcp::node
