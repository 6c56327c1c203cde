#include "protocols/consensus/majority_write.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;
using std::chrono::seconds;

const std::vector<NodeName> kMembers{"a", "b", "c"};

MajorityWriteOptions options(const NodeName& self, std::vector<NodeName> members = kMembers) {
    MajorityWriteOptions options;
    options.lane = "metadata";
    options.self = self;
    options.sequencer = "a";
    options.members = std::move(members);
    return options;
}

Command command(const std::string& id, std::size_t bytes = 10) { return {id, Bytes(bytes, 'x')}; }

/// One member's core with its disk and its time in the test's hand.
class Hand {
  public:
    explicit Hand(MajorityWriteOptions options, Recovered recovered = {})
        : core_(std::move(options), std::move(recovered)) {
        take(core_.start(now()));
    }

    Now now() const { return {TimePoint(seconds(1000)) + elapsed_, 1'000'000}; }

    Effects step(Event event) {
        auto effects = core_.step(std::move(event), now());
        take(effects);
        return effects;
    }
    Effects wait(Duration time) {
        elapsed_ += time;
        return step(Tick{});
    }
    Effects submit(ClientId client, Command what, Duration patience = seconds(60)) {
        return step(Submit{client, std::move(what), now().time + patience});
    }
    Effects receive(const NodeName& from, wire::LaneMessage message) {
        return step(Received{from, std::move(message), ++last_tag_});
    }
    /// The disk finishes the write under way.
    Effects sync() {
        REQUIRE(writing_);
        const auto ticket = writing_->ticket;
        for (const auto& record : writing_->records)
            log_.push_back(record);
        hard_ = writing_->hard;
        writing_.reset();
        return step(Persisted{ticket});
    }
    void sync_all() {
        while (writing_)
            sync();
    }
    Effects apply_all() {
        Effects last;
        while (!applying_.empty()) {
            applied_ = std::exchange(applying_, {}).back()->entry.index;
            last = step(Applied{applied_});
        }
        return last;
    }

    /// As a member that answers the sequencer's latest append to it.
    Effects acknowledge(const NodeName& from, LogIndex durable) {
        const auto& append = last_append(from);
        return receive(from, {epoch(), wire::LaneAppended{append.round, durable, epoch(), false}});
    }
    const wire::LaneAppend& last_append(const NodeName& to) const { return appends_.at(to); }
    std::uint64_t epoch() const { return epoch_; }

    /// What the next life finds on the disk.
    Recovered disk() const {
        Recovered recovered{hard_, applied_, {}};
        for (const auto& record : log_)
            recovered.ids.emplace_back(record->entry.command.id, record->entry.index);
        return recovered;
    }

    MajorityWrite& core() { return core_; }
    /// What it has sent since it was asked last.
    std::vector<Send> take_sent() { return std::exchange(sent_, {}); }
    std::uint64_t resends() const { return resends_; }
    const std::optional<Persist>& writing() const { return writing_; }
    const std::vector<RecordRef>& log() const { return log_; }
    Status status() const { return core_.status(now().time); }

  private:
    void take(const Effects& effects) {
        if (effects.persist) {
            REQUIRE(!writing_);
            writing_ = effects.persist;
        }
        if (!effects.apply.empty()) {
            REQUIRE(applying_.empty());
            applying_ = effects.apply;
        }
        resends_ += effects.resends;
        for (const auto& send : effects.sends) {
            if (!send.message) continue;
            sent_.push_back(send);
            epoch_ = send.message->epoch;
            if (const auto* append = std::get_if<wire::LaneAppend>(&send.message->body))
                appends_[send.to] = *append;
        }
    }

    Duration elapsed_{};
    MajorityWrite core_;
    std::optional<Persist> writing_;
    std::vector<RecordRef> applying_;
    std::vector<RecordRef> log_;
    HardState hard_;
    LogIndex applied_ = 0;
    std::map<NodeName, wire::LaneAppend> appends_;
    std::vector<Send> sent_;
    std::uint64_t resends_ = 0;
    std::uint64_t epoch_ = 0;
    Tag last_tag_ = 0;
};

