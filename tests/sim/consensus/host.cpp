#include "tests/sim/consensus/host.hpp"

#include "tests/sim/consensus/behaviour.hpp"
#include "tests/sim/consensus/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace dwcp::sim {
namespace {

using namespace dwcp::consensus;

constexpr Moment kClockBegins = 3600 * kSecond; // a time point of zero often means "never"
constexpr std::int64_t kUnixBegins = 1'700'000'000'000;
constexpr Moment kReadTime = 300 * kMicrosecond;

/// time * by / of, without the overflow.
Moment scaled(Moment time, std::int64_t by, std::int64_t of) { return time / of * by + time % of * by / of; }

} // namespace

Host::Host(World& world, std::size_t body, std::size_t id)
    : world_(world), body_(body), id_(id), name_(world.name_of(id)) {
    disk_.keep_every(world.plan().checkpoint_interval);
}
Host::~Host() = default;

void Host::set_byzantine(std::unique_ptr<Behaviour> behaviour) {
    behaviour_ = std::move(behaviour);
    correct_ = false;
}

Now Host::now() const {
    const Moment local = scaled(world_.now(), 1'000'000 + drift_ppm_, 1'000'000) + offset_;
    Now now;
    now.time = TimePoint(Duration(kClockBegins + local));
    now.unix_ms = static_cast<std::uint64_t>(kUnixBegins + local / kMillisecond + wall_ms_);
    return now;
}

void Host::set_wake(const std::optional<TimePoint>& wake) {
    if (!wake) return;
    const Moment local = wake->time_since_epoch().count() - kClockBegins - offset_;
    // Rounded up, so that the host's own clock has reached the moment when it wakes.
    const Moment global = scaled(local, 1'000'000, 1'000'000 + drift_ppm_) + kMicrosecond;
    wake_at_ = std::max(global, world_.now() + kMicrosecond);
    if (wake_event_at_ != 0 && wake_event_at_ <= wake_at_) return;
    wake_event_at_ = wake_at_;
    world_.schedule(wake_at_, {.what = What::wake, .body = body_, .life = life_});
}

void Host::wake() {
    if (wake_event_at_ != world_.now()) return; // another event replaced this one
    wake_event_at_ = 0;
    if (wake_at_ == 0) return;
    if (wake_at_ > world_.now()) {
        wake_event_at_ = wake_at_;
        world_.schedule(wake_at_, {.what = What::wake, .body = body_, .life = life_});
        return;
    }
    wake_at_ = 0;
    step(Tick{});
}

void Host::boot() {
    if (up()) return;
    auto memory = disk_.remember();
    if (!memory.doubt.empty()) doubt_ = memory.doubt;
    memory.doubt = doubt_;
    signer_ = &world_.signer_of(*this);
    auto options = world_.options_for(name_);
    options.signer = signer_;
    auto made = Replica::make(std::move(options), std::move(memory));
    if (!made)
        return world_.watch().violated(fmt::format("r{} cannot start: {}", id_, made.error().render()));
    replica_ = std::move(*made);
    if (correct_) world_.watch().begins_at(id_, disk_.applied());
    look_at_lane();
    carry_out(replica_->start(now()));
    world_.tell_links(*this, true);
}

void Host::crash() {
    if (!up()) return;
    ++life_;
    replica_.reset();
    verifier_.reset();
    disk_.crash(world_.random());
    syncing_ = false;
    hold_until_ = 0;
    held_.clear();
    loads_.clear();
    reads_.clear();
    arriving_.clear();
    wake_at_ = wake_event_at_ = 0;
    die_in_writes_ = die_at_sync_ = 0;
    world_.tell_links(*this, false);
}

void Host::die_at_write(std::uint64_t count, std::uint32_t when, Moment away) {
    die_in_writes_ = std::max<std::uint64_t>(count, 1);
    die_when_ = when;
    die_away_ = away;
}

void Host::heal() {
    disk_factor_ = 1;
    full_until_ = 0;
    die_in_writes_ = die_at_sync_ = 0;
}

void Host::die_for(Moment away) {
    crash();
    world_.count_crash();
    world_.schedule(world_.now() + away, {.what = What::boot, .body = body_});
}

void Host::look_at_lane() { verifier_.emplace(replica_->lane_view(), world_.checker()); }

void Host::step(Event event) {
    if (!up()) return;
    carry_out(replica_->step(std::move(event), now()));
}

void Host::carry_out(Effects effects) {
    const auto life = life_;
    if (effects.lane_view_changed) look_at_lane();
    invalid_ += effects.invalid;
    if (correct_) {
        for (const auto& send : effects.sends)
            note(*send.message, false);
        for (const auto& evidence : effects.evidence)
            world_.watch().evidence(id_, evidence);
        for (const auto& commit : effects.commits)
            world_.decided(*this, commit);
    }
    write(effects);
    if (life != life_) return;
    for (auto& out : effects.sends)
        send(std::move(out));
    for (auto& load : effects.loads) {
        world_.schedule(world_.now() + kReadTime,
                        {.what = What::loaded, .body = body_, .life = life_, .number = load.ticket});
        loads_.insert_or_assign(load.ticket, std::move(load));
    }
    for (auto& read : effects.snapshot_reads) {
        world_.schedule(world_.now() + kReadTime,
                        {.what = What::snapshot_read, .body = body_, .life = life_, .number = read.ticket});
        reads_.insert_or_assign(read.ticket, std::move(read));
    }
    if (effects.stable) disk_.stable(effects.stable->height, effects.stable->proof);
    for (const auto& answer : effects.answers)
        world_.answered(*this, answer);
    set_wake(effects.wake);
    for (const auto& part : effects.installs)
        install(part);
}

