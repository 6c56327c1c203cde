#include "actors/ramp/observation_log.hpp"

#include "runtime/release/observation_json.hpp"

namespace dwcp::ramp {

void ObservationLog::add(const Observation& observation) {
    if (seen_++ % every_ != 0) return;
    lines_.push_back(release::observation_line(observation));
    bytes_ += lines_.back().size();
    if (bytes_ > kLogBytesMax) thin_out();
}

void ObservationLog::follow(const Record& record) {
    if (record.kind == Record::Kind::stage_begun || record.kind == Record::Kind::started) *this = {};
}

void ObservationLog::thin_out() {
    std::vector<std::string> kept;
    bytes_ = 0;
    for (std::size_t i = 0; i < lines_.size(); i += 2) {
        bytes_ += lines_[i].size();
        kept.push_back(std::move(lines_[i]));
    }
    lines_ = std::move(kept);
    every_ *= 2;
}

} // namespace dwcp::ramp
