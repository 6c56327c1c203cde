#include "tests/sim/consensus/world.hpp"

#include "protocols/wire/consensus.hpp"
#include "tests/sim/consensus/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace dwcp::sim {
namespace {

using namespace dwcp::consensus;

/// Between two looks at whether all is out, and two chances of Byzantine hosts to talk.
constexpr Moment kLookEvery = 20 * kMillisecond;
constexpr Moment kIdleEvery = 7 * kMillisecond;
/// Clients go on for so long after healing, so that progress with new commands is seen as well.
constexpr Moment kGoOnFor = 300 * kMillisecond;
/// Bounds are looked at every so many events; each look costs as much as a few events.
constexpr std::uint64_t kBoundsEvery = 512;
/// Records that a replica may have on disk: a window of slots with a few each, twice (two epochs).
constexpr std::size_t kRecordsMax = 16 * kWindow;
constexpr std::size_t kRecordBytesMax = 64U << 20;
/// Messages that wait for one write. A write takes milliseconds, in which a replica answers its peers.
constexpr std::size_t kHeldMax = 65'536;

Domain domain_of(const Committee& genesis) {
    return {.cluster = "sim", .lane = "test", .genesis = genesis.digest()};
}

} // namespace

World::World(Plan plan, Keys& keys, Tracer tracer)
    : plan_(std::move(plan)), keys_(keys), tracer_(std::move(tracer)), random_(plan_.seed * 4 + 1),
      links_(plan_.hosts, plan_.seed * 4 + 2), genesis_([&] {
          Committee committee;
          committee.engine = plan_.engine;
          committee.samples = plan_.samples;
          for (std::size_t i = 0; i < plan_.members; ++i)
              committee.members.push_back({name_of(i), keys_.make(name_of(i))});
          return committee;
      }()),
      watch_(plan_, domain_of(genesis_), genesis_, keys_.checker()), plot_(std::make_shared<Plot>()),
      clients_(*this, plan_.seed * 4 + 3) {
    domain_ = domain_of(genesis_);
    links_.conditions() = plan_.links;
    for (std::size_t i = 0; i < plan_.hosts; ++i) {
        ids_.emplace(name_of(i), i);
        first_keys_.push_back(keys_.make(name_of(i)));
    }
}
World::~World() = default;

ReplicaName World::name_of(std::size_t id) const { return "r" + std::to_string(id) + "/1"; }
std::size_t World::id_of(const ReplicaName& name) const { return ids_.at(name); }

const PublicKey& World::key_of(std::size_t id, const Committee& committee) const {
    const auto member = committee.find(name_of(id));
    return member ? committee.member(*member).key : first_keys_[id];
}

/// An operator gives a replica the key that the committee on its disk knows.
const Signer& World::signer_of(Host& host) {
    return keys_.signer(key_of(host.id(), host.disk().committee().value_or(genesis_)));
}

ReplicaOptions World::options_for(const ReplicaName& name) {
    ReplicaOptions options;
    options.domain = domain_;
    options.self = name;
    options.genesis = genesis_;
    options.signed_transactions = plan_.signed_transactions;
    options.pipeline = plan_.pipeline;
    options.view_timeout = Duration(plan_.view_timeout);
    options.view_timeout_max = Duration(plan_.view_timeout_max);
    options.hello = milliseconds(100);
    options.block_commands = 64;
    options.checkpoint_interval = plan_.checkpoint_interval;
    options.checker = &keys_.checker();
    if (plan_.probft_faults != 0)
        options.factory = [faults = plan_.probft_faults](EngineOptions engine, const EngineMemory& memory) {
            engine.probft_faults = faults;
            engine.probft_bound_max = 1; // undetected lies cost safety, as is known
            return make_engine(std::move(engine), memory);
        };
    options.key_of_node = [this](const NodeName& node) -> std::optional<PublicKey> {
        const auto found = ids_.find(node + "/1");
        if (found == ids_.end()) return std::nullopt;
        return first_keys_[found->second];
    };
    return options;
}

void World::trace(const std::function<std::string()>& line) {
    if (tracer_) tracer_(now_, line());
}

void World::mix(std::uint64_t value) {
    report_.trace = (std::rotl(report_.trace, 5) ^ value) * 0x9e3779b97f4a7c15;
}

