#include "tests/sim/consensus/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::sim {
namespace {

std::string hosts_in(HostSet set, std::size_t hosts) {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(hosts, 64); ++i)
        if (in_set(set, i)) text += fmt::format("{}r{}", text.empty() ? "" : " ", i);
    return text.empty() ? "nobody" : text;
}

std::string what_of(const Fault& fault, std::size_t hosts) {
    switch (fault.kind) {
    case FaultKind::crash:
        return fmt::format("r{} is down", fault.host);
    case FaultKind::crash_at_write: {
        constexpr const char* kWhen[] = {"before it is durable", "after it is durable, before a message",
                                         "after some of its messages"};
        return fmt::format("r{} dies at its write number {} from then, {}", fault.host, fault.amount,
                           kWhen[fault.extra % 3]);
    }
    case FaultKind::cut:
        return fmt::format("what {} send to {} is lost", hosts_in(fault.set, hosts),
                           hosts_in(fault.other, hosts));
    case FaultKind::split:
        return fmt::format("{} are apart from the rest", hosts_in(fault.set, hosts));
    case FaultKind::slow_host:
        return fmt::format("links of r{} are {}x slower", fault.host, fault.amount);
    case FaultKind::lossy:
        return fmt::format("{} of 1000 messages are lost", fault.amount);
    case FaultKind::slow_disk:
        return fmt::format("the disk of r{} is {}x slower", fault.host, fault.amount);
    case FaultKind::full_disk:
        return fmt::format("the disk of r{} is full", fault.host);
    case FaultKind::flipped_bit:
        return fmt::format("r{} crashes, its disk is damaged", fault.host);
    case FaultKind::old_disk:
        return fmt::format("r{} crashes, its disk is an older one", fault.host);
    case FaultKind::empty_disk:
        return fmt::format("r{} crashes, its disk is empty", fault.host);
    case FaultKind::clock_jump:
        return fmt::format("the wall clock of r{} jumps by {} ms", fault.host, fault.amount);
    case FaultKind::behave:
        return fmt::format("r{} is Byzantine: {}", fault.host, to_string(static_cast<Acts>(fault.amount)));
    case FaultKind::twin:
        return fmt::format("r{} is Byzantine: twins", fault.host);
    case FaultKind::sides:
        return fmt::format("first twins are heard by {}", hosts_in(fault.set, hosts));
    case FaultKind::reconfigure:
        return fmt::format("a committee of {}{} is proposed", hosts_in(fault.set, hosts),
                           fault.extra != 0 ? ", one of them with a new key," : "");
    }
    return "?";
}

} // namespace

std::string_view to_string(Acts acts) {
    switch (acts) {
    case Acts::silent:
        return "silent";
    case Acts::silent_leader:
        return "silent as a leader";
    case Acts::selective_leader:
        return "proposes to q - 1";
    case Acts::equivocating:
        return "proposes two values";
    case Acts::late_votes:
        return "votes late";
    case Acts::replays:
        return "replays";
    case Acts::forges_draws:
        return "forges draws";
    case Acts::garbles:
        return "sends garbage";
    case Acts::lies_in_changes:
        return "lies in view changes";
    case Acts::floods:
        return "floods";
    }
    return "?";
}

std::string describe(const Fault& fault, std::size_t hosts) {
    const auto ms = [](Moment at) { return static_cast<double>(at) / 1e6; };
    if (fault.until <= fault.at) return fmt::format("{:9.3f} ms  {}", ms(fault.at), what_of(fault, hosts));
    return fmt::format("{:9.3f} .. {:9.3f} ms  {}", ms(fault.at), ms(fault.until), what_of(fault, hosts));
}

bool makes_byzantine(const Fault& fault) {
    switch (fault.kind) {
    case FaultKind::behave:
    case FaultKind::twin:
    case FaultKind::old_disk:
    case FaultKind::empty_disk:
        return true;
    default:
        return false;
    }
}

bool silences(const Fault& fault) { return makes_byzantine(fault) || fault.kind == FaultKind::flipped_bit; }

} // namespace dwcp::sim
