#include "runtime/chaos/ballast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace dwcp::chaos {
namespace {

std::string path_in(const std::string& data_dir) { return data_dir + "/chaos-ballast"; }

} // namespace

void remove_ballast(const std::string& data_dir) {
    std::error_code ignored; // there is none, mostly
    std::filesystem::remove(path_in(data_dir), ignored);
}

Result<std::uint64_t> plan_ballast(const std::string& data_dir, std::uint64_t leave_bytes,
                                   std::uint64_t bytes_max) {
    std::error_code failed;
    const auto space = std::filesystem::space(data_dir, failed);
    if (failed) return fail(Errc::io_error, data_dir + ": " + failed.message());
    if (space.available <= leave_bytes)
        return fail(Errc::precondition_failed,
                    fmt::format("{} bytes are free already, less than {}", space.available, leave_bytes),
                    "leave fewer bytes free");
    return std::min<std::uint64_t>(space.available - leave_bytes, bytes_max);
}

Result<std::uint64_t> place_ballast(const std::string& data_dir, std::uint64_t leave_bytes,
                                    std::uint64_t bytes_max) {
    const auto size = plan_ballast(data_dir, leave_bytes, bytes_max);
    if (!size) return size;
    const auto path = path_in(data_dir);
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return fail(Errc::io_error, path + ": " + std::strerror(errno));
    const int error = ::posix_fallocate(file, 0, static_cast<off_t>(*size));
    ::close(file);
    if (error == 0) return size;
    remove_ballast(data_dir);
    return fail(Errc::io_error, path + ": " + std::strerror(error), "leave more bytes free");
}

} // namespace dwcp::chaos
