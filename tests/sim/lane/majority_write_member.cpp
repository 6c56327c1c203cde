#include "tests/sim/lane/majority_write_member.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace dwcp::sim {
namespace {

using namespace consensus;

/// What the core promises its driver.
void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

struct WeakQuorum : MajorityWrite {
    WeakQuorum(MajorityWriteOptions options, Recovered recovered)
        : MajorityWrite(std::move(options), std::move(recovered)) {
        --quorum_;
    }
};

std::string log_key(LogIndex index) {
    char text[32];
    std::snprintf(text, sizeof text, "log/%016llx", static_cast<unsigned long long>(index));
    return text;
}

std::uint64_t number_at(const Disk::Contents& contents, const std::string& key) {
    const auto found = contents.find(key);
    return found == contents.end() ? 0
                                   : std::strtoull(std::string(as_text(found->second)).c_str(), nullptr, 10);
}

HardState hard_state(const Disk::Contents& contents) {
    const auto found = contents.find("hard");
    return found == contents.end() ? HardState{} : wire::decode_lane_hard_state(found->second).value();
}

} // namespace

MajorityWriteMember::MajorityWriteMember(Surroundings world, Observer observer, MajorityWriteOptions options,
                                         Mutation mutation)
    : world_(world), observer_(std::move(observer)), options_(std::move(options)), mutation_(mutation) {
    world_.disk.set_lying(mutation_ == Mutation::ack_before_durable);
    world_.network.attach(options_.self,
                          [this](const NodeName& from, const Bytes& datagram) { receive(from, datagram); });
}

void MajorityWriteMember::boot() {
    ++life_;
    if (mutation_ == Mutation::quorum_minus_one)
        core_ = std::make_unique<WeakQuorum>(options_, recover());
    else
        core_ = std::make_unique<MajorityWrite>(options_, recover());
    carry_out(core_->start(now()));
}

void MajorityWriteMember::crash() {
    ++life_;
    core_.reset();
    clients_.clear();
    open_tags_.clear();
    wake_.reset();
    world_.disk.crash();
}

Recovered MajorityWriteMember::recover() const {
    const auto& disk = world_.disk.visible();
    Recovered recovered{hard_state(disk), number_at(disk, "applied"), {}};
    if (options_.self != options_.sequencer || mutation_ == Mutation::forget_ids) return recovered;
    for (auto it = disk.lower_bound("log/"); it != disk.end() && it->first.starts_with("log/"); ++it) {
        const auto record = wire::decode_lane_record(it->second).value();
        recovered.ids.emplace_back(record.entry.command.id, record.entry.index);
    }
    return recovered;
}

Now MajorityWriteMember::now() const { return {world_.clock.now(), world_.clock.unix_ms()}; }

void MajorityWriteMember::submit(Command command, TimePoint deadline, Submitted done) {
    const auto client = ++last_client_;
    clients_.emplace(client, std::move(done));
    step(Submit{client, std::move(command), deadline});
}

void MajorityWriteMember::receive(const NodeName& from, const Bytes& datagram) {
    if (!core_) return;
    auto message = wire::decode_lane_message(datagram);
    open_tags_.emplace(++last_tag_, from);
    step(Received{from, std::move(message.value()), last_tag_});
}

void MajorityWriteMember::step(Event event) {
    carry_out(core_->step(std::move(event), now()));
    constexpr std::size_t kOpenTagsMax = 65;
    require(open_tags_.size() <= kOpenTagsMax, "leaves messages without an answer");
}

void MajorityWriteMember::later(Duration delay, std::function<void()> task) {
    world_.clock.after(delay, [this, life = life_, task = std::move(task)] {
        if (life == life_) task();
    });
}