RunReport World::run() {
    begin();
    while (!over_ && !queue_.empty() && watch_.violation().empty()) {
        if (interrupted_ != nullptr && (*interrupted_)()) break;
        now_ = queue_.next_at();
        auto happening = queue_.pop();
        ++report_.events;
        mix(static_cast<std::uint64_t>(now_) ^ static_cast<std::uint64_t>(happening.what) << 56 ^
            happening.body << 40);
        handle(std::move(happening));
        if (report_.events % kBoundsEvery == 0) check_bounds();
    }
    report_.violation = watch_.violation();
    report_.heights = watch_.height();
    report_.commands = watch_.commands();
    report_.answered = clients_.answers();
    report_.views = highest_view();
    report_.certificates = watch_.certificates();
    report_.convicted = watch_.convicted().size();
    report_.epochs = watch_.committees().rbegin()->first;
    if (plan_.over_threshold && !report_.violation.empty())
        report_.note = "lost, as is expected with more than f: " + std::exchange(report_.violation, {});
    return report_;
}

void World::begin() {
    bodies_of_.resize(plan_.hosts);
    for (std::size_t i = 0; i < plan_.hosts; ++i) {
        hosts_.push_back(std::make_unique<Host>(*this, i, i));
        bodies_of_[i].push_back(i);
    }
    for (const auto& fault : plan_.faults)
        make_byzantine(fault);
    std::vector<bool> correct;
    for (std::size_t i = 0; i < plan_.hosts; ++i)
        correct.push_back(hosts_[i]->correct());
    watch_.set_correct(std::move(correct));
    for (auto& host : hosts_) {
        const auto skew = static_cast<std::uint64_t>(plan_.skew_max);
        const auto drift = static_cast<std::uint64_t>(plan_.drift_ppm_max);
        host->set_clock(static_cast<Moment>(random_.below(2 * skew + 1)) - plan_.skew_max,
                        static_cast<std::int64_t>(random_.below(2 * drift + 1)) - plan_.drift_ppm_max);
        schedule(static_cast<Moment>(random_.below(5 * kMillisecond)),
                 {.what = What::boot, .body = host->body()});
    }
    clients_.begin();
    for (std::size_t i = 0; i < plan_.faults.size(); ++i) {
        const auto& fault = plan_.faults[i];
        schedule(fault.at, {.what = What::fault_begin, .number = i});
        if (fault.until > fault.at) schedule(fault.until, {.what = What::fault_end, .number = i});
    }
    schedule(plan_.faults_for, {.what = What::heal});
    schedule(kIdleEvery, {.what = What::idle});
}

void World::make_byzantine(const Fault& fault) {
    if (!sim::makes_byzantine(fault)) return;
    auto& host = *hosts_[fault.host];
    host.set_not_correct();
    if (fault.kind == FaultKind::behave)
        host.set_byzantine(
            make_behaviour(static_cast<Acts>(fault.amount), plot_, plan_.seed * 64 + fault.host));
    if (fault.kind == FaultKind::twin && bodies_of_[fault.host].size() == 1) {
        bodies_of_[fault.host].push_back(hosts_.size());
        hosts_.push_back(std::make_unique<Host>(*this, hosts_.size(), fault.host));
        hosts_.back()->set_not_correct();
    }
}

void World::handle(Happening happening) {
    Host* host =
        happening.what <= What::boot && happening.what != What::none ? hosts_[happening.body].get() : nullptr;
    const bool of_life = happening.what >= What::wake && happening.what <= What::snapshot_read;
    if (host != nullptr && of_life && host->life() != happening.life) return;
    switch (happening.what) {
    case What::none:
        break;
    case What::deliver:
        deliver(happening);
        break;
    case What::wake:
        host->wake();
        break;
    case What::synced:
        host->synced(happening.number);
        break;
    case What::loaded:
        host->loaded(happening.number);
        break;
    case What::snapshot_read:
        host->snapshot_read(happening.number);
        break;
    case What::link:
        if (host->up()) host->peer(happening.from, happening.number != 0);
        break;
    case What::boot:
        if (!host->up()) trace([&] { return fmt::format("r{} boots", host->id()); });
        host->boot();
        break;
    case What::think:
        clients_.think(happening.body);
        break;
    case What::impatient:
        clients_.impatient(happening.body, happening.number);
        break;
    case What::fault_begin:
        begin_fault(plan_.faults[happening.number]);
        break;
    case What::fault_end:
        end_fault(plan_.faults[happening.number]);
        break;
    case What::idle:
        for (auto& each : hosts_)
            if (each->behaviour() != nullptr && each->up()) each->behaviour()->idle(*this, *each);
        schedule(now_ + kIdleEvery, {.what = What::idle});
        break;
    case What::heal:
        heal();
        break;
    case What::look:
        look();
        break;
    }
}

