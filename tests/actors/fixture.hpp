// Deterministic actor tests: one thread, simulated time. Nothing runs until run(), no time passes until
// advance().
//
//   TEST_CASE_METHOD(dwcp::test::ActorFixture, "an actor answers") {
//       spawn<MyActor>("my/0");
//       const auto reply = ask("my/0", MyRequest{});
//   }
#pragma once

#include "runtime/caf/actor.hpp"
#include "runtime/caf/system.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::test {

class ActorFixture {
  public:
    ActorFixture()
        : system_({.heartbeat_interval_ms = 500,
                   .heartbeat_timeout_ms = 2000,
                   .threads = 0,
                   .deterministic = true}) {}

    /// Ends what the test has spawned, so that the actor system can end.
    ~ActorFixture() {
        resolver_.close();
        for (const auto& handle : spawned_)
            caf::anon_send_exit(handle, caf::exit_reason::kill);
        run();
    }

    caf::actor_system& system() { return system_.get(); }
    actor::Resolver& resolver() { return resolver_; }

    /// Runs until no actor has anything to do.
    void run() { scheduler().run(); }
    /// Lets time pass, then runs.
    void advance(Duration time) {
        scheduler().advance_time(time);
        run();
    }

    /// Starts an actor and publishes it at `path`, as a supervisor would.
    template<class A, class... Args>
    caf::actor spawn(const std::string& path, Args&&... args) {
        return spawn_with_mailbox<A>(path, actor::kMailboxMax, std::forward<Args>(args)...);
    }

    template<class A, class... Args>
    caf::actor spawn_with_mailbox(const std::string& path, std::size_t mailbox_max, Args&&... args) {
        actor::ActorContext context{.path = path, .resolver = &resolver_, .mailbox_max = mailbox_max};
        const auto stats = context.stats;
        const auto handle = system().spawn<A>(std::move(context), std::forward<Args>(args)...);
        spawned_.push_back(handle);
        resolver_.publish(path, handle, stats, {});
        run();
        return handle;
    }

    void kill(const caf::actor& handle, caf::exit_reason reason = caf::exit_reason::kill) {
        caf::anon_send_exit(handle, reason);
        run();
    }

    /// A request from outside the actor system whose answer is collected later.
    template<class Request>
    class Pending {
      public:
        using Reply = typename Request::Reply;
        Pending(ActorFixture& fixture, const caf::actor& to, Request request, Duration deadline)
            : fixture_(&fixture), asker_(std::make_unique<caf::scoped_actor>(fixture.system())),
              handle_((*asker_)->request(to, deadline, actor::Local<Request>(std::move(request)))) {
            fixture_->run();
        }

        /// The answer, if there is one by now.
        std::optional<Result<Reply>> poll() {
            fixture_->run();
            if (!(*asker_)->has_next_message()) return std::nullopt;
            std::optional<Result<Reply>> result;
            handle_.receive(
                [&](const actor::Local<Reply>& reply) { result.emplace(*reply); },
                [&](const caf::error& error) { result.emplace(std::unexpected(actor::from_caf(error))); });
            return result;
        }

      private:
        using Handle = decltype(std::declval<caf::scoped_actor&>()->request(
            std::declval<const caf::actor&>(), Duration{}, std::declval<actor::Local<Request>>()));
        ActorFixture* fixture_;
        std::unique_ptr<caf::scoped_actor> asker_;
        Handle handle_;
    };

    template<class Request>
    Pending<Request> begin(const caf::actor& to, Request request,
                           Duration deadline = std::chrono::seconds(5)) {
        return {*this, to, std::move(request), deadline};
    }

    /// Asks whoever lives at `path` now and runs until the answer is there; deadline_exceeded if it does not
    /// come.
    template<class Request>
    Result<typename Request::Reply> ask(const std::string& path, Request request) {
        const auto live = resolver_.find(path);
        if (!live) return fail(Errc::unavailable, path + " is not running");
        auto answer = begin(live->handle, std::move(request)).poll();
        if (!answer) return fail(Errc::deadline_exceeded, "no answer without the passing of time");
        return std::move(*answer);
    }

  private:
    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system().scheduler());
    }

    actor::Resolver resolver_;
    actor::System system_;
    std::vector<caf::actor> spawned_;
};

} // namespace dwcp::test
