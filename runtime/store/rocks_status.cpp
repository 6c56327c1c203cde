#include "runtime/store/rocks_status.hpp"

#include <fmt/format.h>

namespace dwcp::store {

Error to_error(const rocksdb::Status& status, std::string_view doing, const std::string& directory) {
    const std::string message =
        fmt::format("cannot {} the store in {}: {}", doing, directory, status.ToString());
    if (status.IsNoSpace())
        return {Errc::resource_exhausted, message,
                "free space on this disk or delete objects; the store goes on by itself when there is room"};
    if (status.IsCorruption()) return {Errc::corrupted, message, std::string(kRestoreRemedy)};
    if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut() || status.IsShutdownInProgress() ||
        status.IsIncomplete())
        return {Errc::unavailable, message, "try again in a moment"};
    if (status.IsMemoryLimit()) return {Errc::resource_exhausted, message, "give the node more memory"};
    if (status.IsIOError())
        return {
            Errc::io_error, message,
            "check the disk and its mount (kernel log, permissions); the store goes on when it works again"};
    if (status.IsInvalidArgument() || status.IsNotSupported()) return {Errc::invalid_argument, message, {}};
    return {Errc::internal, message, "report this with the file LOG from the directory"};
}

bool may_pass(const rocksdb::Status& status) { return status.IsIOError() || status.IsBusy(); }

} // namespace dwcp::store
