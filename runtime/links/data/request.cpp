#include "runtime/links/data/request.hpp"

namespace dwcp::links {

void fail_with(WorkQueue& work, RequestPtr request, Error error) {
    if (request->outstanding) --*request->outstanding;
    work.run_callback([request = std::move(request), error = std::move(error)] {
        std::visit([&](auto& done) { done(std::unexpected(error)); }, request->done);
    });
}

} // namespace dwcp::links
