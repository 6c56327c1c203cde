#include "runtime/caf/actor_watch.hpp"

#include "runtime/base/events.hpp"

#include <chrono>
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <memory>

namespace dwcp::actor {
namespace {

Duration since_boot() { return std::chrono::steady_clock::now().time_since_epoch(); }

std::string name_of(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    std::string name = status == 0 ? readable.get() : type.name();
    constexpr std::string_view kOurs = "dwcp::";
    if (name.starts_with(kOurs)) name.erase(0, kOurs.size());
    return name;
}

} // namespace

void MessageTrace::record_for(Duration time) {
    until_.store(time > Duration::zero() ? (since_boot() + time).count() : 0, std::memory_order_relaxed);
}

Duration MessageTrace::left() const {
    const Duration until(until_.load(std::memory_order_relaxed));
    return std::max(Duration::zero(), until - since_boot());
}

void MessageTrace::add(HandledMessage message) {
    auto until = until_.load(std::memory_order_relaxed);
    // Off by itself, unless somebody has just prolonged it.
    if (until != 0 && since_boot().count() >= until) until_.compare_exchange_strong(until, 0);
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    if (messages_.size() > kTracedMessagesMax) messages_.pop_front();
}

std::vector<HandledMessage> MessageTrace::messages() const {
    const std::lock_guard lock(mutex_);
    return {messages_.begin(), messages_.end()};
}

void HandlerWatch::begin(const std::type_info& type, const char* prefix) {
    type_ = prefix + name_of(type);
    exceptions_ = std::uncaught_exceptions();
    begun_ = std::chrono::steady_clock::now();
}

void HandlerWatch::finish() {
    if (std::uncaught_exceptions() > exceptions_) outcome_ = "threw";
    trace_->add(
        {unix_now_ms(), std::move(type_), std::chrono::steady_clock::now() - begun_, std::string(outcome_)});
}

void ActorPause::begin() {
    const std::lock_guard lock(mutex_);
    on_.store(true, std::memory_order_relaxed);
}

void ActorPause::end() {
    std::function<void()> wake;
    {
        const std::lock_guard lock(mutex_);
        on_.store(false, std::memory_order_relaxed);
        wake = std::exchange(wake_, nullptr);
    }
    if (wake) wake();
}

bool ActorPause::holds(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    if (!on_.load(std::memory_order_relaxed)) return false;
    wake_ = std::move(wake);
    return true;
}

} // namespace dwcp::actor
