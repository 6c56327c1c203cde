// Which manager instance of a node serves a key.
#pragma once

#include <cstdint>
#include <string_view>

namespace dwcp::manager {

/// FNV-1a: the same in every life of the node, so that a workload's journal record finds its manager again.
inline std::uint32_t instance_for(std::string_view key, std::uint32_t instances) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : key)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return instances == 0 ? 0 : static_cast<std::uint32_t>((hash ^ (hash >> 32)) % instances);
}

} // namespace dwcp::manager
