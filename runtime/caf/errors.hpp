// Our Error inside CAF's: handlers answer with to_caf(error), askers read it back with from_caf().
#pragma once

#include "protocols/base/result.hpp"

#include <caf/error.hpp>

namespace dwcp::actor {

caf::error to_caf(const Error& error);
/// Ours are unpacked; CAF's own become the nearest code: a dead receiver is unavailable, a timeout
/// deadline_exceeded.
Error from_caf(const caf::error& error);
/// True if the asked actor ended without answering, rather than answering with an error.
bool is_receiver_down(const caf::error& error);

} // namespace dwcp::actor
