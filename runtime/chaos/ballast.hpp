// A file that fills the disk, for drills.
#pragma once

#include "protocols/base/result.hpp"

#include <cstdint>
#include <string>

namespace dwcp::chaos {

/// Removes the file that an earlier life left, if there is one. At a node's start.
void remove_ballast(const std::string& data_dir);

/// Fills until `leave_bytes` of the disk are free, with `bytes_max` at most; really allocated. Gives the
/// file's size. Errors: precondition_failed if less than that is free already; io_error.
Result<std::uint64_t> place_ballast(const std::string& data_dir, std::uint64_t leave_bytes,
                                    std::uint64_t bytes_max);
/// The same without doing it.
Result<std::uint64_t> plan_ballast(const std::string& data_dir, std::uint64_t leave_bytes,
                                   std::uint64_t bytes_max);

} // namespace dwcp::chaos
