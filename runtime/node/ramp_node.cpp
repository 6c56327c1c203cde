#include "runtime/node/ramp_node.hpp"

#include "protocols/ramp/wire.hpp"
#include "runtime/node/tree.hpp"
#include "runtime/release/plan_file.hpp"

#include <algorithm>
#include <chrono>

namespace dwcp::node {
namespace {

constexpr std::uint32_t kLeaseMsMin = 3'000;
/// Lost polls in a row that a lease survives.
constexpr std::uint32_t kLeasePolls = 6;

Duration ms(std::uint64_t value) { return std::chrono::milliseconds(value); }

} // namespace

RampNode::RampNode(RampNodeServices services)
    : services_(std::move(services)), journal_(services_.store),
      evidence_({services_.store, services_.events, services_.configuration, services_.config.name}),
      exercises_(services_.exercises) {}

ramp::RampOptions RampNode::options() const {
    const auto& config = services_.config;
    const auto lease_ms = config.ramp_lease_ms > 0
                              ? config.ramp_lease_ms
                              : std::max(kLeaseMsMin, kLeasePolls * config.ramp_poll_interval_ms);
    return {config.name, members_of(config), ms(config.ramp_poll_interval_ms), ms(lease_ms),
            ms(config.ramp_takeover_after_ms)};
}

ramp::RampServices RampNode::services(links::ControlLinks& links, WorkerPool& pool) {
    return {.journal = journal_,
            .evidence = evidence_,
            .exercises = exercises_,
            .links = links,
            .pool = pool,
            .events = services_.events,
            .kill_points = kill_points_,
            .obey = [this](const ramp::Directive& directive) { obey(directive); },
            .report = [this] { return report(); },
            .read_plan = [](const std::string& text) { return release::parse_plan(text); },
            .host_heard =
                [this] {
                    const std::lock_guard lock(mutex_);
                    return heard_;
                }};
}

void RampNode::serve(links::ControlLinks& links) {
    links.serve_function(ramp::kPollService,
                         [this](const links::PeerRequest& request) { return answer_poll(request); });
    links.serve_function(ramp::kHeardService, [this](const links::PeerRequest&) { return answer_heard(); });
    links.serve_function(ramp::kExerciseService,
                         [this](const links::PeerRequest& request) { return answer_order(request); });
    leases_.emplace("ramp-leases", release::kLookEvery, [this] { services_.releases.look(); });
}

void RampNode::watch(std::function<nlohmann::json()> health, std::function<wire::NodeSpace()> space) {
    facts_ = std::make_unique<RampFacts>(
        RampFactsSources{std::move(health), std::move(space), services_.config.consensus ? kLanes.size() : 0,
                         services_.config.tls(), ms(services_.config.ramp_poll_interval_ms)},
        window_);
}

void RampNode::stop() {
    facts_.reset();
    exercises_.stop();
    leases_.reset();
}

void RampNode::obey(const ramp::Directive& directive) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t before = services_.releases.seq();
    // A host that has looked at nobody yet says nothing, and is heard all the same.
    const bool says_nothing = directive.term == 0;
    if (!says_nothing && !services_.releases.apply(directive)) return;
    heard_ = std::chrono::steady_clock::now();
    if (says_nothing) return;
    recent_ms_ = directive.recent_ms;
    if (services_.releases.seq() != before) window_.open();
}

ramp::NodeReport RampNode::report() const {
    std::uint64_t recent_ms = 0;
    {
        const std::lock_guard lock(mutex_);
        recent_ms = recent_ms_;
    }
    ramp::NodeReport report;
    report.node = services_.config.name;
    report.incarnation = services_.identity.incarnation;
    report.seq = services_.releases.seq();
    report.window_ms = services_.releases.window_ms();
    report.systems = services_.releases.reports();
    report.total = window_.total();
    report.recent = window_.recent(ms(recent_ms), std::chrono::steady_clock::now());
    return report;
}

Result<Bytes> RampNode::answer_poll(const links::PeerRequest& request) {
    const auto directive = ramp::decode_directive(request.body);
    if (!directive) return std::unexpected(directive.error());
    // A journal that lags behind gives the weight a moment later; what takes weight away is never late.
    const auto position = journal_.position();
    if (!position) return std::unexpected(position.error());
    if (position->lets_direct(request.from, *directive)) obey(*directive);
    return ramp::encode(report());
}

Result<Bytes> RampNode::answer_heard() const {
    const std::lock_guard lock(mutex_);
    const auto since = std::chrono::steady_clock::now() - heard_;
    return to_bytes(std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
}

Result<Bytes> RampNode::answer_order(const links::PeerRequest& request) {
    const auto order = ramp::order_from_text(as_text(request.body));
    if (!order) return std::unexpected(order.error());
    const auto position = journal_.position();
    if (!position) return std::unexpected(position.error());
    if (position->host != request.from)
        return fail(Errc::permission_denied, request.from + " does not host the ramp and orders no exercise",
                    "this node's journal of the ramp names " + position->host + " as the host");
    return to_bytes(ramp::to_text(exercises_.run(*order)));
}

} // namespace dwcp::node