/// A sequencer of a new lane whose other members have said that they are empty.
Hand formed_sequencer() {
    Hand hand(options("a"));
    hand.sync();
    hand.acknowledge("b", 0);
    hand.acknowledge("c", 0);
    hand.sync_all();
    return hand;
}

std::size_t entries_sent(const Effects& effects) {
    std::size_t entries = 0;
    for (const auto& send : effects.sends) {
        if (!send.message) continue;
        if (const auto* append = std::get_if<wire::LaneAppend>(&send.message->body))
            entries += append->entries.size();
    }
    return entries;
}

/// The only answer of a kind in `effects`.
template<class Body>
const Body& only(const Effects& effects) {
    const Body* found = nullptr;
    for (const auto& send : effects.sends) {
        if (!send.message) continue;
        if (const auto* body = std::get_if<Body>(&send.message->body)) {
            REQUIRE(found == nullptr);
            found = body;
        }
    }
    REQUIRE(found != nullptr);
    return *found;
}

Entry entry(LogIndex index, const std::string& id) { return {index, 5, "a", command(id)}; }

/// An append of the sequencer's whole log, entries named by ids.
wire::LaneMessage append(std::uint64_t epoch, std::vector<std::string> ids, LogIndex committed = 0,
                         std::uint64_t round = 1) {
    wire::LaneAppend body;
    body.round = round;
    body.committed = committed;
    body.available = true;
    for (const auto& id : ids)
        body.entries.push_back(entry(body.entries.size() + 1, id));
    return {epoch, body};
}

} // namespace

TEST_CASE("an entry is sent only when it is on the sequencer's disk") {
    auto sequencer = formed_sequencer();
    CHECK(entries_sent(sequencer.submit(1, command("x"))) == 0);
    CHECK(entries_sent(sequencer.sync()) == 2);
}

TEST_CASE("an entry is committed and answered when a majority has it on disk and it is applied here") {
    auto sequencer = formed_sequencer();
    sequencer.submit(1, command("x"));
    CHECK(sequencer.sync().apply.empty());
    CHECK(sequencer.core().committed() == 0);
    const auto committed = sequencer.acknowledge("b", 1);
    CHECK(sequencer.core().committed() == 1);
    CHECK(committed.answers.empty());
    const auto applied = sequencer.apply_all();
    REQUIRE(applied.answers.size() == 1);
    CHECK(applied.answers[0].client == 1);
    CHECK(applied.answers[0].outcome->index == 1);
    CHECK_FALSE(applied.answers[0].outcome->duplicate);
}

TEST_CASE("every member hears of a commit at once, also one that was not needed for it") {
    auto sequencer = formed_sequencer();
    sequencer.submit(1, command("x"));
    sequencer.sync();
    CHECK(only<wire::LaneAppend>(sequencer.acknowledge("b", 1)).committed == 1);
    CHECK(only<wire::LaneAppend>(sequencer.acknowledge("c", 1)).committed == 1);
    CHECK(sequencer.last_append("c").committed == 1);
}

TEST_CASE("one acknowledgement of five members is not a majority") {
    Hand sequencer(options("a", {"a", "b", "c", "d", "e"}));
    sequencer.sync();
    for (const auto* name : {"b", "c", "d"})
        sequencer.acknowledge(name, 0);
    sequencer.sync_all();
    sequencer.submit(1, command("x"));
    sequencer.sync();
    sequencer.acknowledge("b", 1);
    CHECK(sequencer.core().committed() == 0);
    sequencer.acknowledge("c", 1);
    CHECK(sequencer.core().committed() == 1);
}

