#include "tests/sim/lane/run.hpp"

#include "protocols/crypto/hash.hpp"

#include <algorithm>
#include <map>

namespace dwcp::sim {
namespace {

using consensus::Command;
using consensus::LogIndex;

/// Submits one command after the other until each is answered; asks again, of any member, when it is not.
struct Client {
    std::string name;
    std::uint64_t sequence = 0;
    std::uint64_t attempt = 0; ///< Tells answers to earlier attempts apart.
    Command command;
    bool waiting = false;
};

class Run {
  public:
    Run(const RunOptions& options, const MemberFactory& factory);
    RunReport run();

  private:
    bool holds() const { return witness_.violation().empty(); }
    void run_until(TimePoint end, const std::function<bool()>& finished);
    bool all_done() const;
    void heal();

    void next_command(std::size_t client);
    void submit(std::size_t client);
    void answered(std::size_t client, std::uint64_t attempt, LogIndex index);

    void inject_fault();
    void crash(Member& member);
    void boot(Member& member);
    void tell_others(const Member& about, bool up);
    void change_network();
    void partition();
    void note(const std::string& what);

    const RunOptions options_;
    Random random_;
    Clock clock_;
    Network network_{clock_, random_};
    Witness witness_;
    std::vector<NodeName> names_;
    std::vector<std::unique_ptr<Disk>> disks_;
    std::vector<std::unique_ptr<Member>> members_;
    std::vector<Client> clients_;
    std::vector<Command> finished_;
    bool faulty_ = true;
    std::uint64_t crashes_ = 0;
    crypto::Sha256 trace_;
};

Run::Run(const RunOptions& options, const MemberFactory& factory) : options_(options), random_(options.seed) {
    for (std::size_t i = 0; i < options_.members; ++i)
        names_.push_back("n" + std::to_string(i));
    std::vector<Member*> watched;
    for (const auto& name : names_) {
        disks_.push_back(std::make_unique<Disk>(clock_, random_));
        Observer observer{[this](const NodeName& member, const consensus::Entry& entry) {
            note(member + " applied " + std::to_string(entry.index));
            witness_.applied(member, entry);
        }};
        members_.push_back(factory({clock_, network_, *disks_.back()}, std::move(observer), name, names_));
        watched.push_back(members_.back().get());
    }
    witness_.watch(watched);
    for (const auto& member : members_)
        boot(*member);
    clients_.resize(options_.clients);
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        clients_[i].name = "c" + std::to_string(i);
        next_command(i);
    }
    inject_fault();
}

RunReport Run::run() {
    run_until(clock_.now() + options_.faults_for, [] { return false; });
    heal();
    run_until(clock_.now() + options_.heal_for, [this] { return all_done(); });
    if (holds() && all_done()) witness_.finished();
    RunReport report{
        witness_.violation(), finished_.size(), witness_.entries(), crashes_, network_.sent(), {}};
    if (report.violation.empty() && !all_done())
        report.violation = "did not finish after everything was healed";
    report.trace = trace_.finish();
    return report;
}

void Run::run_until(TimePoint end, const std::function<bool()>& finished) {
    while (holds() && clock_.now() < end && !finished()) {
        clock_.run_next();
        witness_.stepped();
    }
}

bool Run::all_done() const {
    const bool answered = std::ranges::none_of(clients_, [](const Client& client) { return client.waiting; });
    return answered && std::ranges::all_of(members_, [this](const auto& member) {
               return member->is_up() && member->applied_upto() == witness_.entries();
           });
}

void Run::heal() {
    faulty_ = false;
    network_.set({});
    network_.mend_all();
    for (const auto& member : members_) {
        if (!member->is_up()) boot(*member);
    }
}

void Run::next_command(std::size_t index) {
    Client& client = clients_[index];
    ++client.attempt;
    client.waiting = faulty_;
    if (!faulty_) return;
    client.command.id = client.name + "-" + std::to_string(++client.sequence);
    const bool large = random_.below(20) == 0;
    client.command.payload.assign(1 + random_.below(large ? consensus::kCommandBytes : 300),
                                  static_cast<Byte>(random_.next()));
    // Now and then somebody asks for what was done long ago.
    if (!finished_.empty() && random_.below(8) == 0)
        client.command = finished_[random_.below(finished_.size())];
    witness_.submitted(client.command);
    submit(index);
}

void Run::submit(std::size_t index) {
    Client& client = clients_[index];
    const auto attempt = ++client.attempt;
    const Duration patience = milliseconds(100 + random_.below(1500));
    Member& member = *members_[random_.below(members_.size())];
    // Asks elsewhere if this member dies or stays silent; then the same id is under way twice.
    clock_.after(patience + milliseconds(random_.below(400)), [this, index, attempt] {
        if (clients_[index].attempt == attempt) submit(index);
    });
    if (!member.is_up()) return;
    member.submit(client.command, clock_.now() + patience,
                  [this, index, attempt, id = client.command.id](std::optional<LogIndex> at) {
                      if (!at) return;
                      witness_.answered(id, *at); // Even if the client no longer waits for it.
                      answered(index, attempt, *at);
                  });
}

void Run::answered(std::size_t index, std::uint64_t attempt, LogIndex at) {
    Client& client = clients_[index];
    if (client.attempt != attempt) return;
    note(client.name + " answered " + std::to_string(at));
    finished_.push_back(client.command);
    ++client.attempt; // Ends the watch for silence.
    clock_.after(std::chrono::microseconds(random_.below(20'000)), [this, index] { next_command(index); });
}

void Run::inject_fault() {
    const auto spread = static_cast<std::uint64_t>(options_.fault_every.count()) * 2;
    clock_.after(Duration(random_.below(spread)), [this] {
        if (!faulty_) return;
        switch (random_.below(4)) {
        case 0:
        case 1:
            if (options_.crashes) crash(*members_[random_.below(members_.size())]);
            break;
        case 2:
            if (options_.partitions) partition();
            break;
        default:
            if (options_.bad_network) change_network();
        }
        inject_fault();
    });
}

void Run::crash(Member& member) {
    if (!member.is_up()) return;
    ++crashes_;
    note(member.name() + " crashed");
    member.crash();
    tell_others(member, false);
    // From a quick restart of the process to an outage.
    const Duration down = milliseconds(random_.below(2) == 0 ? random_.below(50) : random_.below(2000));
    clock_.after(down, [this, &member] {
        if (!member.is_up()) boot(member);
    });
}

void Run::boot(Member& member) {
    witness_.booted(member);
    member.boot();
    tell_others(member, true);
}

void Run::tell_others(const Member& about, bool up) {
    for (const auto& member : members_) {
        if (member.get() == &about || random_.below(3) == 0) continue;
        clock_.after(milliseconds(random_.below(20)), [&other = *member, name = about.name(), up] {
            if (other.is_up()) other.peer_changed(name, up);
        });
    }
}

void Run::change_network() {
    NetworkConditions conditions;
    conditions.latency_max = milliseconds(1 + random_.below(random_.below(4) == 0 ? 500 : 20));
    conditions.loss = random_.unit() * 0.3;
    conditions.duplication = random_.unit() * 0.3;
    network_.set(conditions);
}

/// Each direction between two members by itself, so also one-way.
void Run::partition() {
    network_.mend_all();
    for (const auto& from : names_) {
        for (const auto& to : names_) {
            if (random_.below(3) == 0) network_.cut(from, to);
        }
    }
    clock_.after(milliseconds(random_.below(800)), [this] { network_.mend_all(); });
}

void Run::note(const std::string& what) {
    trace_.update(as_bytes(std::to_string(clock_.now().time_since_epoch().count()) + " " + what + "\n"));
}

} // namespace

RunReport run_lane(const RunOptions& options, const MemberFactory& factory) {
    return Run(options, factory).run();
}

} // namespace dwcp::sim
