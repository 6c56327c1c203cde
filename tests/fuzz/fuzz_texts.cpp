// Small texts and files that come from outside: request targets and ranges, certificate names, endpoints,
// audit records and heads, a backup's list of files, recordings of a ramp. The first byte chooses.
#include "actors/gateway/range.hpp"
#include "runtime/audit/record.hpp"
#include "runtime/backup/backup.hpp"
#include "runtime/config/rules.hpp"
#include "runtime/http/url.hpp"
#include "runtime/release/observation_json.hpp"
#include "runtime/tls/certificate.hpp"

#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

void request_target(std::string_view text) {
    const auto target = http::parse_target(std::string(text));
    if (target) require(http::parse_target(http::percent_encode_path(target->path)).has_value());
}

void range(std::string_view text) {
    constexpr std::uint64_t kSizeBytes = 1000;
    const auto decided = gateway::decide_range(text, kSizeBytes);
    if (decided.kind == gateway::RangeDecision::Kind::part)
        require(decided.range.length > 0 && decided.range.first + decided.range.length <= kSizeBytes);
}

void certificate_name(std::string_view text) {
    const auto subject = tls::parse_subject(text);
    if (subject) require(subject->uri() == text);
}

void endpoint(std::string_view text) {
    const auto parsed = config::parse_endpoint(text);
    if (parsed) require(config::parse_endpoint(parsed->text()) == parsed);
}

void audit_record(std::string_view text) {
    if (const auto head = audit::parse_head(text)) require(audit::parse_head(head->text()) == head);
    const ByteView bytes = as_bytes(text);
    if (const auto record = audit::unpack(bytes))
        require(audit::unpack(audit::pack(record->hash, record->text)).has_value());
}

void backup_manifest(std::string_view text) {
    const auto parsed = backup::parse_backup(text);
    if (!parsed) return;
    const std::string again = backup::to_json(*parsed);
    const auto reparsed = backup::parse_backup(again);
    require(reparsed.has_value() && backup::to_json(*reparsed) == again);
}

void recording(std::string_view text) {
    const auto parsed = release::parse_recording(text, "recording");
    if (!parsed) return;
    for (const ramp::Observation& seen : parsed->observations) {
        const std::string line = release::observation_line(seen);
        const auto again = release::parse_observation(line);
        require(again.has_value() && release::observation_line(*again) == line);
    }
}

constexpr void (*kParsers[])(std::string_view) = {request_target, range,           certificate_name, endpoint,
                                                  audit_record,   backup_manifest, recording};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    kParsers[data[0] % std::size(kParsers)]({reinterpret_cast<const char*>(data) + 1, size - 1});
    return 0;
}
