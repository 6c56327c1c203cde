#include "protocols/ramp/wire.hpp"

#include "protocols/ramp/counts.hpp"
#include "protocols/wire/foreign_message.hpp"
#include "protocols/wire/limits.hpp"
#include "protocols/wire/schema/ramp.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace dwcp::ramp {
namespace {

namespace schema = wire::schema;
using wire::kNodeNameBytesMax;

// What a sketch may take that somebody else encoded: all buckets there are, each with the longest numbers.
constexpr std::size_t kSketchBytesMax = (static_cast<std::size_t>(Sketch::kBucketLast) + 1) * 12;

/// Some 30 years, as a plan's longest: still a number of nanoseconds.
constexpr std::uint64_t kSpanMsMax = 1'000'000'000'000;

/// Why something does not decode; the edge below turns it into an Error.
struct Malformed {
    const char* what;
};

void require(bool holds, const char* what) {
    if (!holds) throw Malformed{what};
}

Bytes to_flat_bytes(capnp::MessageBuilder& message) {
    const kj::Array<capnp::word> flat = capnp::messageToFlatArray(message);
    const auto bytes = flat.asBytes();
    return {bytes.begin(), bytes.end()};
}

// Texts of ours.

/// With its length: from a std::string alone Cap'n Proto would take the text up to its first zero byte.
capnp::Text::Reader text(const std::string& from) { return {from.c_str(), from.size()}; }

std::string cut(const std::string& from, std::size_t bytes_max = kTextBytesMax) {
    return from.size() <= bytes_max ? from : from.substr(0, bytes_max - 3) + "...";
}

// Texts and numbers of others.

std::string read_text(capnp::Text::Reader from, std::size_t bytes_max = kTextBytesMax) {
    require(from.size() <= bytes_max, "a text is too long");
    return {from.begin(), from.end()};
}

double finite(double value) {
    require(std::isfinite(value), "a number is not finite");
    return value;
}

template<class Enum>
Enum read_enum(std::uint8_t value, Enum last) {
    require(value <= static_cast<std::uint8_t>(last), "a kind is unknown");
    return static_cast<Enum>(value);
}

/// What a node cannot say in a finite number it says as `otherwise`, so that others still understand the
/// rest.
double sane(double value, double otherwise = 0) { return std::isfinite(value) ? value : otherwise; }

void write(schema::RampNumber::Builder out, const std::optional<double>& value) {
    const bool is = value && std::isfinite(*value);
    out.setIs(is);
    out.setValue(is ? *value : 0);
}

std::optional<double> read(schema::RampNumber::Reader from) {
    if (!from.getIs()) return std::nullopt;
    return finite(from.getValue());
}

// Directive.

void write(schema::RampDirective::Builder out, const Directive& directive) {
    out.setTerm(directive.term);
    out.setSeq(directive.seq);
    const auto count = std::min(directive.weights.size(), kSystemsMax);
    auto weights = out.initWeights(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; ++i) {
        const Weight& weight = directive.weights[i];
        weights[i].setSystem(text(cut(weight.system, kNodeNameBytesMax)));
        weights[i].setPercent(std::clamp(sane(weight.percent), 0.0, 100.0));
        weights[i].setShadow(weight.shadow);
        const auto nodes_count = std::min(weight.nodes.size(), kNodesMax);
        auto nodes = weights[i].initNodes(static_cast<unsigned>(nodes_count));
        for (unsigned node = 0; node < nodes_count; ++node)
            nodes.set(node, text(cut(weight.nodes[node], kNodeNameBytesMax)));
    }
    out.setRecentMs(directive.recent_ms);
    out.setLeaseMs(directive.lease_ms);
    out.setPromoted(directive.promoted);
    out.setKillSwitch(directive.kill_switch);
    out.setReason(text(cut(directive.reason)));
}

Directive read(schema::RampDirective::Reader from) {
    Directive directive;
    directive.term = from.getTerm();
    directive.seq = from.getSeq();
    const auto weights = from.getWeights();
    require(weights.size() <= kSystemsMax, "too many systems");
    for (const auto& weight : weights) {
        Weight& out = directive.weights.emplace_back();
        out.system = read_text(weight.getSystem(), kNodeNameBytesMax);
        out.percent = weight.getPercent();
        require(out.percent >= 0 && out.percent <= 100, "a weight is not within 0 and 100");
        out.shadow = weight.getShadow();
        const auto nodes = weight.getNodes();
        require(nodes.size() <= kNodesMax, "too many nodes");
        for (const auto& node : nodes)
            out.nodes.push_back(read_text(node, kNodeNameBytesMax));
    }
    directive.recent_ms = from.getRecentMs();
    directive.lease_ms = from.getLeaseMs();
    require(directive.recent_ms <= kSpanMsMax && directive.lease_ms <= kSpanMsMax, "a time is too long");
    directive.promoted = from.getPromoted();
    directive.kill_switch = from.getKillSwitch();
    directive.reason = read_text(from.getReason());
    return directive;
}

// The parts of a record.

void write(schema::RampVerdict::Builder out, const Verdict& verdict) {
    out.setCriterion(text(cut(verdict.criterion, kNameBytesMax)));
    out.setCheck(static_cast<std::uint8_t>(verdict.check));
    out.setOutcome(static_cast<std::uint8_t>(verdict.outcome));
    out.setLimit(sane(verdict.limit));
    write(out.initMeasured(), verdict.measured);
    out.setUnit(text(cut(verdict.unit, kNodeNameBytesMax)));
    out.setNCanary(verdict.n_canary);
    out.setNStable(verdict.n_stable);
    write(out.initEffect(), verdict.effect);
    write(out.initLow(), verdict.low);
    write(out.initHigh(), verdict.high);
    out.setReason(text(cut(verdict.reason)));
    out.setOverridden(verdict.overridden);
}

Verdict read(schema::RampVerdict::Reader from) {
    Verdict verdict;
    verdict.criterion = read_text(from.getCriterion(), kNameBytesMax);
    verdict.check = read_enum(from.getCheck(), kCheckLast);
    verdict.outcome = read_enum(from.getOutcome(), Outcome::not_applicable);
    verdict.limit = finite(from.getLimit());
    verdict.measured = read(from.getMeasured());
    verdict.unit = read_text(from.getUnit(), kNodeNameBytesMax);
    verdict.n_canary = from.getNCanary();
    verdict.n_stable = from.getNStable();
    verdict.effect = read(from.getEffect());
    verdict.low = read(from.getLow());
    verdict.high = read(from.getHigh());
    verdict.reason = read_text(from.getReason());
    verdict.overridden = from.getOverridden();
    return verdict;
}

void write(schema::RampAlarm::Builder out, const Alarm& alarm) {
    out.setTrigger(text(cut(alarm.trigger, kNameBytesMax)));
    out.setAtOnce(alarm.at_once);
    out.setLimit(sane(alarm.limit));
    out.setMeasured(sane(alarm.measured));
    out.setN(alarm.n);
    out.setSystem(text(cut(alarm.system, kNodeNameBytesMax)));
    out.setReason(text(cut(alarm.reason)));
}

Alarm read(schema::RampAlarm::Reader from) {
    Alarm alarm;
    alarm.trigger = read_text(from.getTrigger(), kNameBytesMax);
    alarm.at_once = from.getAtOnce();
    alarm.limit = finite(from.getLimit());
    alarm.measured = finite(from.getMeasured());
    alarm.n = from.getN();
    alarm.system = read_text(from.getSystem(), kNodeNameBytesMax);
    alarm.reason = read_text(from.getReason());
    return alarm;
}

void write(schema::RampExercise::Builder out, const ExerciseResult& result) {
    out.setWhat(static_cast<std::uint8_t>(result.what));
    out.setDone(result.done);
    out.setOk(result.ok);
    out.setTookMs(result.took_ms);
    out.setDetail(text(cut(result.detail)));
}

ExerciseResult read(schema::RampExercise::Reader from) {
    return {.what = read_enum(from.getWhat(), kCheckLast),
            .done = from.getDone(),
            .ok = from.getOk(),
            .took_ms = from.getTookMs(),
            .detail = read_text(from.getDetail())};
}

void write(schema::RampAttestation::Builder out, const Attestation& attestation) {
    out.setSubject(text(cut(attestation.subject, kNameBytesMax)));
    out.setBy(text(cut(attestation.by)));
    out.setRole(text(cut(attestation.role, kNameBytesMax)));
    out.setReason(text(cut(attestation.reason)));
    out.setUntilMs(attestation.until_ms);
}

Attestation read(schema::RampAttestation::Reader from) {
    return {.subject = read_text(from.getSubject(), kNameBytesMax),
            .by = read_text(from.getBy()),
            .role = read_text(from.getRole(), kNameBytesMax),
            .reason = read_text(from.getReason()),
            .until_ms = from.getUntilMs()};
}

Record read(schema::RampRecord::Reader from) {
    Record record;
    record.seq = from.getSeq();
    record.term = from.getTerm();
    record.at_ms = from.getAtMs();
    record.kind = read_enum(from.getKind(), kRecordKindLast);
    record.step = from.getStep();
    record.stage = from.getStage();
    record.node = read_text(from.getNode(), kNodeNameBytesMax);
    record.plan_toml = read_text(from.getPlanToml(), kPlanTextBytesMax);
    record.day_ms = from.getDayMs();
    if (from.hasDirective()) record.directive = read(from.getDirective());
    if (from.hasAlarm()) record.alarm = read(from.getAlarm());
    if (from.hasExercise()) record.exercise = read(from.getExercise());
    if (from.hasAttestation()) record.attestation = read(from.getAttestation());
    const auto verdicts = from.getVerdicts();
    require(verdicts.size() <= kCriteriaMax, "too many verdicts");
    for (const auto& verdict : verdicts)
        record.verdicts.push_back(read(verdict));
    record.by = {.name = read_text(from.getByName()),
                 .role = read_text(from.getByRole(), kNameBytesMax),
                 .reason = read_text(from.getByReason())};
    record.reason = read_text(from.getReason());
    record.on = from.getOn();
    return record;
}

// Sketches.

void put_number(Bytes& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        out.push_back(static_cast<Byte>(value | 0x80));
    out.push_back(static_cast<Byte>(value));
}

std::uint64_t take_number(ByteView& from) {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        require(!from.empty() && shift < 64, "a sketch is cut off");
        const Byte byte = from.front();
        from = from.subspan(1);
        require(shift < 63 || byte <= 1, "a number of a sketch is too large");
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return value;
    }
}

