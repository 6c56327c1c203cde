#include "runtime/store/corruption_log.hpp"

#include "runtime/log/log.hpp"

#include <fmt/format.h>

namespace dwcp::store {
namespace {

/// Damage beyond this many keys means a failing disk, not an accident; each further one is counted, not
/// remembered.
constexpr std::size_t kKeysRemembered = 4096;

constexpr std::size_t kPrintedKeyBytes = 128;

} // namespace

std::string printable_key(std::string_view key) {
    std::string text;
    for (const char c : key.substr(0, kPrintedKeyBytes)) {
        if (c > 0x20 && c < 0x7f && c != '\\')
            text += c;
        else
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    if (key.size() > kPrintedKeyBytes) text += "...";
    return text;
}

Error CorruptionLog::record(std::string_view family, std::string_view key, std::string_view what) {
    const std::string name = fmt::format("{}/{}", family, printable_key(key));
    {
        const std::lock_guard lock(mutex_);
        if (seen_.size() >= kKeysRemembered || seen_.insert(name).second) {
            any_ = true;
            ++count_;
            total_.add();
            log::error("store_corruption", {{"family", family}, {"key", printable_key(key)}, {"what", what}});
        }
    }
    return {Errc::corrupted, fmt::format("{} in {} is damaged: {}", name, directory_, what),
            "fetch it from a replica and write it again; check the disk if this repeats"};
}

void CorruptionLog::forget(std::string_view family, std::string_view key) {
    if (!any_) return;
    const std::lock_guard lock(mutex_);
    seen_.erase(fmt::format("{}/{}", family, printable_key(key)));
}

} // namespace dwcp::store
