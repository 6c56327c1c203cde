#include "tests/sim/consensus/scenario.hpp"

#include "protocols/base/random.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace dwcp::sim {
namespace {

using consensus::EngineKind;

std::size_t f_of(const Plan& plan) { return (plan.members - 1) / 3; }

/// A member that first meets the others after something was decided cannot be told from one that lost its
/// memory, so it keeps silent for long. Faults begin when all have met.
constexpr Moment kMetBy = 150 * kMillisecond;

/// A moment while faults go on, not at their very end.
Moment some_time(const Plan& plan, Random& random) {
    return kMetBy + static_cast<Moment>(random.below(static_cast<std::uint64_t>(plan.faults_for * 4 / 5)));
}
Moment up_to(Random& random, Moment least, Moment most) {
    return least + static_cast<Moment>(random.below(static_cast<std::uint64_t>(most - least + 1)));
}
std::uint16_t some_host(const Plan& plan, Random& random) {
    return static_cast<std::uint16_t>(random.below(plan.hosts));
}

/// `count` different members.
std::vector<std::uint16_t> some_members(const Plan& plan, Random& random, std::size_t count) {
    std::vector<std::uint16_t> members(plan.members);
    std::iota(members.begin(), members.end(), std::uint16_t{0});
    for (std::size_t i = 0; i < count; ++i)
        std::swap(members[i], members[i + random.below(members.size() - i)]);
    members.resize(count);
    return members;
}

/// Between one and f; they are the run's whole budget of hosts that break their word or fall silent.
std::vector<std::uint16_t> some_faulty(const Plan& plan, Random& random) {
    const auto f = f_of(plan);
    return f == 0 ? std::vector<std::uint16_t>{} : some_members(plan, random, 1 + random.below(f));
}

void add(Plan& plan, Fault fault) {
    fault.until = std::min(fault.until, plan.faults_for - 1);
    if (fault.until >= fault.at) plan.faults.push_back(fault);
}

Fault lasting(Plan& plan, Random& random, FaultKind kind, Moment least, Moment most) {
    Fault fault;
    fault.kind = kind;
    fault.at = some_time(plan, random);
    fault.until = fault.at + up_to(random, least, most);
    return fault;
}

void byzantine(Plan& plan, std::uint16_t host, Acts acts) {
    plan.faults.push_back(
        {.kind = FaultKind::behave, .host = host, .amount = static_cast<std::int64_t>(acts)});
}
/// The first leader and perhaps others of the budget.
void byzantine_leaders(Plan& plan, Random& random, Acts acts) {
    const auto f = f_of(plan);
    if (f == 0) return;
    const auto count = 1 + random.below(f);
    const auto first = random.below(2) == 0 ? 0 : random.below(plan.members);
    for (std::size_t i = 0; i < count; ++i)
        byzantine(plan, static_cast<std::uint16_t>((first + i) % plan.members), acts);
}

// What goes wrong besides, so that the ways of failing meet.

void some_crashes(Plan& plan, Random& random, std::size_t most) {
    for (auto count = random.below(most + 1); count > 0; --count) {
        auto fault = lasting(plan, random, FaultKind::crash, 20 * kMillisecond, 600 * kMillisecond);
        fault.host = some_host(plan, random);
        add(plan, fault);
    }
}
void some_deaths_at_writes(Plan& plan, Random& random, std::size_t most) {
    for (auto count = random.below(most + 1); count > 0; --count) {
        auto fault = lasting(plan, random, FaultKind::crash_at_write, 10 * kMillisecond, 300 * kMillisecond);
        fault.host = some_host(plan, random);
        fault.amount = static_cast<std::int64_t>(1 + random.below(40));
        fault.extra = static_cast<std::uint32_t>(random.below(3));
        add(plan, fault);
    }
}
void some_splits(Plan& plan, Random& random, std::size_t most) {
    for (auto count = random.below(most + 1); count > 0; --count) {
        auto fault = lasting(plan, random, FaultKind::split, 100 * kMillisecond, 900 * kMillisecond);
        fault.set = random.next();
        add(plan, fault);
    }
}
void some_cuts(Plan& plan, Random& random, std::size_t most) {
    for (auto count = random.below(most + 1); count > 0; --count) {
        auto fault = lasting(plan, random, FaultKind::cut, 50 * kMillisecond, 700 * kMillisecond);
        fault.set = random.next() & random.next();
        fault.other = random.next() | random.next();
        add(plan, fault);
    }
}
void lossy_times(Plan& plan, Random& random, std::size_t most) {
    for (auto count = random.below(most + 1); count > 0; --count) {
        auto fault = lasting(plan, random, FaultKind::lossy, 100 * kMillisecond, 800 * kMillisecond);
        fault.amount = static_cast<std::int64_t>(20 + random.below(280));
        add(plan, fault);
    }
}

// The scenarios.

void calm(Plan& plan, Random&) { plan.links = LinkConditions{}; }

void lossy(Plan& plan, Random& random) {
    plan.links.loss_permille = static_cast<std::uint32_t>(10 + random.below(150));
    plan.links.twice_permille = static_cast<std::uint32_t>(random.below(150));
    plan.links.stray_permille = static_cast<std::uint32_t>(random.below(30));
}

void crash(Plan& plan, Random& random) {
    some_crashes(plan, random, 8);
    some_deaths_at_writes(plan, random, 4);
}

void crash_disk(Plan& plan, Random& random) {
    some_deaths_at_writes(plan, random, 12);
    some_crashes(plan, random, 2);
    for (const auto host : some_faulty(plan, random)) {
        constexpr FaultKind kKinds[] = {FaultKind::flipped_bit, FaultKind::flipped_bit, FaultKind::old_disk};
        auto fault = lasting(plan, random, kKinds[random.below(3)], 30 * kMillisecond, 500 * kMillisecond);
        fault.host = host;
        add(plan, fault);
    }
    for (auto count = random.below(3); count > 0; --count) {
        auto fault = lasting(plan, random, random.below(2) == 0 ? FaultKind::full_disk : FaultKind::slow_disk,
                             50 * kMillisecond, 500 * kMillisecond);
        fault.host = some_host(plan, random);
        fault.amount = static_cast<std::int64_t>(2 + random.below(50));
        add(plan, fault);
    }
}

void partition(Plan& plan, Random& random) {
    some_splits(plan, random, 5);
    some_crashes(plan, random, 1);
}

void asymmetric(Plan& plan, Random& random) {
    some_cuts(plan, random, 8);
    some_splits(plan, random, 1);
}

void flapping(Plan& plan, Random& random) {
    const HostSet set = random.next();
    const Moment beat = up_to(random, 5 * kMillisecond, 250 * kMillisecond);
    for (Moment at = kMetBy + up_to(random, 0, 300 * kMillisecond); at < plan.faults_for; at += 2 * beat)
        add(plan, {.kind = FaultKind::split, .at = at, .until = at + beat, .set = set});
}

void slow(Plan& plan, Random& random) {
    for (const auto host : some_members(plan, random, 1 + random.below(plan.members / 2 + 1))) {
        auto fault = lasting(plan, random, FaultKind::slow_host, 200 * kMillisecond, 2 * kSecond);
        fault.host = host;
        fault.amount = static_cast<std::int64_t>(10 + random.below(90));
        add(plan, fault);
        fault.kind = FaultKind::slow_disk;
        if (random.below(2) == 0) add(plan, fault);
    }
}

void skew(Plan& plan, Random& random) {
    plan.skew_max = up_to(random, kSecond, 30 * kSecond);
    plan.drift_ppm_max = static_cast<std::int64_t>(random.below(100'000)); // up to ten percent
    for (auto count = random.below(5); count > 0; --count) {
        Fault fault{.kind = FaultKind::clock_jump, .at = some_time(plan, random)};
        fault.host = some_host(plan, random);
        fault.amount = static_cast<std::int64_t>(random.below(40'000)) - 20'000;
        add(plan, {fault.kind, fault.at, fault.at, fault.host, 0, 0, fault.amount, 0});
    }
    lossy_times(plan, random, 1);
}

void equivocating_leader(Plan& plan, Random& random) {
    byzantine_leaders(plan, random, Acts::equivocating);
    some_splits(plan, random, 1);
}

void silent_leader(Plan& plan, Random& random) {
    byzantine_leaders(plan, random, random.below(2) == 0 ? Acts::silent_leader : Acts::silent);
}

void consecutive_silent(Plan& plan, Random& random) {
    const auto first = random.below(2) == 0 ? 0 : random.below(plan.members);
    for (std::size_t i = 0; i < f_of(plan); ++i)
        byzantine(plan, static_cast<std::uint16_t>((first + i) % plan.members), Acts::silent);
}

void selective_leader(Plan& plan, Random& random) { byzantine_leaders(plan, random, Acts::selective_leader); }

void delayed_votes(Plan& plan, Random& random) {
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, Acts::late_votes);
    // The links as well: votes that come about when timers end.
    for (auto count = random.below(3); count > 0; --count) {
        auto fault = lasting(plan, random, FaultKind::slow_host, 200 * kMillisecond, kSecond);
        fault.host = some_host(plan, random);
        fault.amount = std::max<std::int64_t>(plan.view_timeout / plan.links.delay_max, 2);
        add(plan, fault);
    }
    plan.drift_ppm_max = 50'000;
}

void replay(Plan& plan, Random& random) {
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, Acts::replays);
    plan.links.stray_permille = static_cast<std::uint32_t>(20 + random.below(80));
    plan.links.twice_permille = static_cast<std::uint32_t>(50 + random.below(300));
    some_splits(plan, random, 1);
}

void forged_vrf(Plan& plan, Random& random) {
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, Acts::forges_draws);
}

void garbage(Plan& plan, Random& random) {
    plan.signed_transactions = true; // or a flipped bit makes a command that nobody submitted
    plan.encoded_one_in = 1;
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, Acts::garbles);
}

void wire(Plan& plan, Random& random) {
    plan.encoded_one_in = 1;
    some_crashes(plan, random, 2);
    some_splits(plan, random, 1);
}

void amnesia(Plan& plan, Random& random) {
    for (const auto host : some_faulty(plan, random)) {
        for (auto times = 1 + random.below(2); times > 0; --times) {
            auto fault = lasting(plan, random, FaultKind::empty_disk, 10 * kMillisecond, 400 * kMillisecond);
            fault.host = host;
            add(plan, fault);
        }
    }
    some_splits(plan, random, 1);
    some_deaths_at_writes(plan, random, 2);
}

void view_change_lies(Plan& plan, Random& random) {
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, Acts::lies_in_changes);
    some_splits(plan, random, 2);
    lossy_times(plan, random, 1);
}