Bytes sketch_bytes(const Sketch& sketch, std::size_t buckets_max) {
    const auto& buckets = sketch.buckets();
    auto bucket = buckets.begin();
    std::uint64_t collapsed = 0;
    for (std::size_t over = buckets.size() > buckets_max ? buckets.size() - buckets_max : 0; over > 0; --over)
        collapsed = add_counts(collapsed, (bucket++)->second);
    Bytes out;
    std::int32_t last = 0;
    for (; bucket != buckets.end(); ++bucket) {
        put_number(out, static_cast<std::uint64_t>(bucket->first - last));
        put_number(out, add_counts(bucket->second, std::exchange(collapsed, 0)));
        last = bucket->first;
    }
    return out;
}

Sketch read_sketch(capnp::Data::Reader data) {
    require(data.size() <= kSketchBytesMax, "a sketch is too large");
    ByteView from(data.begin(), data.size());
    std::map<std::int32_t, std::uint64_t> buckets;
    std::uint64_t bucket = 0;
    while (!from.empty()) {
        const std::uint64_t distance = take_number(from);
        require(distance <= static_cast<std::uint64_t>(Sketch::kBucketLast), "a bucket is out of range");
        require(distance > 0 || buckets.empty(), "buckets of a sketch are not ascending");
        bucket += distance;
        require(bucket <= static_cast<std::uint64_t>(Sketch::kBucketLast), "a bucket is out of range");
        const std::uint64_t count = take_number(from);
        require(count > 0, "a bucket of a sketch is empty");
        buckets.emplace(static_cast<std::int32_t>(bucket), count);
    }
    return Sketch::from_buckets(std::move(buckets));
}