void MajorityWriteMember::carry_out(Effects effects) {
    if (effects.persist) persist(*effects.persist);
    for (auto& send : effects.sends) {
        // Answers travel as datagrams of their own; that each tag is answered once is checked here.
        if (send.in_reply_to != 0) require(open_tags_.erase(send.in_reply_to) == 1, "answered a tag twice");
        if (!send.message) continue;
        Bytes datagram = wire::encode(*send.message);
        require(datagram.size() <= wire::kLaneMessageBytes, "message is over its limit");
        if (world_.network.send(name(), send.to, std::move(datagram))) continue;
        const auto* append = std::get_if<wire::LaneAppend>(&send.message->body);
        if (append == nullptr) continue;
        later(milliseconds(1), [this, to = send.to, round = append->round] { step(Undelivered{to, round}); });
    }
    if (!effects.apply.empty()) {
        later(std::chrono::microseconds(50), [this, records = std::move(effects.apply)] { apply(records); });
    }
    for (const auto& wanted : effects.loads) {
        later(std::chrono::microseconds(300), [this, wanted] { load(wanted); });
    }
    for (auto& answer : effects.answers) {
        const auto client = clients_.extract(answer.client);
        require(!client.empty(), "answered a client twice");
        client.mapped()(answer.outcome ? std::optional(answer.outcome->index) : std::nullopt);
    }
    if (effects.wake && (!wake_ || *effects.wake < *wake_)) {
        wake_ = effects.wake;
        later(*effects.wake - world_.clock.now(), [this, at = *effects.wake] {
            if (wake_ == at) wake_.reset();
            step(Tick{});
        });
    }
}

void MajorityWriteMember::persist(Persist& persist) {
    Disk::Write write;
    for (const auto& record : persist.records)
        write[log_key(record->entry.index)] = wire::encode(*record);
    write["hard"] = wire::encode(persist.hard);
    world_.disk.write_synced(std::move(write), [this, ticket = persist.ticket] { step(Persisted{ticket}); });
}

void MajorityWriteMember::apply(const std::vector<RecordRef>& records) {
    for (const auto& record : records) {
        const std::string effect = "state/" + record->entry.command.id;
        const auto count = number_at(world_.disk.visible(), effect) + 1;
        Disk::Write write{{effect, to_bytes(std::to_string(count))}};
        const Disk::Write applied{{"applied", to_bytes(std::to_string(record->entry.index))}};
        const bool together = mutation_ != Mutation::applied_not_together;
        if (together) write.insert(applied.begin(), applied.end());
        world_.disk.write(std::move(write));
        if (!together) world_.disk.write(applied);
        observer_.applied(name(), record->entry);
    }
    step(Applied{records.back()->entry.index});
}

void MajorityWriteMember::load(const Load& load) {
    const auto& disk = world_.disk.visible();
    std::vector<RecordRef> records;
    std::size_t bytes = 0;
    for (auto it = disk.lower_bound(log_key(load.from)); it != disk.end() && it->first.starts_with("log/");
         ++it) {
        auto record = std::make_shared<const Record>(wire::decode_lane_record(it->second).value());
        bytes += wire::entry_bytes(record->entry);
        if (!records.empty() && bytes > load.bytes_max) break;
        records.push_back(std::move(record));
    }
    step(Loaded{load.reader, std::move(records), {}});
}

std::optional<Entry> MajorityWriteMember::durable_entry(LogIndex index) const {
    const auto found = world_.disk.durable().find(log_key(index));
    if (found == world_.disk.durable().end()) return std::nullopt;
    return wire::decode_lane_record(found->second).value().entry;
}

LogIndex MajorityWriteMember::durable_upto() const {
    if (durable_version_ != world_.disk.durable_version()) {
        durable_version_ = world_.disk.durable_version();
        durable_upto_ = hard_state(world_.disk.durable()).last;
    }
    return durable_upto_;
}

LogIndex MajorityWriteMember::applied_upto() const { return number_at(world_.disk.visible(), "applied"); }
std::uint64_t MajorityWriteMember::effects_of(const std::string& id) const {
    return number_at(world_.disk.visible(), "state/" + id);
}

} // namespace dwcp::sim