void flood(Plan& plan, Random& random) {
    plan.signed_transactions = true;
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, Acts::floods);
}

/// Sizes of committees, one after the other; the world has hosts for the largest.
void change_committees(Plan& plan, Random& random, std::span<const std::size_t> sizes) {
    plan.members = sizes.front();
    plan.hosts = *std::ranges::max_element(sizes);
    const auto steps = static_cast<Moment>(sizes.size());
    for (std::size_t i = 1; i < sizes.size(); ++i) {
        HostSet set = 0;
        std::size_t left = sizes[i];
        // Not always the first: those who stay, who go and who come differ.
        for (std::size_t host = random.below(plan.hosts); left > 0; host = (host + 1) % plan.hosts, --left)
            set |= HostSet{1} << host;
        const Moment at =
            plan.faults_for * static_cast<Moment>(i) / steps - up_to(random, 0, 200 * kMillisecond);
        Fault fault{.kind = FaultKind::reconfigure, .at = at};
        fault.set = set;
        fault.until = at;
        if (random.below(3) == 0) {
            do
                fault.host = some_host(plan, random);
            while (!in_set(set, fault.host));
            fault.extra = static_cast<std::uint32_t>(i);
        }
        plan.faults.push_back(fault);
    }
}

void reconfigure(Plan& plan, Random& random) {
    constexpr std::size_t kGrow[] = {3, 7}, kShrink[] = {7, 4}, kBoth[] = {3, 7, 4}, kReplace[] = {4, 4, 4};
    const std::span<const std::size_t> kWays[] = {kGrow, kShrink, kBoth, kReplace};
    change_committees(plan, random, kWays[random.below(4)]);
    some_crashes(plan, random, 2);
    some_deaths_at_writes(plan, random, 2);
    some_splits(plan, random, 1);
}

