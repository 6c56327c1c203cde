// A page of the list of objects: what is asked for, and what comes. Plain data; Metadata::list() makes it.
#pragma once

#include "protocols/consensus/lane.hpp"
#include "protocols/wire/manifest.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace dwcp::manager {

/// An object and the lane entry that made it.
struct StoredManifest {
    wire::Manifest manifest;
    consensus::LogIndex index = 0;
};

/// Which part of the list of objects.
struct ListRequest {
    std::string prefix;
    std::string after;     ///< Listing::next of the page before; empty: from the start.
    std::string delimiter; ///< Keys that go on after it beyond the prefix are one common prefix; empty: none.
    std::size_t limit = 0; ///< Objects and common prefixes together.
};
struct Listing {
    std::vector<StoredManifest> objects;      ///< In key order.
    std::vector<std::string> common_prefixes; ///< In order.
    std::string next;                         ///< Empty: this was the last page.
    std::size_t damaged = 0;                  ///< Objects on this page whose record cannot be read here.
};

} // namespace dwcp::manager
