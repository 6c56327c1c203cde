// A configuration file from arbitrary bytes: every problem is a sentence, and what is accepted prints as a
// file that reads back the same.
#include "runtime/config/config.hpp"

#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto config = config::load_text(text, "fuzz.toml");
    if (!config) {
        require(!config.error().list.empty());
        for (const auto& problem : config.error().list)
            require(!problem.empty());
        return 0;
    }
    const std::string printed = config::print_config(*config);
    const auto again = config::load_text(printed, "printed.toml");
    require(again.has_value() && config::print_config(*again) == printed);
    return 0;
}