void remove_equivocator(Plan& plan, Random& random) {
    plan.members = plan.hosts = std::max<std::size_t>(plan.members, 4);
    byzantine(plan, static_cast<std::uint16_t>(random.below(2)), Acts::equivocating);
    Fault fault{.kind = FaultKind::reconfigure};
    fault.at = fault.until = plan.faults_for / 2 + up_to(random, 0, 300 * kMillisecond);
    fault.set = ~HostSet{0}; // all but those that were convicted
    plan.faults.push_back(fault);
}

void over_threshold(Plan& plan, Random& random) {
    plan.over_threshold = true;
    plan.heals = false;
    const auto count = f_of(plan) + 1;
    const auto first = random.below(plan.members);
    for (std::size_t i = 0; i < count; ++i)
        byzantine(plan, static_cast<std::uint16_t>((first + i) % plan.members), Acts::equivocating);
}

void order_fuzz(Plan& plan, Random& random) {
    plan.links.in_order = false;
    plan.links.delay_min = 1 * kMicrosecond;
    plan.links.delay_max = up_to(random, 20 * kMillisecond, plan.view_timeout / 3);
    plan.links.spread = Spread::even;
    plan.links.twice_permille = 500;
    plan.links.stray_permille = static_cast<std::uint32_t>(random.below(50));
    lossy_times(plan, random, 1);
}

