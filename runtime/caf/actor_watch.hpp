// Looking at a running actor, and holding one up: the two things that an operator may do to it from outside
// without it knowing. Both cost one relaxed load a message while they are off.
//
//   MessageTrace  what the actor handled lately: when, which type, how long, with which outcome; not what was
//                 in it. Switched on for a time, and off by itself.
//   ActorPause    for injected faults: the actor handles nothing, neither messages nor exits, as if it hung
//   in
//                 a handler, and holds no thread meanwhile.
//
// Both belong to one life of an actor (ActorStats). Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <typeinfo>
#include <vector>

namespace dwcp::actor {

struct HandledMessage {
    UnixMillis time_ms = 0;
    std::string type; ///< "manager::BeginPut", "Task", "answer manager::PutBegun".
    Duration took{};
    std::string outcome; ///< "ok", "later" (a promise), "threw", or the error's code.
};

/// Some seconds of a busy actor, about 40 KiB.
inline constexpr std::size_t kTracedMessagesMax = 256;

class MessageTrace {
  public:
    bool on() const { return until_.load(std::memory_order_relaxed) != 0; }
    /// From now on; a time of zero ends it. What was recorded stays.
    void record_for(Duration time);
    Duration left() const;
    void add(HandledMessage message);
    std::vector<HandledMessage> messages() const;

  private:
    std::atomic<Duration::rep> until_{0}; ///< Of the steady clock; 0: off.
    mutable std::mutex mutex_;
    std::deque<HandledMessage> messages_;
};

/// Times one handler for the trace, if it is on when the handler begins.
class HandlerWatch {
  public:
    /// `prefix` is put before the type's name.
    HandlerWatch(MessageTrace& trace, const std::type_info& type, const char* prefix = "")
        : trace_(trace.on() ? &trace : nullptr) {
        if (trace_ != nullptr) [[unlikely]]
            begin(type, prefix);
    }
    ~HandlerWatch() {
        if (trace_ != nullptr) [[unlikely]]
            finish();
    }
    HandlerWatch(const HandlerWatch&) = delete;
    HandlerWatch& operator=(const HandlerWatch&) = delete;

    void failed(Errc code) { outcome_ = to_string(code); }
    void later() { outcome_ = "later"; }

  private:
    void begin(const std::type_info& type, const char* prefix);
    void finish();

    MessageTrace* trace_;
    std::string type_;
    std::string_view outcome_ = "ok";
    TimePoint begun_{};
    int exceptions_ = 0;
};

class ActorPause {
  public:
    bool on() const { return on_.load(std::memory_order_relaxed); }
    void begin();
    /// The actor goes on where it stopped.
    void end();
    /// Of the actor itself, when it is to run: true if it must not. Then `wake` is called once, at the end.
    bool holds(std::function<void()> wake);

  private:
    std::atomic<bool> on_{false};
    std::mutex mutex_;
    std::function<void()> wake_;
};

} // namespace dwcp::actor