// Reports.

void write(schema::RampWork::Builder out, const Work& work, std::size_t buckets_max) {
    out.setRequests(work.requests);
    out.setErrors(work.errors);
    const Bytes latency = sketch_bytes(work.latency, buckets_max);
    out.setLatency(kj::arrayPtr(latency.data(), latency.size()));
    out.setBytes(work.bytes);
    out.setCostUs(work.cost_us);
}

Work read(schema::RampWork::Reader from) {
    return {.requests = from.getRequests(),
            .errors = from.getErrors(),
            .latency = read_sketch(from.getLatency()),
            .bytes = from.getBytes(),
            .cost_us = from.getCostUs()};
}

std::array<Work, 2> read(capnp::List<schema::RampWork>::Reader from) {
    require(from.size() == 2, "a system does not report two releases");
    return {read(from[0]), read(from[1])};
}

void write(schema::RampFacts::Builder out, const Facts& facts) {
    out.setConsensusFailures(facts.consensus_failures);
    out.setLaneLooks(facts.lane_looks);
    out.setLaneLooksAvailable(facts.lane_looks_available);
    out.setCorruptions(facts.corruptions);
    out.setSecurityBreaches(facts.security_breaches);
    out.setCriticalIncidents(facts.critical_incidents);
    out.setChecks(facts.checks);
    out.setChecksFailing(facts.checks_failing);
    const auto count = std::min(facts.failing.size(), kFailingNamesMax);
    auto failing = out.initFailing(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; ++i)
        failing.set(i, text(cut(facts.failing[i], kNameBytesMax)));
    // Not a number: the node cannot say how loaded it is, and must not look idle.
    out.setResourceUse(sane(facts.resource_use, 1));
    out.setMetricsExpected(facts.metrics_expected);
    out.setMetricsPresent(facts.metrics_present);
}