void catch_up(Plan& plan, Random& random) {
    plan.checkpoint_interval = 4 + random.below(8);
    plan.think_max = 10 * kMillisecond;
    const auto f = f_of(plan);
    for (const auto host : some_members(plan, random, std::max<std::size_t>(f, 1))) {
        const Moment at = kMetBy + up_to(random, 0, 300 * kMillisecond);
        const auto kind = random.below(2) == 0 ? FaultKind::crash : FaultKind::split;
        Fault fault{.kind = kind, .at = at};
        fault.until = plan.faults_for - up_to(random, 0, plan.faults_for / 2);
        fault.host = host;
        fault.set = HostSet{1} << host;
        add(plan, fault);
    }
    some_deaths_at_writes(plan, random, 2);
}

void twins(Plan& plan, Random& random) {
    for (const auto host : some_faulty(plan, random))
        plan.faults.push_back({.kind = FaultKind::twin, .host = host});
    // Another partition every few views, as in Twins; and sides with nobody between them now and then.
    for (Moment at = kMetBy; at < plan.faults_for;
         at += up_to(random, plan.view_timeout / 2, 3 * plan.view_timeout)) {
        const HostSet side = random.next();
        plan.faults.push_back({.kind = FaultKind::sides, .at = at, .until = at, .set = side});
        if (random.below(2) == 0)
            add(plan, {.kind = FaultKind::split, .at = at, .until = at + plan.view_timeout, .set = side});
    }
}

void mixed(Plan& plan, Random& random) {
    plan.signed_transactions = true; // some send garbage
    constexpr Acts kActs[] = {Acts::silent_leader, Acts::selective_leader, Acts::equivocating,
                              Acts::late_votes,    Acts::replays,          Acts::lies_in_changes,
                              Acts::garbles};
    for (const auto host : some_faulty(plan, random))
        byzantine(plan, host, kActs[random.below(std::size(kActs))]);
    some_crashes(plan, random, 2);
    some_deaths_at_writes(plan, random, 2);
    some_splits(plan, random, 2);
    some_cuts(plan, random, 2);
    lossy_times(plan, random, 2);
}

