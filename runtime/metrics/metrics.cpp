#include "runtime/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace dwcp::metrics {
namespace {

// Leaked on purpose: metrics may be touched by threads that outlive static destruction.
prometheus::Registry& registry() {
    static auto* const instance = new prometheus::Registry();
    return *instance;
}

struct Hooks {
    std::mutex mutex; ///< Held during the calls: who removes a hook waits for them.
    std::map<std::uint64_t, std::function<void()>> samples;
    std::uint64_t last_id = 0;
};

Hooks& hooks() {
    static auto* const instance = new Hooks();
    return *instance;
}

/// Lets those who keep figures elsewhere set them.
void refresh() {
    const std::lock_guard lock(hooks().mutex);
    for (const auto& [id, sample] : hooks().samples)
        sample();
}

} // namespace

void Counter::add(double amount) const { static_cast<prometheus::Counter*>(handle_)->Increment(amount); }
double Counter::value() const { return static_cast<prometheus::Counter*>(handle_)->Value(); }
void Gauge::set(double value) const { static_cast<prometheus::Gauge*>(handle_)->Set(value); }
void Gauge::add(double amount) const { static_cast<prometheus::Gauge*>(handle_)->Increment(amount); }
double Gauge::value() const { return static_cast<prometheus::Gauge*>(handle_)->Value(); }
void Histogram::observe(double value) const { static_cast<prometheus::Histogram*>(handle_)->Observe(value); }

Counter counter(const std::string& name, const std::string& help, const Labels& labels) {
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry());
    return Counter(&family.Add(labels));
}

Gauge gauge(const std::string& name, const std::string& help, const Labels& labels) {
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry());
    return Gauge(&family.Add(labels));
}

Histogram histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                    const Labels& labels) {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry());
    return Histogram(&family.Add(labels, bounds));
}

const std::vector<double>& duration_bounds() {
    static const std::vector<double> bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                               0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
    return bounds;
}

ExposeHook::ExposeHook(ExposeHook&& other) noexcept : id_(std::exchange(other.id_, 0)) {}

ExposeHook& ExposeHook::operator=(ExposeHook&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
}

ExposeHook::~ExposeHook() {
    if (id_ == 0) return;
    const std::lock_guard lock(hooks().mutex);
    hooks().samples.erase(id_);
}

ExposeHook on_expose(std::function<void()> sample) {
    const std::lock_guard lock(hooks().mutex);
    const auto id = ++hooks().last_id;
    hooks().samples.emplace(id, std::move(sample));
    return ExposeHook(id);
}

std::vector<Sample> samples(const std::string& part) {
    refresh();
    std::vector<Sample> found;
    for (const auto& family : registry().Collect()) {
        if (family.name.find(part) == std::string::npos) continue;
        for (const auto& metric : family.metric) {
            Labels labels;
            for (const auto& label : metric.label)
                labels[label.name] = label.value;
            const auto add = [&](const char* suffix, const char* type, double value) {
                found.push_back({family.name + suffix, type, family.help, labels, value});
            };
            if (family.type == prometheus::MetricType::Counter) add("", "counter", metric.counter.value);
            if (family.type == prometheus::MetricType::Gauge) add("", "gauge", metric.gauge.value);
            if (family.type != prometheus::MetricType::Histogram) continue;
            add("_count", "histogram", static_cast<double>(metric.histogram.sample_count));
            add("_sum", "histogram", metric.histogram.sample_sum);
        }
    }
    std::ranges::stable_sort(found, {}, &Sample::name);
    return found;
}

std::string expose() {
    refresh();
    return prometheus::TextSerializer().Serialize(registry().Collect());
}

} // namespace dwcp::metrics
