// HTTP requests from arbitrary bytes, cut at arbitrary points: what the parser makes of them must not depend
// on the cuts, and what it takes must be within its limits.
//
// The first byte seeds the cuts, the rest is what a client sends.
#include "runtime/http/request_parser.hpp"
#include "runtime/http/url.hpp"

#include <cstdlib>
#include <vector>

using namespace dwcp;
using namespace dwcp::http;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

struct Seen {
    std::vector<std::string> requests; ///< Method, target, headers and body of each.
    std::optional<Errc> error;
    bool operator==(const Seen&) const = default;
};

std::string render(const RequestHead& head, const std::string& body) {
    std::string text = head.method + " " + head.target + "\n";
    for (const auto& [name, value] : head.headers)
        text += name + ":" + value + "\n";
    return text + body;
}

void check(const RequestHead& head, const std::string& body) {
    require(head.headers.size() <= kHeadersMax);
    require(!head.content_length || *head.content_length == body.size());
    for (const auto& [name, value] : head.headers)
        require(!name.empty() && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    if (const auto target = parse_target(head.target)) require(!target->path.empty());
}

/// As a connection does it. `cuts` 0: everything at once.
Seen parse(std::string_view bytes, std::uint32_t cuts) {
    Seen seen;
    RequestParser parser;
    std::string input;
    std::string body;
    while (!bytes.empty()) {
        cuts = cuts * 1664525 + 1013904223;
        const std::size_t count = cuts == 1013904223 ? bytes.size() : 1 + (cuts >> 16) % 32;
        input += bytes.substr(0, count);
        bytes.remove_prefix(std::min(count, bytes.size()));
        for (bool more = true; more;) {
            const auto taken = parser.head_done()
                                   ? parser.feed_body(input, [&](std::string_view part) { body += part; })
                                   : parser.feed_head(input);
            if (!taken) {
                seen.error = taken.error().code;
                return seen;
            }
            require(*taken <= input.size());
            input.erase(0, *taken);
            more = *taken > 0;
            if (!parser.head_done() || !parser.body_done()) continue;
            check(parser.head(), body);
            seen.requests.push_back(render(parser.head(), std::exchange(body, {})));
            parser.reset();
            more = true;
        }
        if (cuts == 1013904223) break;
    }
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Seen whole = parse(bytes, 0);
    const Seen cut = parse(bytes, 1 + data[0]);
    require(whole.requests == cut.requests);
    // Some errors show only with what follows; whoever sees one at all sees it either way, sooner or later.
    require(whole.error.has_value() == cut.error.has_value());
    return 0;
}
