// `chaos ...`: faults on purpose, only where the configuration allows them.
#include "runtime/chaos/ballast.hpp"
#include "runtime/chaos/kill_points.hpp"
#include "runtime/log/log.hpp"
#include "runtime/node/admin_verbs.hpp"
#include "runtime/node/live_config.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <unistd.h>

namespace dwcp::node {
namespace {

using gateway::AdminCall;
using nlohmann::json;

constexpr std::uint64_t kSecondsMax = 3600;
constexpr std::uint64_t kDelayMsMax = 10'000;
constexpr std::uint64_t kBallastBytesMax = 64ULL << 30;

Result<void> check_enabled(const AdminServices& services) {
    if (services.config.get()->chaos) return {};
    return fail(
        Errc::precondition_failed, "this node does not let faults be injected",
        "set chaos.enabled = true in its configuration and `config reload`; never where people rely on it");
}

json view_json(const chaos::FaultView& fault) {
    return {{"id", fault.id},         {"kind", fault.kind},           {"target", fault.target},
            {"reason", fault.reason}, {"ends_in_s", fault.ends_in_s}, {"hits", fault.hits}};
}

Result<std::uint64_t> in_range(const json& args, const char* name, std::uint64_t low, std::uint64_t high,
                               std::uint64_t otherwise) {
    const auto value = number_of(args, name, otherwise);
    if (value >= low && value <= high) return value;
    return fail(Errc::invalid_argument,
                std::string(name) + " is " + std::to_string(value) + ", allowed are " + std::to_string(low) +
                    " to " + std::to_string(high),
                "give a number in that range; ops/api.md says what it means");
}

/// What all faults with an end have in common. `begin` starts it and gives what ends it.
Result<json> inject(const AdminServices& services, const AdminCall& call, const std::string& target,
                    std::shared_ptr<const std::atomic<std::uint64_t>> hits,
                    const std::function<Result<std::function<void()>>()>& begin) {
    if (auto enabled = check_enabled(services); !enabled) return std::unexpected(enabled.error());
    const auto seconds = in_range(call.args, "seconds", 1, kSecondsMax, 0);
    if (!seconds) return std::unexpected(seconds.error());
    if (auto room = services.faults.check(); !room) return std::unexpected(room.error());
    const auto kind = call.verb.substr(call.verb.find('.') + 1);
    if (flag_of(call.args, "dry_run"))
        return json{{"dry_run", true},
                    {"fault", {{"kind", kind}, {"target", target}, {"ends_in_s", *seconds}}}};
    const auto end = begin();
    if (!end) return std::unexpected(end.error());
    const auto fault = services.faults.began(
        {kind, target, text_of(call.args, "reason"), std::chrono::seconds(*seconds), *end, std::move(hits)});
    return json{{"fault", view_json(fault)}};
}

/// The process ends when it comes to a point for the `count`th time.
Result<json> kill_at(const AdminServices& services, const AdminCall& call) {
    const auto point = text_of(call.args, "at");
    const auto count = number_of(call.args, "count", 1);
    const auto& known = chaos::KillPoints::names();
    if (std::ranges::find(known, point) == known.end())
        return fail(Errc::invalid_argument, "'" + point + "' is no point to kill the process at",
                    "give " + std::string(chaos::kRampWrite) + " or " + std::string(chaos::kRampCommit));
    const bool dry_run = flag_of(call.args, "dry_run");
    if (!dry_run) services.kill_points.arm(point, count);
    return json{{"outcome", count == 0 ? "the process does not end there"
                                       : "the process ends when it comes to " + point + " for time " +
                                             std::to_string(count)},
                {"dry_run", dry_run}};
}

Result<json> kill(const AdminServices& services, const AdminCall& call) {
    if (auto enabled = check_enabled(services); !enabled) return std::unexpected(enabled.error());
    if (!text_of(call.args, "at").empty()) return kill_at(services, call);
    const auto path = text_of(call.args, "path");
    const bool dry_run = flag_of(call.args, "dry_run");
    if (path.empty() && dry_run) return json{{"outcome", "would kill the process"}, {"dry_run", true}};
    if (path.empty()) {
        log::error("chaos_kill", {{"who", call.by.name}, {"reason", text_of(call.args, "reason")}});
        log::shutdown();
        ::kill(::getpid(), SIGKILL);
    }
    const supervisor::ActorCommand command{supervisor::ActorCommand::Verb::kill, path,
                                           text_of(call.args, "who"), text_of(call.args, "reason"), dry_run};
    return command_actor(services, command);
}

Result<json> pause(const AdminServices& services, const AdminCall& call) {
    const auto path = text_of(call.args, "path");
    if (const auto child = services.board.find(path); child && child->parent.empty())
        return fail(Errc::precondition_failed,
                    "the root supervisor cannot be paused: nothing would mend the node",
                    "pause a supervisor below it, or send SIGSTOP to the process");
    const auto live = services.resolver.find(path);
    if (!live)
        return fail(Errc::not_found, "no actor runs at '" + path + "'", "`dwcp-shell -c tree` lists them");
    return inject(services, call, path, nullptr, [&]() -> Result<std::function<void()>> {
        live->stats->pause.begin();
        return [stats = live->stats] { stats->pause.end(); };
    });
}

/// delay, drop and corrupt.
Result<json> disturb(const AdminServices& services, const AdminCall& call, chaos::Verdict verdict) {
    const auto peer = text_of(call.args, "peer");
    const auto peers = services.control.peers();
    if (std::ranges::none_of(peers, [&](const auto& known) { return known.name == peer; }))
        return fail(Errc::not_found, "no peer '" + peer + "' of this node",
                    "`dwcp-shell -c nodes` lists them");
    const auto percent = in_range(call.args, "percent", 1, 100, 100);
    if (!percent) return std::unexpected(percent.error());
    const auto link = text_of(call.args, "link");
    if (!link.empty() && link != "control" && link != "data" && link != "both")
        return fail(Errc::invalid_argument, "'" + link + "' is no link", "give control, data or both");
    chaos::LinkFault fault;
    fault.peer = peer;
    fault.percent = static_cast<std::uint32_t>(*percent);
    // Only blocks can be corrupted, and only control requests held back, so that what is tested is one thing.
    fault.control = !verdict.corrupt && link != "data";
    fault.data = verdict.delay == Duration::zero() && link != "control";
    fault.verdict = verdict;
    const auto hits = fault.hits;
    return inject(services, call, peer, hits, [&]() -> Result<std::function<void()>> {
        const auto id = services.link_faults.add(fault);
        return [&links = services.link_faults, id] { links.remove(id); };
    });
}

/// `kind` of a canary's fault; milliseconds for latency alone.
Result<chaos::CanaryStrike> strike_of(const json& args, const std::string& system) {
    const auto kind = text_of(args, "kind");
    chaos::CanaryStrike strike;
    if (kind == "error") {
        strike.error = true;
    } else if (kind == "crash") {
        strike.crash = true;
    } else if (kind == "corruption" && system == "manager") {
        strike.corruption = true;
    } else if (kind == "latency") {
        const auto delay_ms = in_range(args, "milliseconds", 1, kDelayMsMax, 0);
        if (!delay_ms) return std::unexpected(delay_ms.error());
        strike.latency = std::chrono::milliseconds(*delay_ms);
    } else {
        return fail(Errc::invalid_argument, "'" + kind + "' is no fault of the canary of " + system,
                    "give error, latency, crash or, for the manager, corruption");
    }
    return strike;
}

Result<json> canary(const AdminServices& services, const AdminCall& call) {
    const auto system = text_of(call.args, "system");
    const auto* releases = services.releases.find(system);
    if (releases == nullptr || releases->names().canary.empty())
        return fail(Errc::not_found, "no system '" + system + "' with a canary on this node",
                    "`dwcp-shell -c status` lists the releases");
    const auto percent = in_range(call.args, "percent", 1, 100, 100);
    if (!percent) return std::unexpected(percent.error());
    const auto strike = strike_of(call.args, system);
    if (!strike) return std::unexpected(strike.error());
    chaos::CanaryFault fault{system, static_cast<std::uint32_t>(*percent), *strike};
    const auto hits = fault.hits;
    return inject(services, call, system + " " + text_of(call.args, "kind"), hits,
                  [&]() -> Result<std::function<void()>> {
                      const auto id = services.canary_faults.add(fault);
                      return [&faults = services.canary_faults, id] { faults.remove(id); };
                  });
}

Result<json> fill_disk(const AdminServices& services, const AdminCall& call) {
    const auto directory = services.config.get()->data_dir;
    const auto leave = number_of(call.args, "leave_bytes", 0);
    const auto most = number_of(call.args, "bytes_max", kBallastBytesMax);
    if (auto some = in_range(call.args, "bytes_max", 1, UINT64_MAX, kBallastBytesMax); !some)
        return std::unexpected(some.error());
    if (auto planned = chaos::plan_ballast(directory, leave, most); !planned)
        return std::unexpected(planned.error());
    for (const auto& fault : services.faults.all())
        if (fault.kind == "fill-disk")
            return fail(Errc::already_exists, "the disk is being filled already",
                        "end that with `chaos stop`");
    return inject(services, call, directory, nullptr, [&]() -> Result<std::function<void()>> {
        if (auto placed = chaos::place_ballast(directory, leave, most); !placed)
            return std::unexpected(placed.error());
        return [directory] { chaos::remove_ballast(directory); };
    });
}

json status(const AdminServices& services) {
    json faults = json::array();
    for (const auto& fault : services.faults.all())
        faults.push_back(view_json(fault));
    return {{"node", services.identity.name},
            {"enabled", services.config.get()->chaos},
            {"faults", std::move(faults)}};
}

Result<json> stop(const AdminServices& services, const AdminCall& call) {
    std::optional<std::uint64_t> id;
    if (call.args.contains("id")) id = number_of(call.args, "id", 0);
    const auto running = services.faults.all();
    const auto hit =
        std::ranges::count_if(running, [&](const auto& fault) { return !id || fault.id == *id; });
    if (id && hit == 0)
        return fail(Errc::not_found, "no fault " + std::to_string(*id), "`chaos status` lists them");
    if (flag_of(call.args, "dry_run")) return json{{"stopped", 0}, {"would_stop", hit}, {"dry_run", true}};
    return json{{"stopped", services.faults.stop(id)}};
}

} // namespace

void add_chaos_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["chaos.status"] = [&services](const AdminCall&) { return status(services); };
    verbs["chaos.stop"] = [&services](const AdminCall& call) { return stop(services, call); };
    verbs["chaos.kill"] = [&services](const AdminCall& call) { return kill(services, call); };
    verbs["chaos.pause"] = [&services](const AdminCall& call) { return pause(services, call); };
    verbs["chaos.canary"] = [&services](const AdminCall& call) { return canary(services, call); };
    verbs["chaos.fill-disk"] = [&services](const AdminCall& call) { return fill_disk(services, call); };
    verbs["chaos.drop"] = [&services](const AdminCall& call) {
        return disturb(services, call, {.drop = true});
    };
    verbs["chaos.corrupt"] = [&services](const AdminCall& call) {
        return disturb(services, call, {.corrupt = true});
    };
    verbs["chaos.delay"] = [&services](const AdminCall& call) -> Result<json> {
        const auto delay_ms = in_range(call.args, "milliseconds", 1, kDelayMsMax, 0);
        if (!delay_ms) return std::unexpected(delay_ms.error());
        return disturb(services, call, {.delay = std::chrono::milliseconds(*delay_ms)});
    };
}

} // namespace dwcp::node
