#include "protocols/probft/probft.hpp"

#include "protocols/probft/core.hpp"

namespace dwcp::probft {

Result<std::unique_ptr<Engine>> make_probft(EngineOptions options, const EngineMemory& memory) {
    if (!options.committee.contains(options.self) || !options.signer)
        return fail(Errc::invalid_argument, "ProBFT: a replica that is no member, or has no key",
                    "give it its place in the committee and its signer");
    const auto sizes = sample_sizes(options.committee);
    Bound bound;
    if (options.probft_any_parameters) {
        const auto faults = options.probft_faults ? options.probft_faults : options.committee.f();
        bound = bound_of(options.committee.n(), faults, sizes);
    } else {
        auto checked = check_parameters(options.committee, options.probft_bound_max, options.probft_faults);
        if (!checked) return std::unexpected(checked.error());
        bound = *std::move(checked);
    }
    auto core = std::make_unique<Core>(std::move(options), sizes, std::move(bound));
    if (auto recovered = core->recover(memory); !recovered) return std::unexpected(recovered.error());
    return core;
}

} // namespace dwcp::probft
