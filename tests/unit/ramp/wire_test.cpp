// Bytes of the ramp: whole round trips, limits, and what others may send.
#include "tests/unit/ramp/sample_ramp.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

namespace dwcp::ramp {
namespace {

using namespace testing;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

} // namespace

TEST_CASE("a record with every field comes back as it was") {
    const Record record = sample_record();
    const auto again = decode_record(encode(record));
    if (!again) FAIL(again.error().render());
    CHECK(again->seq == 42);
    CHECK(again->term == 3);
    CHECK(again->at_ms == record.at_ms);
    CHECK(again->kind == Record::Kind::rollback_begun);
    CHECK(again->step == 2);
    CHECK(again->stage == 1);
    CHECK(again->node == "site-a");
    CHECK(again->plan_toml == record.plan_toml);
    CHECK(again->day_ms == 5'000);
    CHECK(again->directive == record.directive);
    REQUIRE(again->verdicts.size() == 2);
    CHECK(again->verdicts[1].reason == std::string(100, 'r'));
    CHECK(again->verdicts[0].outcome == Outcome::inconclusive);
    CHECK(again->verdicts[0].effect == -0.5);
    CHECK_FALSE(again->verdicts[0].low.has_value());
    CHECK(again->verdicts[0].high == 0.75);
    CHECK(again->verdicts[0].overridden);
    REQUIRE(again->alarm.has_value());
    CHECK(again->alarm->trigger == "error rate > 1 %");
    CHECK_FALSE(again->alarm->at_once);
    CHECK(again->alarm->n == 12);
    REQUIRE(again->exercise.has_value());
    CHECK(again->exercise->took_ms == 77);
    REQUIRE(again->attestation.has_value());
    CHECK(again->attestation->until_ms == 99);
    CHECK(again->by.reason == "why");
    CHECK(again->on);
    CHECK(encode(*again) == encode(record));
}

TEST_CASE("what a record does not have is not there afterwards either") {
    const auto again = decode_record(encode(Record{}));
    if (!again) FAIL(again.error().render());
    CHECK_FALSE(again->directive.has_value());
    CHECK_FALSE(again->alarm.has_value());
    CHECK_FALSE(again->exercise.has_value());
    CHECK_FALSE(again->attestation.has_value());
    CHECK(again->verdicts.empty());
}

TEST_CASE("the largest records fit a lane's command") {
    Record gate;
    gate.kind = Record::Kind::stage_passed;
    gate.verdicts.assign(kCriteriaMax, sample_verdict(1'000));
    gate.reason = gate.by.reason = std::string(5'000, 'x');
    CHECK(encode(gate).size() <= kRecordBytesMax);
    CHECK(decode_record(encode(gate)).has_value());
    Record start;
    start.kind = Record::Kind::started;
    start.plan_toml = std::string(kPlanTextBytesMax, '#');
    start.reason = start.by.reason = std::string(5'000, 'x');
    const auto again = decode_record(encode(start));
    REQUIRE(again.has_value());
    CHECK(again->plan_toml.size() == kPlanTextBytesMax);
}

TEST_CASE("a directive comes back as it was, and a weight beyond all is not believed") {
    const Directive directive = sample_directive();
    const auto again = decode_directive(encode(directive));
    REQUIRE(again.has_value());
    CHECK(*again == directive);
    Directive wild = directive;
    wild.weights[0].percent = 1e9;
    CHECK(decode_directive(encode(wild))->weights[0].percent == 100);
    for (auto time : {&Directive::lease_ms, &Directive::recent_ms}) {
        Directive endless = directive;
        endless.*time = ~std::uint64_t{0};
        CHECK_FALSE(decode_directive(encode(endless)).has_value());
    }
}

TEST_CASE("a report of six systems with four full sketches each fits a control frame") {
    const NodeReport report = large_report(6, 1'000'000);
    const Bytes bytes = encode(report);
    CHECK(bytes.size() <= kReportBytesMax);
    const auto again = decode_report(bytes);
    if (!again) FAIL(again.error().render());
    REQUIRE(again->systems.size() == 6);
    const Sketch& sent = report.systems.at("system-0").total[1].latency;
    const Sketch& got = again->systems.at("system-0").total[1].latency;
    CHECK(got.buckets().size() == kSketchBucketsMax);
    CHECK(got.count() == sent.count());
    // The upper quantiles are untouched; what was collapsed looks longer, never shorter.
    CHECK(got.quantile(0.99) == sent.quantile(0.99));
    CHECK(got.quantile(0.7) == sent.quantile(0.7));
    CHECK(got.quantile(0.01) >= sent.quantile(0.01));
    CHECK(again->systems.at("system-0").shadow.requests == 11);
    CHECK(again->systems.at("system-0").forced == "it crashes");
    CHECK(again->systems.at("system-0").unsettled == "5 requests of the canary are under way");
    CHECK(again->total.failing == report.total.failing);
    CHECK(again->recent.resource_use == 0.75);
}

TEST_CASE("a report that would still not fit keeps fewer buckets") {
    const NodeReport report = large_report(kSystemsMax, std::numeric_limits<std::uint64_t>::max() / 2'000);
    const Bytes bytes = encode(report);
    CHECK(bytes.size() <= kReportBytesMax);
    const auto again = decode_report(bytes);
    if (!again) FAIL(again.error().render());
    CHECK(again->systems.size() == kSystemsMax);
    const Sketch& sent = report.systems.at("system-0").total[0].latency;
    CHECK(again->systems.at("system-0").total[0].latency.count() == sent.count());
}

TEST_CASE("a small sketch travels without a change") {
    NodeReport report = large_report(0, 1);
    Sketch sketch;
    for (const double value : {0.001, 0.001, 0.02, 3.0, 20'000.0})
        sketch.add(value);
    report.systems["manager"].recent[1].latency = sketch;
    const auto again = decode_report(encode(report));
    REQUIRE(again.has_value());
    CHECK(again->systems.at("manager").recent[1].latency == sketch);
}

TEST_CASE("what is not a number is never sent, and never looks healthy") {
    NodeReport report = large_report(1, 1);
    report.total.resource_use = kNan;
    report.systems.at("system-0").canary_percent = kNan;
    const auto again = decode_report(encode(report));
    REQUIRE(again.has_value());
    CHECK(again->total.resource_use == 1);
    CHECK(again->systems.at("system-0").canary_percent == 100);
    Record record = sample_record();
    record.verdicts[0].measured = kNan;
    record.verdicts[0].effect = std::numeric_limits<double>::infinity();
    const auto judged = decode_record(encode(record));
    REQUIRE(judged.has_value());
    CHECK_FALSE(judged->verdicts[0].measured.has_value());
    CHECK_FALSE(judged->verdicts[0].effect.has_value());
}

TEST_CASE("cut off or flipped bytes give an error or something whole, never a crash") {
    const Bytes whole = encode(sample_record());
    for (std::size_t size = 0; size < whole.size(); size += 8) {
        const auto cut = decode_record(ByteView(whole).first(size));
        INFO("the first " << size << " bytes");
        CHECK_FALSE(cut.has_value());
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        Bytes flipped = whole;
        flipped[at] ^= 0xff;
        const auto decoded = decode_record(flipped);
        if (decoded) CHECK(decode_record(encode(*decoded)).has_value());
        if (!decoded) CHECK(decoded.error().code == Errc::invalid_argument);
    }
}

TEST_CASE("a message over its limit is refused before it is read") {
    CHECK(decode_record(Bytes(kRecordBytesMax + 8)).error().code == Errc::too_large);
    CHECK(decode_report(Bytes(kReportBytesMax + 8)).error().code == Errc::too_large);
    CHECK(decode_directive(Bytes(kDirectiveBytesMax + 8)).error().code == Errc::too_large);
}

} // namespace dwcp::ramp