void World::deliver(Happening& happening) {
    auto& host = *hosts_[happening.body];
    trace([&] {
        return fmt::format("r{} <- r{}{}: {}", host.id(), hosts_[happening.from]->id(),
                           host.up() ? "" : " (down)", describe(*happening.message));
    });
    mix(fingerprint(*happening.message));
    host.receive(happening.from, std::move(happening.message));
}

bool World::sides_allow(const Host& from, const Host& to) const {
    const auto twins = [this](const Host& host) { return bodies_of_[host.id()].size() > 1; };
    const auto side = [&](const Host& host) {
        return twins(host) ? host.body() < plan_.hosts : in_set(sides_, host.id());
    };
    return (!twins(from) && !twins(to)) || side(from) == side(to);
}

void World::transmit(Host& from, std::size_t to, const MessageRef& message, Moment delay) {
    if (to == from.id()) return;
    MessageRef sent = message;
    const bool encoded =
        plan_.encoded_one_in == 1 || (plan_.encoded_one_in > 1 && random_.below(plan_.encoded_one_in) == 0);
    if (encoded) {
        const auto bytes = wire::encode(*message);
        auto decoded = wire::decode_consensus_message(bytes);
        if (from.correct())
            watch_.bounded(from.id(), bytes.size(), wire::kConsensusMessageBytes, "bytes in a message");
        if (!decoded) {
            if (from.correct())
                watch_.violated(fmt::format("I8: what r{} sends cannot be read: {}", from.id(),
                                            decoded.error().render()));
            return;
        }
        sent = std::make_shared<const Message>(std::move(*decoded));
    }
    ++report_.messages;
    for (const auto body : bodies_of_[to]) {
        if (!sides_allow(from, *hosts_[body])) continue;
        const auto arrivals = links_.send(from.id(), to, now_);
        for (std::size_t i = 0; i < arrivals.count; ++i)
            schedule(arrivals.at[i] + delay, {.what = What::deliver,
                                              .body = body,
                                              .from = static_cast<std::uint32_t>(from.body()),
                                              .message = sent});
    }
}

void World::transmit_bytes(Host& from, std::size_t to, const Bytes& bytes) {
    auto decoded = wire::decode_consensus_message(bytes);
    if (!decoded) {
        ++report_.refused;
        return;
    }
    decoded->from = from.name(); // the link knows who sends
    transmit(from, to, std::make_shared<const Message>(std::move(*decoded)));
}

void World::tell_links(Host& host, bool up) {
    for (auto& other : hosts_) {
        if (other->id() == host.id()) continue;
        const auto soon = now_ + static_cast<Moment>(random_.below(20 * kMillisecond));
        schedule(soon, {.what = What::link,
                        .body = other->body(),
                        .from = static_cast<std::uint32_t>(host.id()),
                        .number = up ? 1U : 0U});
        if (up && other->up())
            schedule(soon, {.what = What::link,
                            .body = host.body(),
                            .from = static_cast<std::uint32_t>(other->id()),
                            .number = 1U});
    }
}

void World::refused(const Host& host, std::size_t from, const Message& message, const Error& why) {
    ++report_.refused;
    trace([&] { return fmt::format("r{} refuses it: {}", host.id(), why.message); });
    const bool other_key = watch_.committees().size() > 1;
    if (!host.correct() || !hosts_[from]->correct() || why.code == Errc::precondition_failed || other_key)
        return;
    watch_.violated(fmt::format("I8: r{} refuses what r{}, which is correct, sent ({}): {}", host.id(),
                                hosts_[from]->id(), describe(message), why.message));
}

