// The one facade over prometheus-cpp core. Nobody else includes prometheus headers.
//
// Names follow Prometheus' conventions: dwcp_<room>_<what>_<unit>, counters end in _total, base units
// (seconds, bytes, ratio 0..1), bounded labels, no ids in labels. Registration happens once, in a class's own
// Probe struct:
//
//   struct Probe {
//       metrics::Counter accepted = metrics::counter("dwcp_manager_workloads_accepted_total", "Workloads
//       admitted.");
//   };
//
// Registering the same name with the same labels again returns the same series, so restarted actors keep
// their counts. Handles are cheap to copy, thread-safe and live as long as the process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace dwcp::metrics {

using Labels = std::map<std::string, std::string>;

class Counter {
  public:
    void add(double amount = 1) const;
    double value() const;

  private:
    friend Counter counter(const std::string&, const std::string&, const Labels&);
    explicit Counter(void* handle) : handle_(handle) {}
    void* handle_;
};

class Gauge {
  public:
    void set(double value) const;
    void add(double amount) const;
    double value() const;

  private:
    friend Gauge gauge(const std::string&, const std::string&, const Labels&);
    explicit Gauge(void* handle) : handle_(handle) {}
    void* handle_;
};

class Histogram {
  public:
    void observe(double value) const;

  private:
    friend Histogram histogram(const std::string&, const std::string&, const std::vector<double>&,
                               const Labels&);
    explicit Histogram(void* handle) : handle_(handle) {}
    void* handle_;
};

Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
/// `bounds` are the upper bucket limits in ascending order.
Histogram histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                    const Labels& labels = {});

/// Bucket limits from 100 µs to 10 s, for durations in seconds.
const std::vector<double>& duration_bounds();

/// One number of the registry; a histogram is its `_count` and its `_sum`.
struct Sample {
    std::string name;
    std::string type; ///< "counter", "gauge" or "histogram".
    std::string help;
    Labels labels;
    double value = 0;
};
/// Those whose name contains `part`, by name.
std::vector<Sample> samples(const std::string& part);

/// Keeps a callback of on_expose() registered; gone when it is destroyed, which waits for a call under way.
class ExposeHook {
  public:
    ExposeHook() = default;
    ExposeHook(ExposeHook&& other) noexcept;
    ExposeHook& operator=(ExposeHook&& other) noexcept;
    ~ExposeHook();

  private:
    friend ExposeHook on_expose(std::function<void()>);
    explicit ExposeHook(std::uint64_t id) : id_(id) {}
    std::uint64_t id_ = 0; ///< 0: none.
};

/// Calls `sample` at the start of every expose(), one call at a time, so that figures which somebody else
/// keeps are set when they are read. It must be quick, ask no actor, and neither expose nor hook itself.
[[nodiscard]] ExposeHook on_expose(std::function<void()> sample);

/// The whole registry in Prometheus' text format 0.0.4.
std::string expose();

} // namespace dwcp::metrics
