// Messages in words, for --trace, and as numbers, for the trace hash.
#pragma once

#include "protocols/consensus/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dwcp::sim {

std::string_view to_string(consensus::Kind kind);
std::string describe(const consensus::Message& message);
/// Follows what the message says; cheap, and no digest that anybody should rely on against an adversary.
std::uint64_t fingerprint(const consensus::Message& message);

} // namespace dwcp::sim
