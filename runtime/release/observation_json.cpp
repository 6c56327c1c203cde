#include "runtime/release/observation_json.hpp"

#include "protocols/ramp/wire.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>
#include <optional>

namespace dwcp::release {

namespace {

using nlohmann::json;
using ramp::Facts;
using ramp::NodeReport;
using ramp::Observation;
using ramp::Sketch;
using ramp::SystemReport;
using ramp::Work;

/// Beyond it a JSON number is not exact everywhere; no clock gets there.
constexpr std::uint64_t kTimeMsMax = 1ULL << 53;
constexpr std::size_t kPlanBytesMax = 64U << 10;

using Count = std::pair<const char*, std::uint64_t Facts::*>;
constexpr Count kFacts[]{{"consensus_failures", &Facts::consensus_failures},
                         {"lane_looks", &Facts::lane_looks},
                         {"lane_looks_available", &Facts::lane_looks_available},
                         {"corruptions", &Facts::corruptions},
                         {"security_breaches", &Facts::security_breaches},
                         {"critical_incidents", &Facts::critical_incidents},
                         {"checks", &Facts::checks},
                         {"checks_failing", &Facts::checks_failing},
                         {"metrics_expected", &Facts::metrics_expected},
                         {"metrics_present", &Facts::metrics_present}};

json facts_json(const Facts& facts) {
    json object = json::object();
    for (const auto& [name, count] : kFacts)
        if (facts.*count != 0) object[name] = facts.*count;
    if (!facts.failing.empty()) object["failing"] = facts.failing;
    object["resource_use"] = facts.resource_use; // null if it is not a number
    return object;
}

json work_json(const Work& work) {
    json buckets = json::array();
    for (const auto& [bucket, times] : work.latency.buckets())
        buckets.push_back({bucket, times});
    return {{"requests", work.requests},
            {"errors", work.errors},
            {"bytes", work.bytes},
            {"cost_us", work.cost_us},
            {"latency", std::move(buckets)}};
}

json both_json(const std::array<Work, 2>& both) {
    return {{"stable", work_json(both[0])}, {"canary", work_json(both[1])}};
}

json system_json(const SystemReport& report) {
    json object{{"stable", report.stable},
                {"canary", report.canary},
                {"canary_percent", report.canary_percent},
                {"total", both_json(report.total)},
                {"recent", both_json(report.recent)},
                {"canary_in_flight", report.canary_in_flight},
                {"canary_last_ms", report.canary_last_ms},
                {"forced", report.forced},
                {"unsettled", report.unsettled}};
    if (!(report.shadow.requests == 0 && report.shadow.latency.count() == 0))
        object["shadow"] = work_json(report.shadow);
    return object;
}

/// Reads one JSON value; the first problem is kept with its place, and everything after it is ignored.
class Reader {
  public:
    struct Problem {
        Errc code = Errc::invalid_argument;
        std::string text;
    };
    const std::optional<Problem>& problem() const { return problem_; }

    Observation observation(const json& value) {
        Observation seen;
        object(value, "an observation");
        seen.at_ms = static_cast<UnixMillis>(number(value, "at_ms", kTimeMsMax));
        if (!problem_ && !value.contains("at_ms")) refuse("it has no at_ms");
        seen.silent = texts(value, "silent", ramp::kNodesMax);
        for (const json& node : list(value, "nodes", ramp::kNodesMax)) {
            Inside inside(*this, fmt::format("nodes[{}]", seen.nodes.size()));
            seen.nodes.push_back(node_report(node));
        }
        return seen;
    }

    std::string text(const json& value, const char* name, std::size_t bytes_max) {
        const json& found = member(value, name);
        if (found.is_null()) return {};
        if (!found.is_string()) return refuse(fmt::format("{} must be a text", name)), std::string();
        const auto& string = found.get_ref<const std::string&>();
        if (string.size() > bytes_max)
            return too_large(fmt::format("{} has {} bytes, {} are allowed", name, string.size(), bytes_max)),
                   std::string();
        return string;
    }

