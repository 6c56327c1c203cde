#include "runtime/caf/errors.hpp"

#include <caf/all.hpp>

namespace dwcp::actor {
namespace {

const auto kCategory = caf::atom("dwcp");

Error from_sec(caf::sec code) {
    switch (code) {
    case caf::sec::request_timeout:
        return {Errc::deadline_exceeded, "no answer before the deadline",
                "try again; it may still have happened"};
    case caf::sec::request_receiver_down:
        return {Errc::unavailable, "the actor ended before it answered", "try again"};
    case caf::sec::unexpected_message:
        return {Errc::internal, "the actor does not know this message", {}};
    default:
        return {Errc::internal, "actor runtime: " + to_string(code), {}};
    }
}

} // namespace

// CAF takes code 0 for 'no error', so ours (internal is 0) are shifted by one.
caf::error to_caf(const Error& error) {
    return caf::error(static_cast<std::uint8_t>(static_cast<int>(error.code) + 1), kCategory,
                      caf::make_message(error.message, error.remedy));
}

Error from_caf(const caf::error& error) {
    // An empty error has no category to look at.
    if (!error) return {Errc::internal, "actor runtime: an error without a code", {}};
    if (error.category() == kCategory) {
        Error ours{Errc::internal, "unspecified failure", {}};
        // It may come from another node, where there may be more codes.
        if (error.code() <= static_cast<int>(kErrcLast) + 1) ours.code = static_cast<Errc>(error.code() - 1);
        if (error.context().match_elements<std::string, std::string>()) {
            ours.message = error.context().get_as<std::string>(0);
            ours.remedy = error.context().get_as<std::string>(1);
        }
        return ours;
    }
    if (error.category() == caf::atom("system")) return from_sec(static_cast<caf::sec>(error.code()));
    if (error.category() == caf::atom("exit")) {
        return {Errc::unavailable, "the actor ended before it answered", "try again"};
    }
    return {Errc::internal, "actor runtime: " + caf::to_string(error), {}};
}

bool is_receiver_down(const caf::error& error) {
    return error && (error == caf::sec::request_receiver_down || error.category() == caf::atom("exit"));
}

} // namespace dwcp::actor