void World::decided(const Host& host, const Commit& commit) {
    trace([&] {
        return fmt::format("r{} decides height {}: {} of {} commands, {} votes{}", host.id(),
                           (*commit.decided.block)->height, commit.decided.block->digest().hex().substr(0, 8),
                           (*commit.decided.block)->transactions.size(), commit.decided.proof.votes.size(),
                           commit.next ? "; a new epoch follows" : "");
    });
    watch_.decided(host.id(), commit);
    // Whoever has a new key takes it up as it is started again, a while after.
    if (commit.next && key_of(host.id(), *commit.next) != key_of(host.id(), commit.committee))
        hosts_[host.body()]->die_at_write(2 + random_.below(20), 0, 100 * kMillisecond);
}

void World::answered(const Host& host, const Answer& answer) { clients_.answered(host, answer); }

Host* World::some_host(Random& random) {
    // A Byzantine one now and then: what it is asked it may drop, and the client goes elsewhere.
    for (int attempt = 0; attempt < 8; ++attempt) {
        auto& host = *hosts_[random.below(plan_.hosts)];
        if (host.up() && (host.correct() || attempt == 0)) return &host;
    }
    return nullptr;
}

void World::begin_fault(const Fault& fault) {
    if (healed_at_ >= 0) return;
    trace([&] { return "fault: " + describe(fault, plan_.hosts); });
    auto& host = *hosts_[fault.host];
    switch (fault.kind) {
    case FaultKind::crash:
        if (host.up()) count_crash();
        host.crash();
        break;
    case FaultKind::crash_at_write:
        host.die_at_write(static_cast<std::uint64_t>(fault.amount), fault.extra, fault.until - fault.at);
        break;
    case FaultKind::cut:
    case FaultKind::split:
    case FaultKind::slow_host:
        apply_links(fault, true);
        break;
    case FaultKind::lossy:
        links_.conditions().loss_permille = static_cast<std::uint32_t>(fault.amount);
        break;
    case FaultKind::slow_disk:
        host.slow_disk(static_cast<std::uint32_t>(fault.amount));
        break;
    case FaultKind::full_disk:
        host.fill_disk(fault.until);
        break;
    case FaultKind::flipped_bit:
    case FaultKind::old_disk:
    case FaultKind::empty_disk:
        break_disk(fault);
        break;
    case FaultKind::clock_jump:
        host.jump_wall_clock(fault.amount);
        break;
    case FaultKind::behave:
    case FaultKind::twin:
        break;
    case FaultKind::sides:
        sides_ = fault.set;
        break;
    case FaultKind::reconfigure:
        propose_committee(fault);
        break;
    }
}

void World::end_fault(const Fault& fault) {
    if (healed_at_ >= 0) return;
    switch (fault.kind) {
    case FaultKind::crash:
    case FaultKind::flipped_bit:
    case FaultKind::empty_disk:
        hosts_[fault.host]->boot();
        break;
    case FaultKind::old_disk: {
        auto& host = *hosts_[fault.host];
        host.crash();
        if (const auto found = old_disks_.find(fault.host); found != old_disks_.end()) {
            host.disk() = found->second;
            host.disk().crash(random_);
        }
        host.boot();
        break;
    }
    case FaultKind::cut:
    case FaultKind::split:
    case FaultKind::slow_host:
        apply_links(fault, false);
        break;
    case FaultKind::lossy:
        links_.conditions().loss_permille = plan_.links.loss_permille;
        break;
    case FaultKind::slow_disk:
        hosts_[fault.host]->slow_disk(1);
        break;
    default:
        break;
    }
}

void World::apply_links(const Fault& fault, bool on) {
    for (std::size_t from = 0; from < plan_.hosts; ++from) {
        for (std::size_t to = 0; to < plan_.hosts; ++to) {
            if (from == to) continue;
            if (fault.kind == FaultKind::slow_host && (from == fault.host || to == fault.host))
                links_.slow(from, to, on ? static_cast<std::uint32_t>(fault.amount) : 1);
            const bool apart =
                fault.kind == FaultKind::split
                    ? in_set(fault.set, from) != in_set(fault.set, to)
                    : fault.kind == FaultKind::cut && in_set(fault.set, from) && in_set(fault.other, to);
            if (apart) links_.cut(from, to, on ? 1 : -1);
        }
    }
}

