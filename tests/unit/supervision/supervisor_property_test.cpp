// Random children, operators and clocks against the core, next to a reference that keeps the whole history
// and decides by counting in it. What no interleaving may do is checked at every action; at the end
// everything obeys, and whatever is wanted must be up.
#include "protocols/supervision/supervisor.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

using namespace dwcp;
using namespace dwcp::supervision;
using namespace std::chrono_literals;

namespace {

/// A failed check costs a message; one that holds must cost nothing, there are millions.
void expect(bool holds, const std::string& what) {
    if (!holds) FAIL(what);
}

/// One child as the reference sees it.
struct Kid {
    explicit Kid(ChildSpec of)
        : spec(std::move(of)), release(spec.release), on_trial(spec.on_trial), last_good(spec.last_good) {}

    ChildSpec spec;
    std::size_t index = 0;
    bool wanted = false;
    bool quarantined = false;
    ChildState rest = ChildState::stopped;
    bool by_command = false; ///< Since its last end: it may start whatever its type says.
    bool taken_along = false;
    bool ever_ready = false;
    bool out_of_turn = false; ///< Wanted by a command after it had been down: no part of the first start.
    std::optional<TimePoint> not_before; ///< Of its own restart.

    enum class Life { none, recovering, starting, running } life = Life::none;
    std::uint64_t incarnation = 0;
    std::uint64_t recovered = 0; ///< The life that said so at the end.
    TimePoint begun{};
    TimePoint ready_at{};
    std::string life_release;
    bool life_on_trial = false;
    bool asked = false; ///< Its end is wanted: it is no death.
    bool told_stop = false;
    TimePoint stop_told_at{};
    bool told_kill = false;
    TimePoint kill_told_at{};
    bool operator_kills = false;
    bool stuck = false;

    std::string release;
    bool on_trial = false;
    std::string last_good;
    std::vector<TimePoint> deaths; ///< All on the release at its time that are not forgiven.
    std::uint64_t restarts = 0;

    bool alive() const { return life != Life::none; }
    bool ready() const { return life == Life::running; }
};

class World {
  public:
    World(std::uint64_t seed) : random_(seed), budget_(limits()), core_(make_spec(), seed) {
        for (std::size_t i = 0; i < spec_.children.size(); ++i) {
            kids_.emplace_back(spec_.children[i]).index = i;
            kids_.back().quarantined = !spec_.children[i].quarantine.empty();
            const auto deaths = [](const auto& loop) { return loop ? loop->deaths : 0U; };
            remembered_max_ +=
                std::max(deaths(kids_.back().spec.poison), deaths(kids_.back().spec.roll_back));
        }
        remembered_max_ += spec_.intensity.restarts_max + 1;
    }

