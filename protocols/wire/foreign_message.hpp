// The edge where bytes that may be anything become a Cap'n Proto message: bounded, aligned, and nothing
// thrown past it.
#pragma once

#include "protocols/base/bytes.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::wire {

/// `read(reader)` of a message of type Root; where Cap'n Proto throws at malformed input, `malformed(why)`.
/// Whoever calls has bounded the bytes' length.
template<class Root, class Read, class Malformed>
auto read_foreign(ByteView bytes, Read read, Malformed malformed, int nesting_max = 8)
    -> decltype(read(std::declval<typename Root::Reader>())) {
    // Copied because Cap'n Proto wants aligned words; a trailing part of a word is never valid and is cut off
    // here.
    std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
    if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * sizeof(capnp::word));
    capnp::ReaderOptions options;
    // Each field is read once; a message that makes us walk further than that refers to itself.
    options.traversalLimitInWords = 2 * words.size() + 64;
    options.nestingLimit = nesting_max;
    try {
        capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()), options);
        return read(reader.template getRoot<Root>());
    } catch (const kj::Exception& exception) {
        return malformed(std::string(exception.getDescription().cStr()));
    }
}

} // namespace dwcp::wire
