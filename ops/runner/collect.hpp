// Which files a run ships, under which keys, and what it leaves out and why. Pure reading of directories; one
// thread.
#pragma once

#include "protocols/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace dwcp::runner {

struct SourceFile {
    std::filesystem::path path;
    std::string key;
    std::uint64_t size_bytes = 0;
};

struct Collection {
    std::vector<SourceFile> files; ///< In the order in which they are shipped.
    std::uint64_t bytes = 0;
    std::map<std::string, std::uint64_t> left_out;       ///< Reason -> how many.
    std::map<std::string, std::string> left_out_example; ///< Reason -> one of them.
};

/// Every regular file below the directory. Symbolic links are not followed; what `except` contains is passed
/// over.
Result<Collection> collect_directory(const std::filesystem::path& directory,
                                     const std::vector<std::filesystem::path>& except);

/// A mix that every Debian machine has: this repository, documentation, libraries, and more of /usr until
/// there are at least 200 MB of text, binaries and already compressed files; some 300 MB at most.
Collection collect_default(const std::filesystem::path& repository,
                           const std::vector<std::filesystem::path>& except);

} // namespace dwcp::runner
