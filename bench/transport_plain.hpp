// The baseline of the transport benchmark: what anybody would write to copy bytes to another process and have
// them on disk there. One TCP stream, 1 MiB reads and writes, one fsync.
#pragma once

#include "protocols/wire/block.hpp"

#include <string>
#include <vector>

namespace dwcp::bench {

/// Seconds from the first byte sent to the receiver's word that all is on disk.
double plain_copy_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory);

} // namespace dwcp::bench