constexpr Scenario kScenarios[] = {
    {"calm", "Nothing goes wrong.", "", true, true, calm},
    {"lossy", "Messages are lost, doubled, late, and overtake each other.", "19", true, true, lossy},
    {"crash", "Hosts die at any moment and come back from their disks.", "8", true, true, crash},
    {"crash-disk",
     "Hosts die at every kind of write; disks are torn, full, slow, damaged, or restored from a copy.",
     "8, 10", true, true, crash_disk},
    {"partition", "The hosts fall apart into two parts and come together again.", "4", true, true, partition},
    {"asymmetric", "Links fail in one direction.", "4", true, true, asymmetric},
    {"flapping", "A partition comes and goes, faster and slower than the view timer.", "4", true, true,
     flapping},
    {"slow", "Up to half of the hosts, their links and disks, are 10 to 100 times slower.", "10", true, true,
     slow},
    {"skew", "Clocks are off, run at other speeds, and jump.", "3", true, true, skew},
    {"equivocating-leader",
     "Up to f leaders propose two values to two halves, and all of them vote for both.", "1", true, true,
     equivocating_leader},
    {"silent-leader", "Up to f leaders say nothing.", "2", true, true, silent_leader},
    {"consecutive-silent", "f consecutive leaders say nothing.", "2", true, true, consecutive_silent},
    {"selective-leader", "Leaders propose to exactly q - 1 replicas.", "2", true, true, selective_leader},
    {"delayed-votes", "Votes come just before or after the others' timers.", "3", true, true, delayed_votes},
    {"replay", "Messages of other views, slots, epochs, kinds, engines and lanes come again.", "5", true,
     true, replay},
    {"forged-vrf", "Votes carry VRF proofs of other keys, slots and phases, or with bits flipped.", "6",
     false, true, forged_vrf},
    {"garbage", "Peers send corrupted, truncated, over-long and random bytes.", "7", true, true, garbage},
    {"wire", "Every message goes through its encoding.", "7", true, true, wire},
    {"amnesia", "Up to f replicas come back with empty disks.", "9", true, true, amnesia},
    {"view-change-lies",
     "View changes leave out, make up and outdate what was prepared; new views propose at will.", "16", true,
     true, view_change_lies},
    {"flood", "Members send far views and slots, spam and fetches as fast as they can.", "12", true, true,
     flood},
    {"reconfigure", "The committee grows, shrinks and changes keys while commands flow.", "17", true, true,
     reconfigure},
    {"remove-equivocator", "A replica that was convicted of signing two values is voted out.", "1, 17", true,
     true, remove_equivocator},
    {"over-threshold", "f + 1 replicas equivocate: what is lost is seen and told, and is no violation.", "18",
     true, true, over_threshold},
    {"order-fuzz", "Messages arrive in any order, half of them twice.", "19", true, true, order_fuzz},
    {"catch-up", "Replicas are away for so long that what they missed is collected.", "14, 15", true, true,
     catch_up},
    {"twins", "Up to f replicas are there twice, each twin heard by a part (Bano and others, OPODIS 2021).",
     "1, 9", true, true, twins},
    {"mixed", "Byzantine hosts, crashes, partitions and loss at once.", "1-5, 7, 8, 16", true, true, mixed},
};

constexpr NotApplicable kNotApplicable[] = {
    {"11: whitewashing, on-off attacks, cliques, bad-mouthing",
     "is about trust scores, which T-PBFT alone has"},
    {"13: batches withheld after they were acknowledged",
     "is about Bullshark's workers; PBFT and ProBFT propose with the content"},
    {"14: lagging by just the depth of the DAG's garbage collection",
     "is about Bullshark's rounds; its counterpart here, checkpoints, is catch-up"},
    {"15: many leaders committed at once", "is about Bullshark's output units; blocks here are one a height"},
    {"20: seeded bugs", "are no scenario but tests: consensus_seeded_bugs_test"},
};

} // namespace

bool Scenario::applies_to(EngineKind engine) const { return engine == EngineKind::probft ? probft : pbft; }

std::span<const Scenario> scenarios() { return kScenarios; }
std::span<const NotApplicable> not_applicable() { return kNotApplicable; }

const Scenario* find_scenario(std::string_view name) {
    const auto* found = std::ranges::find(kScenarios, name, &Scenario::name);
    return found == std::end(kScenarios) ? nullptr : found;
}

Plan plan_for(const Scenario& scenario, EngineKind engine, std::size_t n, std::uint64_t seed, Mode mode) {
    Random random(seed * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(engine));
    Plan plan;
    plan.seed = seed;
    plan.engine = engine;
    plan.members = plan.hosts = n != 0 ? n : (random.below(3) == 0 ? 7 : 4);
    plan.links.delay_min = up_to(random, 50 * kMicrosecond, 2 * kMillisecond);
    plan.links.delay_max = plan.links.delay_min + up_to(random, 100 * kMicrosecond, 8 * kMillisecond);
    plan.links.spread = static_cast<Spread>(random.below(3));
    plan.links.in_order = random.below(2) == 0;
    plan.skew_max = up_to(random, 0, 500 * kMillisecond);
    plan.drift_ppm_max = static_cast<std::int64_t>(random.below(500));
    plan.view_timeout = up_to(random, 100 * kMillisecond, 300 * kMillisecond);
    plan.pipeline = 1 + random.below(16);
    plan.checkpoint_interval = 4 + random.below(28);
    plan.clients = 1 + random.below(4);
    plan.think_max = up_to(random, 5 * kMillisecond, 80 * kMillisecond);
    plan.faults_for = up_to(random, kSecond, 3 * kSecond);
    if (mode == Mode::liveness) plan.faults_for /= 2;
    plan.heals = mode != Mode::safety;
    scenario.lay(plan, random);
    return plan;
}

} // namespace dwcp::sim