void World::break_disk(const Fault& fault) {
    auto& host = *hosts_[fault.host];
    if (fault.kind == FaultKind::old_disk) { // as it is now; found again when the fault ends
        old_disks_.insert_or_assign(fault.host, host.disk());
        return;
    }
    if (host.up()) count_crash();
    host.crash();
    if (fault.kind == FaultKind::flipped_bit) host.disk().damage(random_);
    if (fault.kind == FaultKind::empty_disk) {
        host.disk().empty();
        host.disk().keep_every(plan_.checkpoint_interval);
    }
}

void World::propose_committee(const Fault& fault) {
    const auto& now_in = newest_committee();
    Reconfigure change;
    change.from_epoch = now_in.epoch;
    change.engine = plan_.engine;
    change.samples = plan_.samples;
    for (std::size_t i = 0; i < plan_.hosts; ++i) {
        if (!in_set(fault.set, i) || watch_.convicted().contains(name_of(i))) continue;
        const auto member = now_in.find(name_of(i));
        PublicKey key = member ? now_in.member(*member).key : first_keys_[i];
        if (fault.extra != 0 && fault.host == i)
            key = keys_.make(fmt::format("{} {}", name_of(i), fault.extra));
        change.members.push_back({name_of(i), key});
    }
    if (change.members.empty()) return;
    clients_.submit(command_of(change));
}

void World::heal() {
    healed_at_ = now_;
    trace([] { return std::string("the world heals"); });
    if (!plan_.heals) {
        over_ = true;
        return;
    }
    links_.mend_all();
    const auto in_order = plan_.links.in_order;
    links_.conditions() = LinkConditions{};
    links_.conditions().in_order = in_order;
    for (auto& host : hosts_) {
        host->heal();
        if (!host->up())
            schedule(now_ + static_cast<Moment>(random_.below(20 * kMillisecond)),
                     {.what = What::boot, .body = host->body()});
    }
    views_at_heal_ = highest_view();
    schedule(now_ + kGoOnFor, {.what = What::look});
}

void World::look() {
    clients_.finish();
    const bool out = all_out();
    const std::uint64_t n = newest_committee().n();
    const std::uint64_t views_max = plan_.views_max != 0 ? plan_.views_max : 4 * n + 16;
    const auto views = highest_view() - std::min(highest_view(), views_at_heal_);
    if (out) {
        report_.healed_in = now_ - healed_at_;
        over_ = true;
    } else if (now_ > healed_at_ + plan_.heal_for || views > views_max) {
        watch_.violated(fmt::format("I9: {} ms and {} views after healing not all is out: {}",
                                    (now_ - healed_at_) / kMillisecond, views, why_not_out()));
    } else {
        schedule(now_ + kLookEvery, {.what = What::look});
    }
}

bool World::all_out() { return why_not_out().empty(); }

std::string World::why_not_out() {
    if (clients_.waiting() > 0)
        return fmt::format("{} commands wait, first {}", clients_.waiting(), clients_.first_waiting());
    for (const auto& host : hosts_) {
        if (!host->correct()) continue;
        if (!host->up()) return fmt::format("r{} is down", host->id());
        if (host->applied() != watch_.height())
            return fmt::format("r{} is at height {} of {}, {} {}", host->id(), host->applied(),
                               watch_.height(), host->status().state, host->status().note);
    }
    return {};
}

std::uint64_t World::highest_view() const {
    std::uint64_t view = 0;
    for (const auto& host : hosts_)
        if (host->correct() && host->up()) view = std::max(view, host->status().engine.view);
    return view;
}

void World::check_bounds() {
    for (const auto& host : hosts_) {
        if (!host->correct() || !host->up()) continue;
        watch_.bounded(host->id(), host->held(), kHeldMax, "messages that wait for the disk");
        watch_.bounded(host->id(), host->disk().records(), kRecordsMax, "records on disk");
        watch_.bounded(host->id(), host->disk().record_bytes(), kRecordBytesMax, "bytes of records on disk");
        watch_.bounded(host->id(), host->status().waiting, kMempoolCommandsMax, "commands in its mempool");
        watch_.bounded(host->id(), host->evidence().size(), 4 * plan_.hosts, "pieces of evidence");
    }
}

RunReport run_plan(const Plan& plan, bool real_crypto, World::Tracer tracer) {
    const auto keys = real_crypto ? real_keys(plan.seed) : cheap_keys(plan.seed);
    World world(plan, *keys, std::move(tracer));
    return world.run();
}

} // namespace dwcp::sim