    std::vector<std::string> texts(const json& value, const char* name, std::size_t most) {
        std::vector<std::string> all;
        for (const json& one : list(value, name, most)) {
            if (!one.is_string() || one.get_ref<const std::string&>().size() > ramp::kTextBytesMax) {
                refuse(fmt::format("{} must be a list of short texts", name));
                return {};
            }
            all.push_back(one.get<std::string>());
        }
        return all;
    }

    std::uint64_t number(const json& value, const char* name,
                         std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
        const json& found = member(value, name);
        if (found.is_null()) return 0;
        if (!found.is_number_unsigned() || found.get<std::uint64_t>() > most)
            return refuse(fmt::format("{} must be a whole number from 0 to {}", name, most)), 0;
        return found.get<std::uint64_t>();
    }

    void object(const json& value, const char* what) {
        if (!value.is_object()) refuse(fmt::format("{} must be an object", what));
    }

    const json& list(const json& value, const char* name, std::size_t most) {
        static const json kEmpty = json::array();
        const json& found = member(value, name);
        if (found.is_null()) return kEmpty;
        if (!found.is_array()) return refuse(fmt::format("{} must be a list", name)), kEmpty;
        if (found.size() > most)
            return too_large(fmt::format("{} has {} entries, {} are allowed", name, found.size(), most)),
                   kEmpty;
        return found;
    }

  private:
    /// Where within the line a problem is.
    class Inside {
      public:
        Inside(Reader& reader, std::string name) : path_(reader.path_), before_(reader.path_.size()) {
            path_ += (path_.empty() ? "" : ".") + name;
        }
        ~Inside() { path_.resize(before_); }
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;

      private:
        std::string& path_;
        std::size_t before_;
    };

    void add_problem(Errc code, std::string what) {
        if (!problem_) problem_ = {code, (path_.empty() ? "" : path_ + ": ") + std::move(what)};
    }
    void refuse(std::string what) { add_problem(Errc::invalid_argument, std::move(what)); }
    void too_large(std::string what) { add_problem(Errc::too_large, std::move(what)); }

    static const json& member(const json& value, const char* name) {
        static const json kNull;
        if (!value.is_object()) return kNull;
        const auto it = value.find(name);
        return it == value.end() ? kNull : *it;
    }

    double real(const json& value, const char* name, double low, double high) {
        const json& found = member(value, name);
        if (found.is_null()) return 0;
        if (!found.is_number() || !(found.get<double>() >= low && found.get<double>() <= high))
            return refuse(fmt::format("{} must be a number from {:g} to {:g}", name, low, high)), 0;
        return found.get<double>();
    }

    Work work(const json& value, const char* name) {
        const json& found = member(value, name);
        if (found.is_null()) return {};
        Inside inside(*this, name);
        object(found, "it");
        Work work;
        work.requests = number(found, "requests");
        work.errors = number(found, "errors");
        work.bytes = number(found, "bytes");
        work.cost_us = number(found, "cost_us");
        std::map<std::int32_t, std::uint64_t> buckets;
        for (const json& pair : list(found, "latency", Sketch::kBucketLast + 1)) {
            const bool good = pair.is_array() && pair.size() == 2 && pair[0].is_number_unsigned() &&
                              pair[1].is_number_unsigned() &&
                              pair[0].get<std::uint64_t>() <= std::uint64_t{Sketch::kBucketLast};
            if (!good || !buckets.emplace(pair[0].get<std::int32_t>(), pair[1].get<std::uint64_t>()).second) {
                refuse(fmt::format("latency must be a list of [bucket 0 to {}, count], each bucket once",
                                   Sketch::kBucketLast));
                return {};
            }
        }
        work.latency = Sketch::from_buckets(std::move(buckets));
        return work;
    }