Facts read(schema::RampFacts::Reader from) {
    Facts facts;
    facts.consensus_failures = from.getConsensusFailures();
    facts.lane_looks = from.getLaneLooks();
    facts.lane_looks_available = from.getLaneLooksAvailable();
    facts.corruptions = from.getCorruptions();
    facts.security_breaches = from.getSecurityBreaches();
    facts.critical_incidents = from.getCriticalIncidents();
    facts.checks = from.getChecks();
    facts.checks_failing = from.getChecksFailing();
    const auto failing = from.getFailing();
    require(failing.size() <= kFailingNamesMax, "too many failing checks");
    for (const auto& name : failing)
        facts.failing.push_back(read_text(name, kNameBytesMax));
    facts.resource_use = finite(from.getResourceUse());
    facts.metrics_expected = from.getMetricsExpected();
    facts.metrics_present = from.getMetricsPresent();
    return facts;
}

void write(schema::RampSystemReport::Builder out, const System& system, const SystemReport& report,
           std::size_t buckets_max) {
    out.setSystem(text(cut(system, kNodeNameBytesMax)));
    out.setStable(text(cut(report.stable, kNameBytesMax)));
    out.setCanary(text(cut(report.canary, kNameBytesMax)));
    out.setCanaryPercent(sane(report.canary_percent, 100));
    auto total = out.initTotal(2);
    auto recent = out.initRecent(2);
    for (unsigned i = 0; i < 2; ++i) {
        write(total[i], report.total[i], buckets_max);
        write(recent[i], report.recent[i], buckets_max);
    }
    if (report.shadow.requests > 0) write(out.initShadow(), report.shadow, buckets_max);
    out.setCanaryInFlight(report.canary_in_flight);
    out.setCanaryLastMs(report.canary_last_ms);
    out.setForced(text(cut(report.forced)));
    out.setUnsettled(text(cut(report.unsettled)));
}

SystemReport read(schema::RampSystemReport::Reader from) {
    SystemReport report;
    report.stable = read_text(from.getStable(), kNameBytesMax);
    report.canary = read_text(from.getCanary(), kNameBytesMax);
    report.canary_percent = finite(from.getCanaryPercent());
    report.total = read(from.getTotal());
    report.recent = read(from.getRecent());
    if (from.hasShadow()) report.shadow = read(from.getShadow());
    report.canary_in_flight = from.getCanaryInFlight();
    report.canary_last_ms = from.getCanaryLastMs();
    report.forced = read_text(from.getForced());
    report.unsettled = read_text(from.getUnsettled());
    return report;
}

NodeReport read(schema::RampNodeReport::Reader from) {
    NodeReport report;
    report.node = read_text(from.getNode(), kNodeNameBytesMax);
    report.incarnation = from.getIncarnation();
    report.seq = from.getSeq();
    report.window_ms = from.getWindowMs();
    const auto systems = from.getSystems();
    require(systems.size() <= kSystemsMax, "too many systems");
    for (const auto& system : systems)
        report.systems[read_text(system.getSystem(), kNodeNameBytesMax)] = read(system);
    report.total = read(from.getTotal());
    report.recent = read(from.getRecent());
    return report;
}

