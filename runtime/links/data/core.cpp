#include "runtime/links/data/core.hpp"

namespace dwcp::links {

metrics::Counter refusals(const std::string& end, Errc code) {
    return metrics::counter("dwcp_data_refusals_total",
                            "Data links refused in the handshake, by who refused and why.",
                            {{"end", end}, {"code", std::string(to_string(code))}});
}

void Core::record_refusal(const NodeName& peer, const std::string& end, const Error& why) {
    refusals(end, why.code).add();
    if (refusals_.size() >= kRefusalsKept && !refusals_.contains(peer)) {
        std::erase_if(refusals_,
                      [&](const auto& entry) { return now - entry.second.told >= kRepeatRefusalAfter; });
        if (refusals_.size() >= kRefusalsKept)
            return; // a stranger that makes up names shall not fill the events
    }
    Refusal& last = refusals_[peer];
    if (last.message == why.message && now - last.told < kRepeatRefusalAfter) return;
    last = {why.message, now};
    events.record("data_peer_refused", peer,
                  {{"refused_by", end == "here" ? self.name : peer},
                   {"code", std::string(to_string(why.code))},
                   {"message", why.message},
                   {"remedy", why.remedy}});
}

} // namespace dwcp::links
