#include "runtime/metrics/process_metrics.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace dwcp::metrics {
namespace {

// Positions in /proc/self/stat after the program's name (which may hold blanks); see proc(5).
constexpr int kThreadsField = 20 - 3;
constexpr int kStartTimeField = 22 - 3;
constexpr int kVirtualField = 23 - 3;
constexpr int kResidentField = 24 - 3;

std::string text_of(const char* path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<double> stat_fields() {
    const std::string text = text_of("/proc/self/stat");
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) return {};
    std::istringstream rest(text.substr(name_end + 1));
    std::string state;
    rest >> state;
    std::vector<double> fields{0}; // the state, which is no number
    for (double value = 0; rest >> value;)
        fields.push_back(value);
    return fields;
}

double seconds_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Of the kernel's clock, which a hardened service sees where /proc/stat is hidden.
double boot_time_seconds() { return seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME); }

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_descriptors() {
    std::error_code failed;
    double count = 0;
    for (std::filesystem::directory_iterator entry("/proc/self/fd", failed), end; !failed && entry != end;
         entry.increment(failed))
        ++count;
    return count > 0 ? count - 1 : 0; // the one that reads the directory
}

} // namespace

ProcessMetrics::ProcessMetrics() {
    const auto fields = stat_fields();
    if (fields.size() > kStartTimeField) {
        start_time_.set(boot_time_seconds() +
                        fields[kStartTimeField] / static_cast<double>(sysconf(_SC_CLK_TCK)));
    }
    hook_ = on_expose([this] { sample(); });
}

void ProcessMetrics::sample() {
    cpu_.add(std::max(0.0, cpu_seconds() - cpu_.value()));
    open_fds_.set(open_descriptors());
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) max_fds_.set(static_cast<double>(limit.rlim_cur));
    const auto fields = stat_fields();
    if (fields.size() <= kResidentField) return;
    threads_.set(fields[kThreadsField]);
    virtual_.set(fields[kVirtualField]);
    resident_.set(fields[kResidentField] * static_cast<double>(sysconf(_SC_PAGESIZE)));
}

} // namespace dwcp::metrics