    std::array<Work, 2> both(const json& value, const char* name) {
        const json& found = member(value, name);
        if (found.is_null()) return {};
        Inside inside(*this, name);
        object(found, "it");
        return {work(found, "stable"), work(found, "canary")};
    }

    Facts facts(const json& value, const char* name) {
        const json& found = member(value, name);
        if (found.is_null()) return {};
        Inside inside(*this, name);
        object(found, "it");
        Facts facts;
        for (const auto& [fact, count] : kFacts)
            facts.*count = number(found, fact);
        facts.failing = texts(found, "failing", ramp::kFailingNamesMax);
        // null is how JSON writes what is not a number.
        facts.resource_use = found.contains("resource_use") && found["resource_use"].is_null()
                                 ? std::numeric_limits<double>::quiet_NaN()
                                 : real(found, "resource_use", 0, 1e6);
        return facts;
    }

    SystemReport system(const json& value) {
        object(value, "it");
        SystemReport report;
        report.stable = text(value, "stable", ramp::kTextBytesMax);
        report.canary = text(value, "canary", ramp::kTextBytesMax);
        report.canary_percent = real(value, "canary_percent", 0, 100);
        report.total = both(value, "total");
        report.recent = both(value, "recent");
        report.shadow = work(value, "shadow");
        report.canary_in_flight = number(value, "canary_in_flight");
        report.canary_last_ms = static_cast<UnixMillis>(number(value, "canary_last_ms", kTimeMsMax));
        report.forced = text(value, "forced", ramp::kTextBytesMax);
        report.unsettled = text(value, "unsettled", ramp::kTextBytesMax);
        return report;
    }

    NodeReport node_report(const json& value) {
        object(value, "it");
        NodeReport report;
        report.node = text(value, "node", ramp::kTextBytesMax);
        report.incarnation = number(value, "incarnation");
        report.seq = number(value, "seq");
        report.window_ms = number(value, "window_ms");
        report.total = facts(value, "total");
        report.recent = facts(value, "recent");
        const json& systems = member(value, "systems");
        if (!systems.is_null()) object(systems, "systems");
        if (systems.size() > ramp::kSystemsMax)
            too_large(fmt::format("{} systems, {} are allowed", systems.size(), ramp::kSystemsMax));
        if (problem_ || systems.is_null()) return report;
        for (const auto& [name, one] : systems.items()) {
            Inside inside(*this, fmt::format("systems.{}", name.substr(0, 64)));
            report.systems[name.substr(0, ramp::kTextBytesMax)] = system(one);
        }
        return report;
    }