TEST_CASE("a lane of one member commits on its own disk") {
    Hand alone(options("a", {"a"}));
    alone.sync_all();
    alone.submit(1, command("x"));
    alone.sync();
    CHECK(alone.apply_all().answers.size() == 1);
    CHECK(alone.status().available);
}

TEST_CASE("commands that arrive while the disk is busy share the next write") {
    auto sequencer = formed_sequencer();
    sequencer.submit(1, command("first"));
    for (ClientId client = 2; client <= 9; ++client)
        sequencer.submit(client, command(std::to_string(client)));
    CHECK(sequencer.writing()->records.size() == 1);
    sequencer.sync();
    CHECK(sequencer.writing()->records.size() == 8);
}

TEST_CASE("one write is bounded however much is waiting") {
    auto sequencer = formed_sequencer();
    sequencer.submit(1, command("first"));
    for (ClientId client = 2; client <= 60; ++client) {
        sequencer.submit(client, command(std::to_string(client), kCommandBytes));
    }
    sequencer.sync();
    CHECK(sequencer.writing()->records.size() <= kPersistBytesMax / kCommandBytes + 1);
}

TEST_CASE("too much that is not committed is refused instead of growing") {
    auto sequencer = formed_sequencer();
    std::optional<Error> refusal;
    std::size_t taken = 0;
    for (ClientId client = 1; !refusal; ++client) {
        REQUIRE(taken <= kPendingEntriesMax);
        const auto effects = sequencer.submit(client, command(std::to_string(client)));
        if (effects.answers.empty())
            ++taken;
        else
            refusal = effects.answers[0].outcome.error();
    }
    CHECK(refusal->code == Errc::resource_exhausted);
    CHECK(taken == kPendingEntriesMax);

    SECTION("and members are told so") {
        const auto effects = sequencer.receive("b", {sequencer.epoch(), wire::LanePropose{command("more")}});
        CHECK(only<wire::LaneProposed>(effects).outcome == wire::ProposeOutcome::refused);
        CHECK(only<wire::LaneProposed>(effects).code == Errc::resource_exhausted);
    }
}

TEST_CASE("those who wait for one command are bounded too") {
    auto sequencer = formed_sequencer();
    for (ClientId client = 1; client <= kClientsPerCommandMax; ++client)
        CHECK(sequencer.submit(client, command("x")).answers.empty());
    const auto refused = sequencer.submit(kClientsPerCommandMax + 1, command("x"));
    CHECK(refused.answers.at(0).outcome.error().code == Errc::resource_exhausted);
}

TEST_CASE("a malformed command is refused at once") {
    auto sequencer = formed_sequencer();
    CHECK(sequencer.submit(1, command("")).answers.at(0).outcome.error().code == Errc::invalid_argument);
    CHECK(sequencer.submit(2, command(std::string(65, 'x'))).answers.at(0).outcome.error().code ==
          Errc::invalid_argument);
    CHECK(sequencer.submit(3, command("x", 0)).answers.at(0).outcome.error().code == Errc::invalid_argument);
    CHECK(sequencer.submit(4, command("x", kCommandBytes + 1)).answers.at(0).outcome.error().code ==
          Errc::too_large);
    CHECK_FALSE(sequencer.writing());
}

TEST_CASE("a command that is sent again is answered with its earlier index") {
    auto sequencer = formed_sequencer();
    sequencer.submit(1, command("x"));

    SECTION("while it is under way: once it is applied, all at once") {
        sequencer.submit(2, command("x"));
        sequencer.sync_all();
        sequencer.acknowledge("b", 1);
        CHECK(sequencer.apply_all().answers.size() == 2);
    }
    SECTION("after it was applied: at once, as a duplicate") {
        sequencer.sync_all();
        sequencer.acknowledge("b", 1);
        sequencer.apply_all();
        const auto effects = sequencer.submit(2, command("x"));
        REQUIRE(effects.answers.size() == 1);
        CHECK(effects.answers[0].outcome->index == 1);
        CHECK(effects.answers[0].outcome->duplicate);
        const auto asked = sequencer.receive("b", {sequencer.epoch(), wire::LanePropose{command("x")}});
        CHECK(only<wire::LaneProposed>(asked).outcome == wire::ProposeOutcome::committed);
        CHECK(only<wire::LaneProposed>(asked).index == 1);
    }
    CHECK(sequencer.status().last_index == 1);
}