Bytes report_bytes(const NodeReport& report, std::size_t buckets_max) {
    capnp::MallocMessageBuilder builder(kReportBytesMax / sizeof(capnp::word));
    auto out = builder.initRoot<schema::RampNodeReport>();
    out.setNode(text(cut(report.node, kNodeNameBytesMax)));
    out.setIncarnation(report.incarnation);
    out.setSeq(report.seq);
    out.setWindowMs(report.window_ms);
    auto systems = out.initSystems(static_cast<unsigned>(std::min(report.systems.size(), kSystemsMax)));
    unsigned i = 0;
    for (const auto& [system, of] : report.systems) {
        if (i == systems.size()) break;
        write(systems[i++], system, of, buckets_max);
    }
    write(out.initTotal(), report.total);
    write(out.initRecent(), report.recent);
    return to_flat_bytes(builder);
}

std::unexpected<Error> bad(Errc code, const std::string& message) {
    return fail(code, message, "the peer sends malformed messages of the ramp: check its version");
}

/// Cap'n Proto and the readers above report malformed input by throwing; this is the edge where that ends.
template<class Root>
auto decode(ByteView bytes, std::size_t bytes_max, const char* what)
    -> Result<decltype(read(std::declval<typename Root::Reader>()))> {
    if (bytes.size() > bytes_max) return bad(Errc::too_large, std::string(what) + " is over its limit");
    const auto malformed = [what](const std::string& why) {
        return bad(Errc::invalid_argument, std::string(what) + " does not decode: " + why);
    };
    using Value = decltype(read(std::declval<typename Root::Reader>()));
    return wire::read_foreign<Root>(
        bytes,
        [&](typename Root::Reader reader) -> Result<Value> {
            try {
                return read(reader);
            } catch (const Malformed& found) {
                return malformed(found.what);
            }
        },
        malformed);
}

} // namespace

Bytes encode(const Record& record) {
    capnp::MallocMessageBuilder builder(kRecordBytesMax / sizeof(capnp::word));
    auto out = builder.initRoot<schema::RampRecord>();
    out.setSeq(record.seq);
    out.setTerm(record.term);
    out.setAtMs(record.at_ms);
    out.setKind(static_cast<std::uint8_t>(record.kind));
    out.setStep(record.step);
    out.setStage(record.stage);
    out.setNode(text(cut(record.node, kNodeNameBytesMax)));
    out.setPlanToml(text(cut(record.plan_toml, kPlanTextBytesMax)));
    out.setDayMs(record.day_ms);
    if (record.directive) write(out.initDirective(), *record.directive);
    if (record.alarm) write(out.initAlarm(), *record.alarm);
    if (record.exercise) write(out.initExercise(), *record.exercise);
    if (record.attestation) write(out.initAttestation(), *record.attestation);
    const auto count = std::min(record.verdicts.size(), kCriteriaMax);
    auto verdicts = out.initVerdicts(static_cast<unsigned>(count));
    for (unsigned i = 0; i < count; ++i)
        write(verdicts[i], record.verdicts[i]);
    out.setByName(text(cut(record.by.name)));
    out.setByRole(text(cut(record.by.role, kNameBytesMax)));
    out.setByReason(text(cut(record.by.reason)));
    out.setReason(text(cut(record.reason)));
    out.setOn(record.on);
    return to_flat_bytes(builder);
}

Result<Record> decode_record(ByteView bytes) {
    return decode<schema::RampRecord>(bytes, kRecordBytesMax, "a record of the ramp");
}

Bytes encode(const Directive& directive) {
    capnp::MallocMessageBuilder builder;
    write(builder.initRoot<schema::RampDirective>(), directive);
    return to_flat_bytes(builder);
}

Result<Directive> decode_directive(ByteView bytes) {
    return decode<schema::RampDirective>(bytes, kDirectiveBytesMax, "a directive of the ramp");
}

Bytes encode(const NodeReport& report) {
    Bytes bytes = report_bytes(report, kSketchBucketsMax);
    for (std::size_t buckets = kSketchBucketsMax / 2; bytes.size() > kReportBytesMax && buckets > 0;
         buckets /= 2)
        bytes = report_bytes(report, buckets);
    return bytes;
}

Result<NodeReport> decode_report(ByteView bytes) {
    return decode<schema::RampNodeReport>(bytes, kReportBytesMax, "a report to the ramp");
}

} // namespace dwcp::ramp
