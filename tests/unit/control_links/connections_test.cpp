// Limits and deadlines of control connections, with sockets but without waiting.
#include "runtime/links/control/connections.hpp"
#include "runtime/links/control/dial.hpp"
#include "runtime/metrics/metrics.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <sys/socket.h>

using namespace dwcp;
using namespace dwcp::links;
using namespace std::chrono_literals;
using Claim = Connections::Claim;

namespace {

const Bytes kNode(32, 1);
const TimePoint kStart = TimePoint{} + 1h;

/// Two ends of a connection.
struct Ends {
    Descriptor ours;
    Descriptor theirs;

    Ends() {
        std::array<int, 2> fds{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
        ours = Descriptor(fds[0]);
        theirs = Descriptor(fds[1]);
    }
    bool is_ended() const {
        Byte byte{};
        return ::recv(theirs.get(), &byte, 1, 0) == 0;
    }
};

double refused(const std::string& reason) {
    return metrics::counter(
               "dwcp_control_refused_connections_total",
               "Control connections that were refused or ended because of the other end, by reason.",
               {{"reason", reason}})
        .value();
}

struct Setting {
    EventRing events;
    Connections::Limits limits{
        .waiting_max = 6, .waiting_per_source_max = 3, .per_source_per_s = 1000, .per_source_burst = 1000};
    std::unique_ptr<Connections> connections = make();