TEST_CASE("an id is forgotten after the stated number of later entries") {
    auto short_memory = options("a", {"a"});
    short_memory.dedupe_entries = 3;
    Hand alone(short_memory);
    alone.sync_all();
    const auto commit = [&](const std::string& id) {
        const auto effects = alone.submit(1, command(id));
        if (!effects.answers.empty()) return *effects.answers[0].outcome;
        alone.sync_all();
        return *alone.apply_all().answers.at(0).outcome;
    };
    commit("x");
    commit("1");
    commit("2");
    CHECK(commit("x").index == 1);
    commit("3");
    CHECK(commit("x").index == 5);
}

TEST_CASE("a member acknowledges only what is on its disk") {
    Hand member(options("b"));
    const auto received = member.receive("a", append(1, {"x", "y"}));
    CHECK(received.sends.empty());
    CHECK(only<wire::LaneAppended>(member.sync()).durable == 2);
}

TEST_CASE("a member applies what is committed, and not beyond its own disk") {
    Hand member(options("b"));
    CHECK(member.receive("a", append(1, {"x", "y"}, 1)).apply.empty());
    const auto synced = member.sync();
    REQUIRE(synced.apply.size() == 1);
    CHECK(synced.apply[0]->entry.command.id == "x");
}

TEST_CASE("a repeated append is acknowledged and changes nothing") {
    Hand member(options("b"));
    member.receive("a", append(1, {"x", "y"}));
    member.sync();
    CHECK(only<wire::LaneAppended>(member.receive("a", append(1, {"x", "y"}))).durable == 2);
    CHECK(only<wire::LaneAppended>(member.receive("a", append(1, {"x"}))).durable == 2);
    CHECK_FALSE(member.writing());
    CHECK(member.log().size() == 2);
}

TEST_CASE("a gap is not filled by guessing: the member says where to go on") {
    Hand member(options("b"));
    wire::LaneAppend ahead;
    ahead.previous = 5;
    ahead.entries = {entry(6, "x")};
    const auto effects = member.receive("a", {1, ahead});
    CHECK(only<wire::LaneAppended>(effects).durable == 0);
    CHECK(member.status().last_index == 0);
}

TEST_CASE("messages of an earlier life of the sequencer are dropped") {
    Hand member(options("b"));
    member.receive("a", append(3, {"x"}));
    member.sync();
    const auto late = member.receive("a", append(2, {"x", "old"}));
    CHECK(only<wire::LaneAppended>(late).seen_epoch == 3);
    CHECK(member.status().last_index == 1);

    auto sequencer = formed_sequencer();
    const auto old = sequencer.receive("b", {sequencer.epoch() - 1, wire::LanePropose{command("old")}});
    CHECK_FALSE(sequencer.writing());
    REQUIRE(old.sends.size() == 1);
    CHECK_FALSE(old.sends[0].message);
}

TEST_CASE("strangers and members that are not the sequencer change nothing") {
    Hand member(options("b"));
    for (const auto* from : {"c", "stranger"}) {
        CHECK_FALSE(member.receive(from, append(1, {"x"})).sends.at(0).message);
    }
    auto sequencer = formed_sequencer();
    CHECK_FALSE(sequencer.receive("stranger", {sequencer.epoch(), wire::LanePropose{command("x")}})
                    .sends.at(0)
                    .message);
    CHECK_FALSE(sequencer.writing());
}

