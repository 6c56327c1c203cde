#include "runtime/identity/operator_token.hpp"

#include "protocols/base/bytes.hpp"
#include "protocols/crypto/ed25519.hpp"
#include "runtime/identity/guarded_file.hpp"

#include <array>

namespace dwcp::identity {

Result<std::string> load_or_create_operator_token(const std::string& directory) {
    const std::string path = directory + "/operator.token";
    auto text = read_guarded(path, kReadableByOthers);
    if (!text) return std::unexpected(text.error());
    std::array<Byte, 32> secret;
    if (*text) {
        while (!(*text)->empty() && (*text)->back() == '\n')
            (*text)->pop_back();
        if (!from_hex(**text, secret)) {
            return fail(Errc::corrupted, path + " is not 64 hex digits",
                        "delete it; a new one is made at the next start");
        }
        return std::move(**text);
    }
    crypto::initialise();
    crypto::random_bytes(secret);
    std::string token = to_hex(secret);
    if (auto written = write_guarded(path, token + "\n"); !written) return std::unexpected(written.error());
    return token;
}

} // namespace dwcp::identity