    void play(int steps) {
        begin();
        for (int i = 0; i < steps && !finished_; ++i) {
            now_ += Duration(random_.below(random_.below(6) == 0 ? 3'000'000'000 : 20'000'000));
            play_one();
        }
        heal();
    }

    /// How often the rarer things happened: a test of nothing would pass as well.
    struct Seen {
        std::uint64_t restarts = 0, rolled_back = 0, quarantined = 0, escalated = 0, finished = 0,
                      delayed = 0, stuck = 0, late = 0, along = 0, given_up = 0;
    };
    static Seen seen;

  private:
    BudgetLimits limits() {
        burst_ = static_cast<std::uint32_t>(1 + random_.below(6));
        refill_ = Duration(1 + random_.below(3'000'000'000));
        return {burst_, refill_};
    }

    std::optional<CrashLoop> maybe_loop() {
        if (random_.below(3) != 0) return std::nullopt;
        return CrashLoop{static_cast<std::uint32_t>(1 + random_.below(6)),
                         Duration(random_.below(9'000'000'000))};
    }

    SupervisorSpec make_spec() {
        spec_.path = "node";
        spec_.strategy = static_cast<Strategy>(random_.below(3));
        spec_.escalation = static_cast<Escalation>(random_.below(4));
        spec_.intensity = {static_cast<std::uint32_t>(random_.below(9)),
                           Duration(random_.below(9'000'000'000))};
        const auto count = 1 + random_.below(5);
        for (std::uint64_t i = 0; i < count; ++i) {
            ChildSpec& child = spec_.children.emplace_back();
            child.id = std::string(1, static_cast<char>('a' + i));
            child.type =
                random_.below(2) == 0 ? RestartType::permanent : static_cast<RestartType>(random_.below(3));
            child.backoff = {.min = milliseconds(1 + random_.below(50)),
                             .max = milliseconds(1 + random_.below(3000)),
                             .jitter_ratio = random_.unit(),
                             .reset_after = milliseconds(random_.below(5000))};
            child.start_timeout = milliseconds(random_.below(3000));
            child.stop_grace = milliseconds(random_.below(4) == 0 ? 0 : random_.below(3000));
            child.recovers = random_.below(3) == 0;
            child.recovery_timeout = milliseconds(random_.below(3000));
            child.poison = maybe_loop();
            child.roll_back = maybe_loop();
            if (random_.below(2) == 0) child.release = "r0";
            child.on_trial = random_.below(2) == 0;
            if (random_.below(3) == 0) child.last_good = "good";
            if (random_.below(12) == 0) child.quarantine = "before";
        }
        return spec_;
    }

    // What happens.

    void begin() {
        for (Kid& kid : kids_)
            kid.wanted = !kid.quarantined;
        feed(Begin{});
    }

    Kid& any() { return kids_[random_.below(kids_.size())]; }

    /// One that owes an answer, if there is one.
    Kid& someone_asked() {
        const auto start = random_.below(kids_.size());
        for (std::size_t i = 0; i < kids_.size(); ++i) {
            Kid& kid = kids_[(start + i) % kids_.size()];
            if (kid.alive() && (!kid.ready() || kid.told_stop || kid.told_kill)) return kid;
        }
        return any();
    }

    void play_one() {
        if (ending_ && random_.below(10) == 0) return shut_down();
        switch (random_.below(16)) {
        case 0:
            return command();
        case 1:
            return hearsay();
        case 2:
            if (random_.below(4) != 0) return;
            return new_release(any());
        case 3:
            if (random_.below(60) == 0) return shut_down();
            return;
        case 4:
        case 5:
            return crash(any());
        case 6:
        case 7:
            return wake();
        default:
            return answer(someone_asked());
        }
    }

    /// A child does what it was asked for, or fails to, or takes its time.
    void answer(Kid& kid) {
        if (!kid.alive()) return;
        if (kid.told_stop || kid.told_kill) return ended(kid, kid.told_kill ? Exit::abnormal : Exit::normal);
        if (kid.ready()) return;
        if (random_.below(5) == 0) return ended(kid, Exit::abnormal);
        if (kid.life == Kid::Life::recovering) return feed(Recovered{kid.spec.id, kid.incarnation});
        became_ready(kid);
    }

    void became_ready(Kid& kid) {
        kid.life = Kid::Life::running;
        kid.ready_at = now_;
        kid.ever_ready = true;
        feed(Ready{kid.spec.id, kid.incarnation});
    }

    void crash(Kid& kid) {
        if (kid.alive()) ended(kid, any_exit());
    }

    Exit any_exit() { return random_.below(4) == 0 ? Exit::normal : Exit::abnormal; }

    /// Told of dead lives, of nobody, and of timers long replaced: nothing may come of it.
    void hearsay() {
        const Kid& kid = any();
        const std::string id = random_.below(8) == 0 ? "nobody" : kid.spec.id;
        std::uint64_t life = random_.below(kid.incarnation + 3);
        if (kid.alive() && life == kid.incarnation) ++life;
        const auto before = core_.stale();
        switch (random_.below(4)) {
        case 0:
            feed(Ended{id, life, Exit::abnormal, "hearsay"});
            break;
        case 1:
            feed(Ready{id, life});
            break;
        case 2:
            feed(Recovered{id, life});
            break;
        default:
            feed(Wake{core_.armed() ? core_.armed()->generation - 1 : 0});
        }
        expect(finished_ || core_.stale() == before + 1, "hearsay was not counted");
    }

    void wake() {
        if (!core_.armed()) return;
        if (random_.below(8) != 0) now_ = std::max(now_, core_.armed()->at);
        feed(Wake{core_.armed()->generation});
    }

    void shut_down() {
        for (Kid& kid : kids_)
            down(kid, ChildState::stopped);
        ending_ = true;
        if (how_ == Escalation::stop) how_.reset();
        leave_stuck_ = leave_stuck_ || random_.below(2) == 0;
        given_up_ = false;
        feed(Shutdown{leave_stuck_});
    }

    void new_release(Kid& kid) {
        kid.release = "r" + std::to_string(random_.below(4));
        kid.on_trial = random_.below(2) == 0;
        if (kid.life_release == kid.release) kid.life_on_trial = kid.on_trial;
        forgive(kid);
        feed(NewRelease{kid.spec.id, kid.release, kid.on_trial});
    }

    void command() {
        Kid& kid = any();
        auto verb = static_cast<Verb>(random_.below(6));
        if (!kid.wanted && random_.below(2) == 0) verb = kid.quarantined ? Verb::resume : Verb::start;
        const Command command{kid.spec.id, verb, "anna", "odd"};
        const bool possible = core_.check(command).has_value();
        if (kid.quarantined)
            expect(!possible || command.verb == Verb::resume || (command.verb == Verb::kill && kid.alive()),
                   "a quarantined child obeys");
        if (ending_ && !given_up_) expect(!possible, "a command while it ends");
        if (possible) obey(kid, command.verb);
        feed(command);
    }

    void obey(Kid& kid, Verb verb) {
        switch (verb) {
        case Verb::kill:
            kid.operator_kills = true;
            return;
        case Verb::restart:
            if (kid.alive() && !kid.asked) {
                kid.asked = true;
                take_along(kid);
            }
            return up(kid);
        case Verb::quarantine:
            expect_quarantine_ = kid.spec.id;
            kid.quarantined = true;
            forgive(kid);
            return down(kid, ChildState::stopped);
        case Verb::resume:
            kid.quarantined = false;
            forgive(kid);
            return up(kid);
        case Verb::stop:
            return down(kid, ChildState::stopped);
        case Verb::start:
            return up(kid);
        }
    }

    void up(Kid& kid) {
        if (!kid.wanted) {
            if (kid.rest == ChildState::given_up) forgive(kid);
            kid.out_of_turn = true;
        }
        kid.wanted = true;
        kid.by_command = true;
        kid.not_before.reset();
        kid.rest = ChildState::stopped;
        if (given_up_) given_up_ = ending_ = false;
    }

    static void down(Kid& kid, ChildState rest) {
        kid.wanted = false;
        kid.rest = rest;
        kid.asked = kid.alive();
        kid.by_command = false;
        kid.taken_along = false;
        kid.not_before.reset();
    }

    void take_along(const Kid& kid) {
        if (spec_.strategy == Strategy::one_for_one) return;
        for (Kid& other : kids_) {
            if (other.index == kid.index || other.quarantined) continue;
            if (spec_.strategy == Strategy::rest_for_one && other.index < kid.index) continue;
            if (other.spec.type == RestartType::temporary) {
                if (other.alive() && !other.asked) down(other, ChildState::ended);
                continue;
            }
            if (!other.wanted && other.rest != ChildState::ended) continue;
            other.wanted = true;
            other.taken_along = true;
            other.asked = other.alive();
            along_.push_back(other.spec.id);
        }
    }

    void forgive(Kid& kid) {
        kid.deaths.clear();
        std::erase_if(restarts_, [&](const auto& restart) { return restart.second == kid.index; });
    }

    /// The life is over: what should the core do about it?
    void ended(Kid& kid, Exit told) {
        const bool asked = kid.asked;
        const Exit exit = kid.told_kill ? Exit::abnormal : told; // a kill is never a normal end
        const bool calm = kid.ready() && now_ - kid.ready_at >= kid.spec.backoff.reset_after;
        if (calm && !kid.life_release.empty() && !kid.life_on_trial) kid.last_good = kid.life_release;
        kid.life = Kid::Life::none;
        kid.asked = kid.told_stop = kid.told_kill = kid.operator_kills = kid.stuck = false;
        along_.clear();
        if (!asked) died(kid, exit);
        feed(Ended{kid.spec.id, kid.incarnation, told, "because"});
        expect(!expect_report_ && !expect_roll_back_ && expect_quarantine_.empty() && !expect_escalation_,
               "a death has not led to what it should");
    }

    void died(Kid& kid, Exit exit) {
        kid.by_command = kid.taken_along = false;
        if (kid.spec.type == RestartType::temporary ||
            (kid.spec.type == RestartType::transient && exit == Exit::normal))
            return down(kid, ChildState::ended);
        const bool own = kid.life_release == kid.release;
        if (own) kid.deaths.push_back(now_);
        restarts_.emplace_back(now_, kid.index);
        const auto loops = [&](const std::optional<CrashLoop>& loop) {
            return own && loop && std::ranges::count_if(kid.deaths, [&](TimePoint at) {
                                      return at >= now_ - loop->period;
                                  }) >= loop->deaths;
        };
        const bool over = std::ranges::count_if(restarts_, [&](const auto& restart) {
                              return restart.first >= now_ - spec_.intensity.period;
                          }) > spec_.intensity.restarts_max;
        const bool poison = loops(kid.spec.poison);
        const bool trouble = over || poison || loops(kid.spec.roll_back);
        const bool can_go_back =
            kid.spec.roll_back && own && !kid.last_good.empty() && kid.last_good != kid.release;
        if (trouble && can_go_back) {
            expect_roll_back_ = true;
            kid.release = kid.last_good;
            kid.on_trial = false;
            forgive(kid);
            return restart(kid);
        }
        if (poison || (over && spec_.escalation == Escalation::quarantine)) {
            expect_quarantine_ = kid.spec.id;
            expect_escalation_ = !poison;
            kid.quarantined = true;
            forgive(kid);
            return down(kid, ChildState::stopped);
        }
        if (!over) return restart(kid);
        expect_escalation_ = true;
        ending_ = true;
        how_ = spec_.escalation;
        leave_stuck_ = spec_.escalation == Escalation::exit_process;
        restarts_.clear();
        for (Kid& other : kids_)
            down(other, how_ == Escalation::stop ? ChildState::given_up : ChildState::stopped);
    }

    void restart(Kid& kid) {
        expect_report_ = true;
        ++kid.restarts;
        kid.wanted = true;
        take_along(kid);
    }

    // What the core does about it.

    void feed(const Event& event) {
        const auto actions = core_.step(event, now_, budget_);
        expect(!finished_ || actions.empty(), "something after Finished");
        if (budget_.taken() > paid_) {
            paid_ = budget_.taken();
            payments_.emplace_back(now_, paid_);
        }
        for (const Action& action : actions)
            std::visit([&](const auto& what) { on(what); }, action);
        const bool all_down = std::ranges::none_of(kids_, &Kid::alive);
        if (!std::exchange(given_up_, ending_ && how_ == Escalation::stop && all_down))
            seen.given_up += given_up_;
        check_budget();
        expect(core_.remembered() <= remembered_max_, "it remembers more than it needs");
    }

    Kid& kid_of(const std::string& id) { return kids_[static_cast<std::size_t>(id.at(0) - 'a')]; }

    void begins(Kid& kid, std::uint64_t incarnation, const std::string& release) {
        expect(!kid.alive(), "two lives at once of " + kid.spec.id);
        expect(incarnation == kid.incarnation + 1, "an incarnation is skipped or repeated");
        expect(!kid.quarantined, "a quarantined child is started");
        expect(kid.wanted && !ending_, "a child is started that nobody wants");
        if (kid.spec.type == RestartType::temporary)
            expect(kid.incarnation == 0 || kid.by_command, "a temporary child is restarted");
        expect(!kid.not_before || now_ >= *kid.not_before, "a restart before its time");
        expect(release == kid.release, "the wrong release");
        check_turn(kid);
        if (kid.not_before) ++automatic_starts_;
        kid.not_before.reset();
        kid.incarnation = incarnation;
        kid.life_release = release;
        kid.life_on_trial = kid.on_trial;
        kid.begun = now_;
        kid.taken_along = false;
    }

    void check_turn(const Kid& kid) const {
        for (const Kid& other : kids_) {
            if (spec_.strategy != Strategy::one_for_one) {
                expect(!(other.alive() && other.asked), "a start while one is to be stopped");
                expect(other.index >= kid.index || !other.wanted || other.ready(), "not in order of start");
            } else if (kid.incarnation == 0 && !kid.out_of_turn) {
                expect(other.index >= kid.index || !other.wanted || other.ever_ready || other.out_of_turn,
                       "not in order of the first start");
            }
            if (spec_.strategy == Strategy::one_for_all)
                expect(!other.not_before || now_ >= *other.not_before, "before the delay that all wait for");
        }
    }

    void on(const Recover& a) {
        Kid& kid = kid_of(a.child);
        expect(kid.spec.recovers, "a recovery that nobody wants");
        begins(kid, a.incarnation, a.release);
        kid.life = Kid::Life::recovering;
    }
    void on(const Start& a) {
        Kid& kid = kid_of(a.child);
        if (kid.life == Kid::Life::recovering) {
            expect(a.incarnation == kid.incarnation && a.release == kid.life_release,
                   "it recovered as another");
            expect(!kid.asked && !kid.told_kill, "started though it is to end");
            kid.begun = now_;
        } else {
            expect(!kid.spec.recovers, "started without a recovery");
            begins(kid, a.incarnation, a.release);
        }
        kid.life = Kid::Life::starting;
    }
    void on(const Stop& a) {
        Kid& kid = kid_of(a.child);
        expect(kid.alive() && a.incarnation == kid.incarnation, "Stop of a dead life");
        expect(kid.asked && !kid.told_stop && !kid.told_kill, "Stop without need");
        expect(a.grace == kid.spec.stop_grace && a.grace > 0ms, "another grace");
        kid.told_stop = true;
        kid.stop_told_at = now_;
        check_stop_order(kid);
    }
    void check_stop_order(const Kid& kid) const {
        if (spec_.strategy == Strategy::one_for_one && !ending_) return;
        for (const Kid& other : kids_)
            expect(other.index <= kid.index || !other.alive() || !other.asked ||
                       (other.stuck && leave_stuck_),
                   "not in reverse order of stop");
    }
    void on(const Kill& a) {
        Kid& kid = kid_of(a.child);
        expect(kid.alive() && a.incarnation == kid.incarnation && !kid.told_kill,
               "Kill of a dead life, or twice");
        const bool grace_over = kid.told_stop && now_ >= kid.stop_told_at + kid.spec.stop_grace;
        const bool brutal = kid.asked && kid.spec.stop_grace == 0ms;
        const bool late =
            (kid.life == Kid::Life::starting && now_ >= kid.begun + kid.spec.start_timeout) ||
            (kid.life == Kid::Life::recovering && now_ >= kid.begun + kid.spec.recovery_timeout);
        expect(grace_over || brutal || late || kid.operator_kills, "Kill without need");
        if (brutal && !grace_over && !late && !kid.operator_kills) check_stop_order(kid);
        seen.late += late ? 1 : 0;
        kid.told_kill = true;
        kid.kill_told_at = now_;
    }
    void on(const WakeAt& a) {
        expect(core_.armed() && core_.armed()->generation == a.generation,
               "a timer the core does not wait for");
    }
    void on(const Report& a) {
        Kid& kid = kid_of(a.child);
        expect(std::exchange(expect_report_, false), "a restart out of nothing");
        expect(!expect_roll_back_, "a restart before the rollback");
        expect(kid.spec.type != RestartType::temporary, "a temporary child is restarted");
        expect(a.incarnation == kid.incarnation && a.restarts == kid.restarts,
               "the report is of another life");
        const Backoff& backoff = kid.spec.backoff;
        const Duration max = std::max(backoff.max, backoff.min);
        expect(a.delay >= backoff.min, "restarted too soon");
        expect(a.delay <= max + std::chrono::duration_cast<Duration>(max * backoff.jitter_ratio), "too late");
        expect(a.along == along_, "other siblings are taken along");
        kid.not_before = now_ + a.delay;
        ++reports_;
        ++seen.restarts;
        seen.along += a.along.size();
    }
    void on(const Delayed& a) {
        expect(a.until > now_, "delayed into the past");
        ++seen.delayed;
    }
    void on(const RollBack& a) {
        expect(std::exchange(expect_roll_back_, false), "a rollback out of nothing");
        expect(a.to == kid_of(a.child).release && a.from != a.to, "rolled back to another release");
        ++seen.rolled_back;
    }
    void on(const Quarantined& a) {
        expect(std::exchange(expect_quarantine_, {}) == a.child, "a quarantine out of nothing");
        ++seen.quarantined;
    }
    void on(const Stuck& a) {
        Kid& kid = kid_of(a.child);
        expect(kid.alive() && kid.told_kill && now_ >= kid.kill_told_at + kKillPatience && !kid.stuck,
               "called stuck too early, or twice");
        kid.stuck = true;
        ++seen.stuck;
    }
    void on(const Escalate& a) {
        expect(std::exchange(expect_escalation_, false) && a.how == spec_.escalation,
               "an escalation out of nothing");
        ++seen.escalated;
    }
    void on(const Up&) {
        expect(!std::exchange(up_, true), "up twice");
        if (ending_) return expect(how_ == Escalation::stop, "up while it ends");
        for (const Kid& kid : kids_)
            expect(!kid.wanted || kid.ready() || kid.ever_ready || kid.out_of_turn, "up before its children");
    }
    void on(const Finished& a) {
        expect(ending_ && how_ != Escalation::stop, "finished out of nothing");
        expect((a.exit == Exit::normal) == !how_, "another end than was asked for");
        expect(a.exit_process == (how_ == Escalation::exit_process), "another end than was asked for");
        for (const Kid& kid : kids_)
            expect(!kid.alive() || (kid.stuck && leave_stuck_), "it leaves a child behind");
        finished_ = true;
        ++seen.finished;
    }

    /// In no window more than the bucket holds and gains; and who restarts has paid.
    void check_budget() const {
        if (payments_.empty() || payments_.back().first != now_) return;
        for (const auto& [at, count] : payments_) {
            const std::uint64_t since = payments_.back().second - count + 1;
            expect(since <= burst_ + static_cast<std::uint64_t>((now_ - at) / refill_) + 1,
                   "over the budget");
        }
        expect(paid_ >= automatic_starts_ && paid_ <= reports_, "a restart that was not paid for");
    }

    // The end: nothing is asked for any more, and every child obeys, at the latest when it is killed.

    /// Some lives answer nothing but Kill: the core must not wait for them for ever.
    static bool silent(const Kid& kid) { return (kid.incarnation + kid.index) % 4 == 0; }

    void heal() {
        for (int i = 0; i < 2000 && !finished_; ++i) {
            bool quiet = true;
            for (Kid& kid : kids_) {
                if (!kid.alive() || (silent(kid) && !kid.told_kill)) continue;
                if (kid.told_stop || kid.told_kill) {
                    ended(kid, Exit::normal);
                } else if (kid.life == Kid::Life::recovering) {
                    if (std::exchange(kid.recovered, kid.incarnation) == kid.incarnation) continue;
                    feed(Recovered{kid.spec.id, kid.incarnation});
                } else if (kid.life == Kid::Life::starting) {
                    became_ready(kid);
                } else {
                    continue;
                }
                quiet = false;
            }
            if (quiet && !core_.armed()) break;
            if (!quiet) continue;
            now_ = std::max(now_, core_.armed()->at);
            feed(Wake{core_.armed()->generation});
        }
        if (ending_ && how_ != Escalation::stop) return expect(finished_, "an end that does not come");
        if (ending_) {
            expect(core_.state() == Supervisor::State::given_up, "given up, and does not say so");
        } else {
            expect(core_.state() == Supervisor::State::running, "it runs, and does not say so");
        }
        expect(up_, "never up");
        for (const Kid& kid : kids_)
            check_rest(kid);
    }

    void check_rest(const Kid& kid) const {
        const ChildStatus status = *core_.child(kid.spec.id);
        expect(kid.ready() == kid.wanted, kid.wanted ? "lost: " + kid.spec.id : "lives on: " + kid.spec.id);
        const ChildState expected = kid.wanted        ? ChildState::running
                                    : kid.quarantined ? ChildState::quarantined
                                                      : kid.rest;
        expect(status.state == expected, kid.spec.id + " is called " + std::string(to_string(status.state)));
        expect(status.quarantine.empty() != kid.quarantined, "the quarantine is not shown");
        expect(status.incarnation == kid.incarnation && status.restarts == kid.restarts, "it is shown wrong");
        expect(status.release == kid.release && status.on_trial == kid.on_trial &&
                   status.last_good == kid.last_good,
               "its release is shown wrong");
    }

    Random random_;
    SupervisorSpec spec_;
    std::uint32_t burst_ = 1;
    Duration refill_{};
    RestartBudget budget_;
    Supervisor core_;
    std::vector<Kid> kids_;
    TimePoint now_{1h};

    std::vector<std::pair<TimePoint, std::size_t>> restarts_; ///< All, less those forgiven.
    std::vector<std::pair<TimePoint, std::uint64_t>> payments_;
    std::uint64_t paid_ = 0;
    std::uint64_t automatic_starts_ = 0;
    std::uint64_t reports_ = 0;
    std::vector<std::string> along_;
    std::size_t remembered_max_ = 0;
    bool ending_ = false;
    std::optional<Escalation> how_;
    bool leave_stuck_ = false;
    bool given_up_ = false;
    bool finished_ = false;
    bool up_ = false;
    bool expect_report_ = false;
    bool expect_roll_back_ = false;
    bool expect_escalation_ = false;
    std::string expect_quarantine_;
};

World::Seen World::seen;

} // namespace

TEST_CASE("whatever children, operators and clocks do, the supervisor keeps its rules and loses no child") {
    constexpr int kRuns = 10'000;
    World::seen = {};
    const std::uint64_t seed = dwcp::test::seed();
    for (std::uint64_t run = 0; run < kRuns; ++run) {
        INFO("DWCP_SEED=" << seed << ", run " << run);
        World(seed + run).play(200);
    }
    const World::Seen& seen = World::seen;
    std::ostringstream counts;
    counts << seen.restarts << " restarts, " << seen.along << " taken along, " << seen.rolled_back
           << " rolled back, " << seen.quarantined << " quarantined, " << seen.escalated << " escalated, "
           << seen.given_up << " given up, " << seen.finished << " finished, " << seen.delayed << " delayed, "
           << seen.stuck << " stuck, " << seen.late << " late";
    INFO(counts.str());
    std::cout << counts.str() << "\n";
    for (const std::uint64_t count :
         {seen.restarts, seen.along, seen.rolled_back, seen.quarantined, seen.escalated, seen.given_up,
          seen.finished, seen.delayed, seen.stuck, seen.late})
        CHECK(count >= 200);
}