TEST_CASE("a member proposes again until it is answered, and at once to a new life of the sequencer") {
    Hand member(options("b"));
    member.receive("a", append(1, {}));
    member.sync_all();
    CHECK(only<wire::LanePropose>(member.submit(1, command("x"))).command.id == "x");
    CHECK(only<wire::LanePropose>(member.wait(milliseconds(300))).command.id == "x");
    member.receive("a", {1, wire::LaneProposed{"x", wire::ProposeOutcome::accepted, 0, {}, {}}});
    CHECK(member.wait(seconds(2)).sends.empty());
    const auto next_life = member.receive("a", append(2, {}));
    CHECK(only<wire::LanePropose>(next_life).command.id == "x");
    member.sync_all();
    member.receive("a", append(2, {"x"}, 1, 2));
    member.sync_all();
    CHECK(member.apply_all().answers.at(0).outcome->index == 1);
}

TEST_CASE("a deadline that passes is answered, with the reason") {
    SECTION("on a member") {
        Hand member(options("b"));
        member.submit(1, command("x"), seconds(1));
        const auto effects = member.wait(seconds(1));
        REQUIRE(effects.answers.size() == 1);
        CHECK(effects.answers[0].outcome.error().code == Errc::unavailable);
        CHECK(effects.answers[0].outcome.error().message.find("does not answer") != std::string::npos);
    }
    SECTION("on the sequencer, where the entry may still commit") {
        auto sequencer = formed_sequencer();
        sequencer.submit(1, command("x"), seconds(1));
        sequencer.sync();
        CHECK(sequencer.wait(seconds(1)).answers.at(0).outcome.error().code == Errc::unavailable);
        sequencer.acknowledge("b", 1);
        CHECK(sequencer.core().committed() == 1);
        CHECK(sequencer.apply_all().answers.empty());
    }
}

TEST_CASE("entries that a dead life wrote but did not commit are committed by the next") {
    auto before = formed_sequencer();
    before.submit(1, command("x"));
    before.sync_all();
    REQUIRE(before.core().committed() == 0);

    Hand after(options("a"), before.disk());
    after.sync();
    CHECK(after.epoch() == before.epoch() + 1);
    const auto probed = after.acknowledge("b", 0);
    // Its tail is empty after a restart: the entry comes from the log.
    REQUIRE(probed.loads.size() == 1);
    CHECK(probed.loads[0].from == 1);
    CHECK(entries_sent(after.step(Loaded{"b", before.log(), {}})) == 1);
    const auto acknowledged = after.acknowledge("b", 1);
    CHECK(after.core().committed() == 1);
    CHECK(acknowledged.loads.at(0).reader.empty());
    CHECK(after.step(Loaded{"", before.log(), {}}).apply.size() == 1);
    // The dead life's client asks again.
    after.apply_all();
    CHECK(after.submit(1, command("x")).answers.at(0).outcome->duplicate);
}

TEST_CASE("a log that cannot be read is told and tried again, and does not stop the others") {
    auto before = formed_sequencer();
    before.submit(1, command("x"));
    before.sync_all();
    Hand after(options("a"), before.disk());
    after.sync();
    after.acknowledge("b", 0);
    after.step(Loaded{"b", {}, "record 1 is corrupted"});
    CHECK(after.status().note.find("b: record 1 is corrupted") != std::string::npos);
    CHECK(after.wait(milliseconds(50)).loads.size() == 1);
    after.acknowledge("c", 1);
    CHECK(after.core().committed() == 1);
}

TEST_CASE("an append fits a control frame whatever the commands are") {
    auto sequencer = formed_sequencer();
    for (ClientId client = 1; client <= 2000; ++client) {
        sequencer.submit(client, command(std::to_string(client), client <= 30 ? kCommandBytes : 1));
    }
    sequencer.sync_all();
    const LogIndex last = sequencer.status().last_index;
    LogIndex acknowledged = 0;
    while (acknowledged < last) {
        const auto& sent = sequencer.last_append("b");
        REQUIRE_FALSE(sent.entries.empty());
        CHECK(wire::encode(wire::LaneMessage{1, sent}).size() <= wire::kLaneMessageBytes);
        acknowledged = sent.previous + sent.entries.size();
        sequencer.acknowledge("b", acknowledged);
    }
    CHECK(sequencer.core().committed() == last);
}

