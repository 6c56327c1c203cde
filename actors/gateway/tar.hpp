// A tar archive (POSIX ustar) in memory, for bundles of text files. Pure.
#pragma once

#include "protocols/base/clock.hpp"

#include <map>
#include <string>

namespace dwcp::gateway {

/// `files`: content by path, of 100 characters at most; all are of the time `time_ms`, readable by their
/// owner.
std::string make_tar(const std::map<std::string, std::string>& files, UnixMillis time_ms);

} // namespace dwcp::gateway