    std::string path_;
    std::optional<Problem> problem_;
};

std::unexpected<Error> refused(const Reader::Problem& problem, const std::string& where) {
    return fail(problem.code, where + problem.text,
                "use a file that `ramp evidence` wrote, or see runtime/release/observation_json.hpp");
}

Result<json> parse_json(std::string_view text, const std::string& where) {
    if (text.size() > kRecordingBytesMax)
        return fail(Errc::too_large, fmt::format("{}more than {} bytes", where, kRecordingBytesMax),
                    "replay a part of it");
    json value = json::parse(text.begin(), text.end(), nullptr, false);
    if (value.is_discarded())
        return fail(Errc::invalid_argument, where + "this is not JSON",
                    "each line must be one JSON object, and the file UTF-8");
    return value;
}

/// The members of a header or of a bundle.
void read_header(Reader& reader, const json& value, Recording& recording) {
    recording.plan_toml = reader.text(value, "plan", kPlanBytesMax);
    recording.day_ms = reader.number(value, "day_ms", kTimeMsMax);
    recording.gate = reader.text(value, "gate", ramp::kTextBytesMax);
    recording.systems = reader.texts(value, "systems", ramp::kSystemsMax);
}

Result<void> add(Recording& recording, Reader& reader, const json& value, const std::string& where) {
    Observation seen = reader.observation(value);
    if (reader.problem()) return refused(*reader.problem(), where);
    if (!recording.observations.empty() && seen.at_ms < recording.observations.back().at_ms)
        return fail(Errc::invalid_argument, where + "at_ms is earlier than in the one before",
                    "put the observations into the order of time");
    recording.observations.push_back(std::move(seen));
    return {};
}

Result<Recording> parse_bundle(const json& bundle, const std::string& origin) {
    Recording recording;
    Reader reader;
    read_header(reader, bundle, recording);
    if (!bundle["observations"].is_array())
        return fail(Errc::invalid_argument, origin + ": observations must be a list");
    for (const json& value : bundle["observations"]) {
        const auto where = fmt::format("{}: observations[{}]: ", origin, recording.observations.size());
        if (auto added = add(recording, reader, value, where); !added) return std::unexpected(added.error());
    }
    return recording;
}

Result<Recording> parse_lines(std::string_view text, const std::string& origin) {
    Recording recording;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const auto where = fmt::format("{}:{}: ", origin, number);
        if (line.size() > kObservationBytesMax)
            return fail(Errc::too_large, fmt::format("{}more than {} bytes", where, kObservationBytesMax),
                        "one observation a line");
        const auto value = parse_json(line, where);
        if (!value) return std::unexpected(value.error());
        Reader reader;
        const bool header = recording.observations.empty() && value->is_object() &&
                            !value->contains("at_ms") &&
                            (value->contains("plan") || value->contains("systems"));
        if (header) {
            read_header(reader, *value, recording);
            if (reader.problem()) return refused(*reader.problem(), where);
        } else if (auto added = add(recording, reader, *value, where); !added) {
            return std::unexpected(added.error());
        }
    }
    return recording;
}

} // namespace

json to_json(const Observation& observation) {
    json nodes = json::array();
    for (const NodeReport& node : observation.nodes) {
        json systems = json::object();
        for (const auto& [name, report] : node.systems)
            systems[name] = system_json(report);
        nodes.push_back({{"node", node.node},
                         {"incarnation", node.incarnation},
                         {"seq", node.seq},
                         {"window_ms", node.window_ms},
                         {"systems", std::move(systems)},
                         {"total", facts_json(node.total)},
                         {"recent", facts_json(node.recent)}});
    }
    return {{"at_ms", static_cast<std::uint64_t>(std::max<UnixMillis>(observation.at_ms, 0))},
            {"silent", observation.silent},
            {"nodes", std::move(nodes)}};
}

std::string observation_line(const Observation& observation) {
    return to_json(observation).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Observation> parse_observation(std::string_view line) {
    if (line.size() > kObservationBytesMax)
        return fail(Errc::too_large, fmt::format("more than {} bytes", kObservationBytesMax));
    const auto value = parse_json(line, "");
    if (!value) return std::unexpected(value.error());
    Reader reader;
    Observation seen = reader.observation(*value);
    if (reader.problem()) return refused(*reader.problem(), "");
    return seen;
}

std::string recording_header(const Recording& recording) {
    return json{{"plan", recording.plan_toml},
                {"day_ms", recording.day_ms},
                {"gate", recording.gate},
                {"systems", recording.systems}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Recording> parse_recording(std::string_view text, const std::string& origin) {
    if (text.size() > kRecordingBytesMax)
        return fail(Errc::too_large, fmt::format("{} has more than {} bytes", origin, kRecordingBytesMax),
                    "replay a part of it");
    // A bundle is one object, perhaps over many lines; lines are many objects, which is no JSON.
    const json whole = json::parse(text.begin(), text.end(), nullptr, false);
    const bool bundle = whole.is_object() && whole.contains("observations");
    auto recording = bundle ? parse_bundle(whole, origin) : parse_lines(text, origin);
    if (recording && recording->observations.empty())
        return fail(Errc::invalid_argument, origin + " has no observation",
                    "use a file that `ramp evidence` wrote");
    return recording;
}

} // namespace dwcp::release