TEST_CASE("a new lane begins when enough members have said that they are empty") {
    Hand sequencer(options("a"));
    sequencer.sync();
    sequencer.submit(1, command("x"));
    CHECK_FALSE(sequencer.writing());
    sequencer.acknowledge("b", 0);
    CHECK_FALSE(sequencer.writing());
    CHECK(sequencer.status().note.find("2 of the other members") != std::string::npos);
    sequencer.acknowledge("c", 0);
    REQUIRE(sequencer.writing());
    sequencer.sync_all();
    CHECK(sequencer.log().size() == 1);
    CHECK(sequencer.status().available);

    SECTION("once; the next life needs nobody") {
        Hand next(options("a"), sequencer.disk());
        next.sync();
        next.submit(1, command("y"));
        CHECK(next.writing());
    }
}

TEST_CASE("a sequencer whose store was lost refuses to sequence and says why") {
    Hand sequencer(options("a"));
    sequencer.sync();
    sequencer.submit(1, command("x"));
    sequencer.acknowledge("c", 0);
    const auto effects = sequencer.acknowledge("b", 7);
    REQUIRE(effects.answers.size() == 1);
    CHECK(effects.answers[0].outcome.error().message.find("its store was lost") != std::string::npos);
    CHECK_FALSE(sequencer.status().available);
    CHECK(sequencer.status().note.find("b has entries that this sequencer does not have") !=
          std::string::npos);
    sequencer.submit(2, command("y"));
    CHECK_FALSE(sequencer.writing());

    SECTION("and the members pass it on") {
        sequencer.wait(seconds(1));
        Hand member(options("b"));
        member.receive("a", {sequencer.epoch(), sequencer.last_append("b")});
        CHECK_FALSE(member.status().available);
        CHECK(member.status().note.find("its store was lost") != std::string::npos);
    }
}

TEST_CASE("a sequencer with an old copy of its store is stopped by whoever knows more") {
    auto sequencer = formed_sequencer();
    SECTION("a member that has heard of a later life") {
        sequencer.receive("b", {sequencer.epoch(), wire::LaneAppended{0, 0, sequencer.epoch() + 1, false}});
    }
    SECTION("a member that has other entries") {
        Hand member(options("b"));
        member.receive("a", append(1, {"x"}));
        member.sync();
        sequencer.submit(1, command("y"));
        sequencer.sync();
        const auto effects = member.receive("a", {sequencer.epoch(), sequencer.last_append("b")});
        CHECK(only<wire::LaneAppended>(effects).diverged);
        CHECK(member.log().size() == 1);
        sequencer.receive("b", *effects.sends.at(0).message);
    }
    CHECK_FALSE(sequencer.core().halted().empty());
}

TEST_CASE("a member commits only what it compared with this life of the sequencer") {
    Hand member(options("b"));
    member.receive("a", append(1, {"x", "y"}));
    member.sync();
    // An epoch later the sequencer says that two entries are committed, but its own first entry is another
    // one.
    wire::LaneAppend other;
    other.previous = 2;
    other.chain = next_chain(next_chain({}, entry(1, "other")), entry(2, "y"));
    other.committed = 2;
    const auto effects = member.receive("a", {2, other});
    CHECK(only<wire::LaneAppended>(effects).diverged);
    CHECK(member.core().committed() == 0);
}