    std::unique_ptr<Connections> make() {
        return std::make_unique<Connections>(limits, std::make_shared<Refusals>(events));
    }
    Connections::Id accept(const Ends& ends, const std::string& source = "10.0.0.1", bool tls = false) {
        return connections->accepted(ends.ours.get(), source, tls, kStart).value();
    }
};

} // namespace

TEST_CASE("of too many that have proven nothing the oldest of that address gives way") {
    Setting setting;
    std::array<Ends, 5> ends;
    for (std::size_t i = 0; i < 3; ++i)
        setting.accept(ends[i]);
    setting.accept(ends[3], "10.0.0.2");
    CHECK(setting.connections->waiting() == 4);
    const double before = refused("too_many");
    setting.accept(ends[4]);
    CHECK(ends[0].is_ended());
    for (std::size_t i = 1; i < 5; ++i)
        CHECK(!ends[i].is_ended());
    CHECK(setting.connections->waiting() == 4);
    CHECK(refused("too_many") == before + 1);
}

TEST_CASE("many addresses together are bounded as well") {
    Setting setting;
    std::array<Ends, 8> ends;
    for (std::size_t i = 0; i < ends.size(); ++i)
        setting.accept(ends[i], "10.0.0." + std::to_string(i));
    CHECK(setting.connections->waiting() == 6);
    CHECK(ends[0].is_ended());
    CHECK(ends[1].is_ended());
    CHECK(!ends[2].is_ended());
}

TEST_CASE("a peer's connection does not count among those that wait, and gives way to nobody") {
    Setting setting;
    Ends peer;
    const auto id = setting.accept(peer);
    CHECK(setting.connections->claim(id, kNode, kStart) == Claim::granted);
    setting.connections->admit(kNode);
    CHECK(setting.connections->waiting() == 0);
    std::array<Ends, 10> strangers;
    for (const Ends& stranger : strangers)
        setting.accept(stranger);
    setting.connections->sweep(kStart + 1h, 0);
    CHECK(!peer.is_ended());
    CHECK(setting.connections->waiting() == 0);
}

TEST_CASE("who completes neither TLS nor a greeting in time is ended, each with its reason") {
    Setting setting;
    Ends silent;
    Ends slow;
    setting.accept(silent, "10.0.0.1", true);
    const auto id = setting.accept(slow, "10.0.0.2", true);
    setting.connections->secured(id, "site-a", 0, kStart + 3s);
    const double handshakes = refused("no_handshake");
    const double greetings = refused("no_greeting");
    setting.connections->sweep(kStart + 4900ms, 0);
    CHECK(!silent.is_ended());
    setting.connections->sweep(kStart + 5100ms, 0);
    CHECK(silent.is_ended());
    CHECK(!slow.is_ended()); // has its own time for each
    setting.connections->sweep(kStart + 8100ms, 0);
    CHECK(slow.is_ended());
    CHECK(refused("no_handshake") == handshakes + 1);
    CHECK(refused("no_greeting") == greetings + 1);
    const auto events = setting.events.latest(10);
    REQUIRE(events.size() == 2);
    CHECK(events[0].name == "control_connection_refused");
    CHECK(events[0].subject == "10.0.0.1");
    CHECK(events[0].fields.at("reason") == "no_handshake");
    CHECK(events[1].subject == "site-a");
}

TEST_CASE("a link ends when its certificate does, on both ends") {
    Setting setting;
    Ends accepted;
    Ends dialled;
    const auto id = setting.accept(accepted, "10.0.0.1", true);
    setting.connections->secured(id, "site-a", 1000, kStart);
    REQUIRE(setting.connections->claim(id, kNode, kStart) == Claim::granted);
    setting.connections->admit(kNode);
    setting.connections->dialled(dialled.ours.get(), "10.0.0.9:7101", "site-c", 2000, kStart);
    setting.connections->sweep(kStart, 999);
    CHECK(!accepted.is_ended());
    setting.connections->sweep(kStart, 1000);
    CHECK(accepted.is_ended());
    CHECK(!dialled.is_ended());
    setting.connections->sweep(kStart, 2000);
    CHECK(dialled.is_ended());
}

TEST_CASE("a node's place is not taken by another certificate, nor while it is alive") {
    Setting setting;
    Ends first;
    Ends thief;
    Ends twin;
    const auto add = [&](const Ends& ends, const std::string& subject) {
        const auto id = setting.accept(ends, "10.0.0.1", true);
        setting.connections->secured(id, subject, 0, kStart);
        return id;
    };
    const auto id = add(first, "site-a");
    REQUIRE(setting.connections->claim(id, kNode, kStart) == Claim::granted);
    setting.connections->admit(kNode);
    CHECK(setting.connections->subject_of(kNode) == "site-a");

    CHECK(setting.connections->claim(add(thief, "site-c"), kNode, kStart) == Claim::refused);
    CHECK(thief.is_ended());
    const auto twin_id = add(twin, "site-a");
    CHECK(setting.connections->claim(twin_id, kNode, kStart + 1s) == Claim::duplicate);
    setting.connections->heard(id, kStart + 2s);
    CHECK(setting.connections->claim(twin_id, kNode, kStart + 3s) == Claim::duplicate);
    // The first has gone silent: its process may well be back on another connection.
    CHECK(setting.connections->claim(twin_id, kNode, kStart + 5s) == Claim::granted);
    CHECK(!first.is_ended());
}

TEST_CASE("who has proven nothing does not keep the node out whose id it claims") {
    Setting setting;
    Ends stranger;
    Ends node;
    REQUIRE(setting.connections->claim(setting.accept(stranger), kNode, kStart) == Claim::granted);
    CHECK(setting.connections->claim(setting.accept(node), kNode, kStart) == Claim::granted);
}

TEST_CASE("one address has its rate, and does not use up another's") {
    Setting setting;
    setting.limits.per_source_per_s = 10;
    setting.limits.per_source_burst = 2;
    setting.connections = setting.make();
    Ends ends;
    const auto admitted = [&](const std::string& source, TimePoint now) {
        const auto id = setting.connections->accepted(ends.ours.get(), source, false, now);
        if (id) setting.connections->forget(*id);
        return id.has_value();
    };
    const double before = refused("rate_limited");
    CHECK(admitted("10.0.0.1", kStart));
    CHECK(admitted("10.0.0.1", kStart));
    CHECK(!admitted("10.0.0.1", kStart));
    CHECK(admitted("10.0.0.2", kStart));
    CHECK(admitted("10.0.0.1", kStart + 100ms));
    CHECK(!admitted("10.0.0.1", kStart + 100ms));
    CHECK(refused("rate_limited") == before + 2);
}

TEST_CASE("the addresses that are remembered are bounded, and beyond them all share one rate") {
    SourceRates rates(1, 2);
    for (std::size_t i = 0; i < 2 * SourceRates::kSourcesMax; ++i)
        (void)rates.admit("source-" + std::to_string(i), kStart);
    CHECK(rates.remembered() <= SourceRates::kSourcesMax + 1);
    CHECK(!rates.admit("one more", kStart));
    // Idle ones make room again.
    CHECK(rates.admit("one more", kStart + 1min));
    CHECK(rates.remembered() < 10);
}

TEST_CASE("a flood of one reason leaves one event a second, which says how many it stands for") {
    Setting setting;
    Refusals refusals(setting.events);
    const Error error{Errc::invalid_argument, "no", "never"};
    for (int i = 0; i < 1000; ++i)
        refusals.note(Refused::not_basp, "10.0.0." + std::to_string(i), error, kStart);
    refusals.note(Refused::oversized, "10.0.0.1", error, kStart);
    CHECK(setting.events.latest(100).size() == 2);
    refusals.note(Refused::not_basp, "10.0.0.1", error, kStart + 1s);
    const auto events = setting.events.latest(100);
    REQUIRE(events.size() == 3);
    CHECK(events.back().fields.at("not_told_before") == "999");
}
