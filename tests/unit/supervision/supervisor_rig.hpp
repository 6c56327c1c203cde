// A supervisor's core with children that obey: they become ready when started and end when told to, unless a
// test says otherwise. What the core does is kept as one line of words, so that a test reads as a story:
//
//     Rig rig(three("one_for_all"));
//     CHECK(rig.play("crash b") == "stop c, stop a, start a, start b, start c");
#pragma once

#include "protocols/supervision/supervisor.hpp"

#include <deque>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace dwcp::supervision::test {

using namespace std::chrono_literals;

class Rig {
  public:
    explicit Rig(SupervisorSpec spec, BudgetLimits limits = {.burst = 1000, .refill = 1ms})
        : core(std::move(spec), 7), budget(limits) {}

    /// Plays events, separated by commas, each with all that follows within `patience`; gives what was done.
    ///     crash a, end a            the child ends by itself, abnormally or normally
    ///     fail a                    its next start fails
    ///     mute a, deaf a            from now on it is never ready; survives Stop
    ///     hear a                    it obeys again
    ///     kill a, restart a, ...    an operator's command
    ///     begin, shutdown, wait 5s  (or ms)
    std::string play(const std::string& events) {
        log_.clear();
        std::istringstream each(events);
        for (std::string one; std::getline(each, one, ',');) {
            std::istringstream words(one);
            std::string verb;
            std::string whom;
            words >> verb >> whom;
            play_one(verb, whom);
        }
        return log_;
    }

    void feed(const Event& event) {
        queue_.push_back(event);
        while (!queue_.empty()) {
            const Event next = queue_.front();
            queue_.pop_front();
            for (const Action& action : core.step(next, now, budget)) {
                last.push_back(action);
                std::visit([&](const auto& what) { on(what); }, action);
            }
        }
    }

    /// Lets the timers fire that are due until then.
    void wait(Duration duration) {
        const TimePoint until = now + duration;
        while (core.armed() && core.armed()->at <= until && core.armed()->generation != fired_) {
            fired_ = core.armed()->generation;
            now = std::max(now, core.armed()->at);
            feed(Wake{fired_});
        }
        now = until;
    }

    ChildStatus child(const std::string& id) const { return *core.child(id); }
    std::string state(const std::string& id) const { return std::string(to_string(child(id).state)); }

    template<class T>
    std::vector<T> all() const {
        std::vector<T> found;
        for (const Action& action : last)
            if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
        return found;
    }

    Supervisor core;
    RestartBudget budget;
    TimePoint now{1h};
    Duration patience = 1s;
    std::vector<Action> last; ///< All actions so far.

  private:
    void play_one(const std::string& verb, const std::string& whom) {
        const auto ends = [&](Exit exit, const char* why) {
            feed(Ended{whom, child(whom).incarnation, exit, why});
        };
        if (verb == "begin") feed(Begin{});
        if (verb == "shutdown") feed(Shutdown{});
        if (verb == "crash") ends(Exit::abnormal, "out of range");
        if (verb == "end") ends(Exit::normal, "done");
        if (verb == "fail") fail_next_.insert(whom);
        if (verb == "mute") mute_.insert(whom);
        if (verb == "deaf") deaf_.insert(whom);
        if (verb == "hear") deaf_.erase(whom), mute_.erase(whom);
        if (verb == "wait")
            return wait(whom.ends_with("ms") ? Duration(milliseconds(std::stoi(whom)))
                                             : Duration(std::stoi(whom) * 1s));
        const std::pair<const char*, Verb> commands[] = {
            {"kill", Verb::kill},     {"restart", Verb::restart}, {"quarantine", Verb::quarantine},
            {"resume", Verb::resume}, {"stop", Verb::stop},       {"start", Verb::start}};
        for (const auto& [name, command] : commands)
            if (verb == name) feed(Command{whom, command, "anna", "looks odd"});
        wait(patience);
    }

    void say(const std::string& words) { log_ += (log_.empty() ? "" : ", ") + words; }

    void begin_life(const std::string& child, std::uint64_t life, const char* what, const Event& answer) {
        say(what + (" " + child));
        if (auto at = fail_next_.find(child); at != fail_next_.end()) {
            fail_next_.erase(at);
            queue_.push_back(Ended{child, life, Exit::abnormal, "no memory"});
        } else if (!mute_.contains(child)) {
            queue_.push_back(answer);
        }
    }
    void on(const Recover& a) {
        begin_life(a.child, a.incarnation, "recover", Recovered{a.child, a.incarnation});
    }
    void on(const Start& a) { begin_life(a.child, a.incarnation, "start", Ready{a.child, a.incarnation}); }
    void on(const Stop& a) {
        say("stop " + a.child);
        if (!deaf_.contains(a.child))
            queue_.push_back(Ended{a.child, a.incarnation, Exit::normal, "stopped"});
    }
    void on(const Kill& a) {
        say("kill " + a.child);
        if (!stuck.contains(a.child)) {
            queue_.push_back(Ended{a.child, a.incarnation, Exit::abnormal, "killed"});
        }
    }
    void on(const WakeAt&) {}
    void on(const Report&) {}
    void on(const Delayed& a) { say("delayed " + a.child); }
    void on(const RollBack& a) { say("roll back " + a.child + " from " + a.from + " to " + a.to); }
    void on(const Quarantined& a) { say("quarantined " + a.child); }
    void on(const Stuck& a) { say("stuck " + a.child); }
    void on(const Escalate& a) { say("escalate to " + std::string(to_string(a.how))); }
    void on(const Up&) { say("up"); }
    void on(const Finished& a) { say(a.exit == Exit::normal ? "finished" : "finished abnormally"); }

  public:
    std::set<std::string> stuck; ///< Survive Kill.

  private:
    std::deque<Event> queue_;
    std::string log_;
    std::uint64_t fired_ = 0;
    std::multiset<std::string> fail_next_;
    std::set<std::string> mute_;
    std::set<std::string> deaf_;
};

} // namespace dwcp::supervision::test
