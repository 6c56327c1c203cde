#include "actors/gateway/tar.hpp"

#include <fmt/format.h>

#include <numeric>

namespace dwcp::gateway {
namespace {

constexpr std::size_t kRecordBytes = 512;

std::string header(const std::string& path, std::size_t size_bytes, UnixMillis time_ms) {
    std::string record(kRecordBytes, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { record.replace(at, text.size(), text); };
    put(0, path.substr(0, 100));
    put(100, "0000600");
    put(108, "0000000"); // user and group: root, who unpacks becomes the owner
    put(116, "0000000");
    put(124, fmt::format("{:011o}", size_bytes));
    put(136, fmt::format("{:011o}", time_ms / 1000));
    put(148, "        "); // the checksum counts as blanks
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    const auto sum = std::accumulate(record.begin(), record.end(), 0U, [](unsigned all, char c) {
        return all + static_cast<unsigned char>(c);
    });
    put(148, fmt::format("{:06o}", sum));
    record[154] = '\0';
    return record;
}

} // namespace

std::string make_tar(const std::map<std::string, std::string>& files, UnixMillis time_ms) {
    std::string archive;
    for (const auto& [path, content] : files) {
        archive += header(path, content.size(), time_ms) + content;
        archive.append((kRecordBytes - content.size() % kRecordBytes) % kRecordBytes, '\0');
    }
    return archive.append(2 * kRecordBytes, '\0');
}

} // namespace dwcp::gateway
