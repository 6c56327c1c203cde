#include "ops/shell/upload_state.hpp"

#include "ops/shell/history.hpp"
#include "ops/shell/output.hpp"
#include "protocols/crypto/hash.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace dwcp::shell {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Nodes forget an upload after a day, unless they are told otherwise.
constexpr auto kForgottenAfter = std::chrono::hours(24 * 7);
constexpr std::size_t kNameCharacters = 32;

json to_json(const UploadIdentity& identity) {
    return {{"node", identity.node},
            {"key", identity.key},
            {"file", identity.file},
            {"size_bytes", identity.size_bytes},
            {"changed_ns", identity.changed_ns},
            {"options", identity.options}};
}

std::string as_line(const json& value) { return value.dump(-1, ' ', true, json::error_handler_t::replace); }

void remove_old(const std::string& folder) {
    std::error_code error;
    const auto now = fs::file_time_type::clock::now();
    for (auto at = fs::directory_iterator(folder, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
        std::error_code ignored;
        if (now - at->last_write_time(ignored) > kForgottenAfter && !ignored) fs::remove(at->path(), ignored);
    }
}

} // namespace

UploadState::UploadState(const std::string& folder, const UploadIdentity& identity)
    : folder_(folder), identity_(identity) {
    if (folder.empty()) return;
    const std::string text = as_line(to_json(identity));
    const std::string name = crypto::sha256({reinterpret_cast<const Byte*>(text.data()), text.size()}).hex();
    file_ = folder + "/" + name.substr(0, kNameCharacters) + ".json";
}

std::optional<UnfinishedUpload> UploadState::load() const {
    std::ifstream file(file_);
    if (file_.empty() || !file) return std::nullopt;
    const json kept = json::parse(file, nullptr, false);
    if (!kept.is_object() || as_line(part_at(kept, "of")) != as_line(to_json(identity_))) return std::nullopt;
    UnfinishedUpload upload{text_at(kept, "upload"), number_at(kept, "part_bytes")};
    if (upload.id.empty() || upload.part_bytes == 0) return std::nullopt;
    return upload;
}

void UploadState::save(const UnfinishedUpload& upload) const {
    if (file_.empty()) return;
    std::error_code error;
    fs::create_directories(folder_, error);
    chmod(folder_.c_str(), 0700);
    remove_old(folder_);
    std::string temporary = file_ + ".XXXXXX";
    const int fd = mkostemp(temporary.data(), 0); // mode 0600
    if (fd < 0) return;
    const std::string text =
        as_line({{"of", to_json(identity_)}, {"upload", upload.id}, {"part_bytes", upload.part_bytes}}) +
        '\n';
    const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(fd);
    if (!written || rename(temporary.c_str(), file_.c_str()) != 0) unlink(temporary.c_str());
}

void UploadState::forget() const {
    if (!file_.empty()) unlink(file_.c_str());
}

std::string upload_state_folder(const Environment& environment) {
    const std::string history = history_file(environment);
    const std::size_t slash = history.rfind('/');
    return slash == std::string::npos ? "" : history.substr(0, slash) + "/uploads";
}

} // namespace dwcp::shell
