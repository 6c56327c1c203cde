// Records, directives and reports of nodes as bytes (protocols/wire/schema/ramp.capnp).
//
// encode() cannot fail: texts and lists of ours are cut to their limits. decode_*() checks every length
// against its limit before it copies, lets no number through that is not finite, never throws, and returns
// what owns its memory: Errc::too_large or Errc::invalid_argument.
//
// A record fits a lane's command and a report a control frame. A sketch keeps at most kSketchBucketsMax
// buckets on the wire, its lowest ones are then counted in the lowest that is kept: latencies look longer by
// that, never shorter. A report that would still not fit keeps fewer.
#pragma once

#include "protocols/ramp/ramp.hpp"

#include <cstddef>

namespace dwcp::ramp {

inline constexpr std::size_t kRecordBytesMax = 32U << 10;
/// A control frame is 64 KiB; this leaves 4 KiB for its envelope and MAC.
inline constexpr std::size_t kReportBytesMax = 60U << 10;
inline constexpr std::size_t kDirectiveBytesMax = 32U << 10;
/// They span a factor of 2,000 between the lowest kept and the highest.
inline constexpr std::size_t kSketchBucketsMax = 384;
inline constexpr std::size_t kSystemsMax = 16;
inline constexpr std::size_t kNodesMax = 256;
/// A name, a reason: two sentences. Longer ones of ours are cut.
inline constexpr std::size_t kTextBytesMax = 400;

Bytes encode(const Record& record);
Result<Record> decode_record(ByteView bytes);

Bytes encode(const Directive& directive);
Result<Directive> decode_directive(ByteView bytes);

Bytes encode(const NodeReport& report);
Result<NodeReport> decode_report(ByteView bytes);

} // namespace dwcp::ramp