TEST_CASE("the status says whether a command could commit now") {
    auto sequencer = formed_sequencer();
    CHECK(sequencer.status().available);
    CHECK(sequencer.status().members_up == 3);
    CHECK(sequencer.status().quorum == 2);
    sequencer.wait(seconds(2));
    CHECK_FALSE(sequencer.status().available);
    CHECK(sequencer.status().note == "no quorum: hears from 1 of 3 members, needs 2");
    sequencer.acknowledge("c", 0);
    CHECK(sequencer.status().available);

    Hand member(options("b"));
    CHECK(member.status().note == "sequencer a does not answer");
    member.receive("a", append(1, {}));
    CHECK(member.status().available);
    member.wait(seconds(2));
    CHECK_FALSE(member.status().available);
}

TEST_CASE("an append that is known not to have arrived is not waited for") {
    auto sequencer = formed_sequencer();
    sequencer.step(PeerLink{"b", true});
    sequencer.acknowledge("b", 0);
    sequencer.submit(1, command("x"));
    sequencer.sync();
    const auto round = sequencer.last_append("b").round;
    sequencer.step(Undelivered{"b", round});
    // It is asked first whether it is there, with a message that costs nothing.
    CHECK(only<wire::LaneAppend>(sequencer.wait(milliseconds(50))).entries.empty());
    CHECK(entries_sent(sequencer.acknowledge("b", 0)) == 1);
}

TEST_CASE("commits go on over a way that takes longer than the time after which an append is sent again") {
    const auto one_way =
        GENERATE(milliseconds(10), milliseconds(750), milliseconds(1750), milliseconds(3000));
    CAPTURE(one_way.count());
    const std::vector<NodeName> members{"a", "b"};
    Hand a(options("a", members));
    Hand b(options("b", members));
    struct OnItsWay {
        Duration due;
        NodeName from;
        wire::LaneMessage message;
    };
    std::vector<OnItsWay> to_a, to_b;
    Duration time{};
    const auto settle = [](Hand& hand) {
        hand.sync_all();
        hand.apply_all();
    };
    const auto deliver = [&](Hand& hand, std::vector<OnItsWay>& way) {
        while (!way.empty() && way.front().due <= time) {
            const auto arrived = way.front();
            way.erase(way.begin());
            hand.receive(arrived.from, arrived.message);
            settle(hand);
        }
    };
    a.step(PeerLink{"b", true});
    b.step(PeerLink{"a", true});
    constexpr milliseconds kTick(50);
    LogIndex submitted = 0;
    std::size_t ticks_away = 0;
    for (; time < seconds(120); time += kTick) {
        if (time >= seconds(40) && submitted < 40) {
            ++submitted;
            a.submit(submitted, command(std::to_string(submitted)));
        }
        deliver(a, to_a);
        deliver(b, to_b);
        a.wait(kTick);
        b.wait(kTick);
        settle(a);
        settle(b);
        for (auto& send : a.take_sent())
            to_b.push_back({time + one_way, "a", std::move(*send.message)});
        for (auto& send : b.take_sent())
            to_a.push_back({time + one_way, "b", std::move(*send.message)});
        if (time >= seconds(40) && !(a.status().available && b.status().available)) ++ticks_away;
    }
    CHECK(a.core().committed() == 40);
    CHECK(b.core().committed() == 40);
    CHECK(ticks_away == 0);
    CHECK(a.resends() < 12); // while it learns how long the way is
}

TEST_CASE("a log's chain tells any two logs apart") {
    const Entry base = entry(1, "x");
    const auto chain = next_chain({}, base);
    auto other = base;
    other.time_ms = 6;
    CHECK(next_chain({}, other) != chain);
    other = base;
    other.proposer = "b";
    CHECK(next_chain({}, other) != chain);
    other = base;
    other.command.payload[0] ^= 1;
    CHECK(next_chain({}, other) != chain);
    // The same bytes, divided otherwise.
    other = base;
    other.proposer = "ax";
    other.command.id = "";
    CHECK(next_chain({}, other) != chain);
    CHECK(next_chain(chain, base) != chain);
}
