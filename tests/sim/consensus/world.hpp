// A simulated world of hosts, links, disks, clocks and clients in one thread, and one run of it. The plan and
// its seed decide everything; the same plan gives the same run, event by event, which the trace hash shows.
//
// Life cycle: made for one plan, run() once.
#pragma once

#include "protocols/base/random.hpp"
#include "tests/sim/consensus/behaviour.hpp"
#include "tests/sim/consensus/clients.hpp"
#include "tests/sim/consensus/host.hpp"
#include "tests/sim/consensus/keys.hpp"
#include "tests/sim/consensus/plan.hpp"
#include "tests/sim/consensus/watch.hpp"
#include "tests/sim/world/event_queue.hpp"
#include "tests/sim/world/links.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace dwcp::sim {

enum class What : std::uint8_t {
    none,
    deliver,
    wake,
    synced,
    loaded,
    snapshot_read,
    link, ///< News of a host's link; number: up or not.
    boot,
    think,       ///< Client `body` wants its next command.
    impatient,   ///< Client `body` waited long enough.
    fault_begin, ///< Fault number `number` of the plan.
    fault_end,
    idle, ///< Byzantine hosts may talk.
    heal,
    look, ///< Whether all is done.
};

struct Happening {
    What what = What::none;
    std::size_t body = 0;
    std::uint32_t life = 0;
    std::uint32_t from = 0;
    std::uint64_t number = 0;
    consensus::MessageRef message{};
};

struct RunReport {
    std::string violation; ///< Empty: every promise was kept.
    std::string note;      ///< What else is worth knowing.
    std::uint64_t trace = 0;
    std::uint64_t events = 0;
    std::uint64_t messages = 0;
    std::uint64_t heights = 0;
    std::uint64_t commands = 0;
    std::uint64_t answered = 0;
    std::uint64_t crashes = 0;
    std::uint64_t views = 0; ///< Highest view of a correct replica.
    std::uint64_t certificates = 0;
    std::uint64_t refused = 0;
    std::uint64_t convicted = 0;
    std::uint64_t epochs = 0;
    Moment healed_in = 0; ///< From healing until all was out.
};

class World {
  public:
    /// A line for each event, for --trace; empty: none.
    using Tracer = std::function<void(Moment at, const std::string& line)>;

    World(Plan plan, Keys& keys, Tracer tracer = {});
    ~World();

    RunReport run();
    /// From a signal handler's flag: ends the run at the next event.
    void interrupt_on(const std::function<bool()>* asked) { interrupted_ = asked; }

    // For hosts, clients and behaviours.
    const Plan& plan() const { return plan_; }
    Moment now() const { return now_; }
    Random& random() { return random_; }
    Watch& watch() { return watch_; }
    consensus::Checker& checker() { return keys_.checker(); }
    const consensus::Domain& domain() const { return domain_; }
    void schedule(Moment at, Happening happening) { queue_.push(at, std::move(happening)); }

    consensus::ReplicaName name_of(std::size_t id) const;
    std::size_t id_of(const consensus::ReplicaName& name) const;
    const consensus::Signer& signer_of(Host& host);
    consensus::ReplicaOptions options_for(const consensus::ReplicaName& name);
    const consensus::Committee& newest_committee() const { return watch_.committees().rbegin()->second; }

    void transmit(Host& from, std::size_t to, const consensus::MessageRef& message, Moment delay = 0);
    void transmit_bytes(Host& from, std::size_t to, const Bytes& bytes);
    void tell_links(Host& host, bool up);
    void refused(const Host& host, std::size_t from, const consensus::Message& message, const Error& why);
    void decided(const Host& host, const consensus::Commit& commit);
    void answered(const Host& host, const consensus::Answer& answer);
    void count_crash() { ++report_.crashes; }
    void trace(const std::function<std::string()>& line);
    bool traced() const { return static_cast<bool>(tracer_); }

    std::size_t hosts() const { return plan_.hosts; }
    /// A host that is up, for a client; nullptr: none.
    Host* some_host(Random& random);
    Host& host(std::size_t body) { return *hosts_[body]; }

  private:
    const PublicKey& key_of(std::size_t id, const consensus::Committee& committee) const;
    void begin();
    void handle(Happening happening);
    void deliver(Happening& happening);
    void begin_fault(const Fault& fault);
    void end_fault(const Fault& fault);
    void apply_links(const Fault& fault, bool on);
    void break_disk(const Fault& fault);
    void propose_committee(const Fault& fault);
    void make_byzantine(const Fault& fault);
    void heal();
    void look();
    bool all_out();
    std::string why_not_out();
    void check_bounds();
    std::uint64_t highest_view() const;
    bool sides_allow(const Host& from, const Host& to) const;
    void mix(std::uint64_t value);

    Plan plan_;
    Keys& keys_;
    Tracer tracer_;
    const std::function<bool()>* interrupted_ = nullptr;
    Random random_;
    EventQueue<Happening> queue_;
    Moment now_ = 0;
    Links links_;
    consensus::Domain domain_;
    consensus::Committee genesis_;
    std::unordered_map<consensus::ReplicaName, std::size_t> ids_;
    std::vector<PublicKey> first_keys_;
    Watch watch_;
    std::vector<std::unique_ptr<Host>> hosts_;
    std::vector<std::vector<std::size_t>> bodies_of_; ///< By identity.
    std::shared_ptr<Plot> plot_;
    HostSet sides_ = ~HostSet{0};
    Clients clients_;
    std::map<std::size_t, HostDisk> old_disks_; ///< By the fault's number.
    Moment healed_at_ = -1;
    std::uint64_t views_at_heal_ = 0;
    bool over_ = false;
    RunReport report_;
};

RunReport run_plan(const Plan& plan, bool real_crypto = false, World::Tracer tracer = {});

} // namespace dwcp::sim