void Host::write(Effects& effects) {
    const auto life = life_;
    if (!effects.persist.empty()) {
        HostDisk::Write change;
        change.persist = std::move(effects.persist);
        hold_until_ = disk_.write(std::move(change));
        written(hold_until_);
    }
    for (auto& commit : effects.commits) {
        if (life != life_) return;
        HostDisk::Write change;
        change.commit = std::move(commit);
        written(disk_.write(std::move(change)));
    }
}

void Host::written(std::uint64_t number) {
    start_sync();
    if (die_in_writes_ == 0 || --die_in_writes_ > 0) return;
    if (die_when_ == 0)
        die_for(die_away_);
    else
        die_at_sync_ = number;
}

void Host::start_sync() {
    if (syncing_) return;
    syncing_ = true;
    const auto& plan = world_.plan();
    const auto range = static_cast<std::uint64_t>(plan.sync_max - plan.sync_min);
    Moment delay = plan.sync_min + static_cast<Moment>(range == 0 ? 0 : world_.random().below(range));
    delay *= disk_factor_;
    if (full_until_ > world_.now()) delay += full_until_ - world_.now();
    world_.schedule(world_.now() + delay,
                    {.what = What::synced, .body = body_, .life = life_, .number = disk_.last_written()});
}

void Host::synced(std::uint64_t number) {
    const auto life = life_;
    syncing_ = false;
    auto durable = disk_.sync(number);
    if (disk_.last_written() > number) start_sync();
    if (die_at_sync_ != 0 && die_at_sync_ <= number) {
        if (die_when_ == 2) {
            held_.resize(world_.random().below(held_.size() + 1));
            release();
        }
        return die_for(die_away_);
    }
    release();
    for (auto& done : durable) {
        if (life != life_) return;
        if (correct_ && done.installed) world_.watch().begins_at(id_, done.height);
        if (correct_) world_.watch().applied(id_, done.height, done.root);
        if (done.installed)
            step(SnapshotInstalled{.height = done.height, .state_root = done.root, .problem = {}});
        else
            step(Applied{.height = done.height, .state_root = done.root});
    }
}

void Host::install(const InstallSnapshot& install) {
    if (install.part.after.empty()) arriving_.clear();
    for (const auto& [key, value] : install.part.pairs)
        arriving_.insert_or_assign(key, value);
    if (!install.part.last) return;
    auto state = Registers::of(std::exchange(arriving_, {}));
    const auto root = state.root();
    if (root != install.state_root)
        return step(SnapshotInstalled{
            .height = install.part.height, .state_root = root, .problem = "the state has another root"});
    HostDisk::Write change;
    change.installed = Kept{.height = install.part.height,
                            .root = root,
                            .proof = install.part.proof,
                            .pairs = std::make_shared<const Registers::Pairs>(state.pairs())};
    change.installed_next = install.next;
    change.installed_chain = install.part.chain;
    written(disk_.write(std::move(change)));
}

void Host::send(Send send) {
    if (hold_until_ > disk_.synced())
        held_.push_back({hold_until_, std::move(send)});
    else
        leave(send);
}

void Host::release() {
    while (!held_.empty() && held_.front().until_write <= disk_.synced()) {
        leave(held_.front().send);
        held_.pop_front();
    }
}

void Host::leave(const Send& send) {
    if (correct_) note(*send.message, true);
    if (behaviour_) return behaviour_->outgoing(world_, *this, send);
    for (const auto& to : send.to)
        world_.transmit(*this, world_.id_of(to), send.message);
}

void Host::receive(std::size_t from, MessageRef message) {
    if (!up()) return;
    if (behaviour_ && !behaviour_->incoming(world_, *this, message)) return;
    auto verified = verifier_->verify(*message, name_);
    if (!verified) {
        ++refused_;
        return world_.refused(*this, from, *message, verified.error());
    }
    if (correct_)
        if (const auto* vote = std::get_if<Signed>(&message->body)) world_.watch().let_in(name_, *vote);
    step(Received{std::move(*verified)});
    if (!doubt_.empty() && up() && status().state == "voting") doubt_.clear();
}

void Host::submit(ClientToken token, Transaction transaction, Moment patience) {
    step(Submit{
        .client = token, .transaction = std::move(transaction), .deadline = now().time + Duration(patience)});
}

void Host::peer(std::size_t host, bool up) {
    step(PeerLink{.host = host_of(world_.name_of(host)), .up = up});
}

void Host::loaded(std::uint64_t ticket) {
    const auto found = loads_.find(ticket);
    if (found == loads_.end()) return;
    const auto load = std::move(found->second);
    loads_.erase(found);
    step(disk_.load(load));
}

void Host::snapshot_read(std::uint64_t ticket) {
    const auto found = reads_.find(ticket);
    if (found == reads_.end()) return;
    const auto read = std::move(found->second);
    reads_.erase(found);
    step(disk_.read(read));
}

void Host::note(const Message& message, bool said) const {
    const auto* signed_message = std::get_if<Signed>(&message.body);
    if (signed_message == nullptr) return;
    auto& watch = world_.watch();
    const auto tell = [&](const Signed& one) { said ? watch.said(id_, one) : watch.made(id_, one); };
    tell(*signed_message);
    const auto* new_view = std::get_if<NewView>(&signed_message->body);
    if (new_view == nullptr) return;
    for (const auto& proposal : new_view->proposals) {
        Signed one{.statement = signed_message->statement,
                   .signature = proposal.signature,
                   .body = CheckpointVote{}};
        one.statement.kind = Kind::propose;
        one.statement.slot = proposal.slot;
        one.statement.digest = proposal.digest;
        tell(one);
    }
}

} // namespace dwcp::sim
