#include "ops/shell/part_transfer.hpp"

#include "ops/shell/interrupt.hpp"
#include "ops/shell/progress.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/upload_state.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sys/stat.h>

namespace dwcp::shell {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What an interruption costs at most; a part is held in memory.
constexpr std::uint64_t kPartBytes = 16ULL << 20;
constexpr std::uint64_t kPartsMax = 10'000;
/// The node reads all parts again before it answers: at least so fast, on a slow disk.
constexpr std::uint64_t kCompleteBytesPerSecond = 20'000'000;

std::uint64_t part_size_for(std::uint64_t size_bytes) {
    const std::uint64_t least = (size_bytes + kPartsMax - 1) / kPartsMax;
    return std::max<std::uint64_t>(kPartBytes, (least + (1ULL << 20) - 1) >> 20 << 20);
}

std::string bare(std::string etag) {
    std::erase(etag, '"');
    return etag;
}

class PartTransfer {
  public:
    PartTransfer(Context& context, const PutRequest& request, const UploadIdentity& identity)
        : context_(context), request_(request), identity_(identity),
          state_(upload_state_folder(context.terminal.environment), identity) {}

    Outcome<json> run();

  private:
    Outcome<void> resume();
    Outcome<void> open();
    Outcome<void> send_parts();
    Outcome<void> send_part(std::size_t number, ByteView content, const std::string& sha256,
                            Progress& progress);
    Outcome<void> read_part(std::ifstream& file, Bytes& part, std::uint64_t at) const;
    Outcome<void> require_unchanged() const;
    Outcome<json> complete();
    std::string path(const std::string& rest = "") const { return "/v1/uploads/" + upload_.id + rest; }
    /// With what to do to go on with it.
    Failure kept(Failure failure) const;

    Context& context_;
    const PutRequest& request_;
    const UploadIdentity identity_;
    const UploadState state_;
    UnfinishedUpload upload_;
    std::map<std::uint64_t, std::string> there_; ///< Parts that the node has, with their SHA-256.
    bool sealed_ = false;                        ///< Only its answer is missing.
    json list_ = json::array();
    std::string sha256_;
    std::uint64_t done_parts_ = 0;
};

/// Takes up an upload that the node still knows; otherwise nothing.
Outcome<void> PartTransfer::resume() {
    const auto found = state_.load();
    if (!found) return {};
    upload_ = *found;
    const auto shown = context_.client.get(path());
    if (!shown) {
        upload_ = {};
        // An answer without the upload; otherwise nobody knows.
        return shown.error().exit == Exit::failed ? Outcome<void>{} : std::unexpected(shown.error());
    }
    const std::string state = text_at(*shown, "state");
    sealed_ = state == "sealed" || state == "committed";
    if (text_at(*shown, "key") != request_.key || (state != "open" && !sealed_)) {
        upload_ = {};
        return {};
    }
    for (const json& part : list_at(*shown, "parts"))
        there_[number_at(part, "part")] = bare(text_at(part, "etag"));
    return {};
}

Outcome<void> PartTransfer::open() {
    json body = {{"key", request_.key}, {"content_type", request_.content_type}};
    if (request_.replicas) body["replicas"] = *request_.replicas;
    if (!request_.codec.empty()) body["codec"] = request_.codec;
    const auto opened = context_.client.post("/v1/uploads", body);
    if (!opened) return std::unexpected(opened.error());
    upload_ = {text_at(*opened, "upload"), part_size_for(identity_.size_bytes)};
    state_.save(upload_);
    return {};
}

Failure PartTransfer::kept(Failure failure) const {
    if (interrupted()) failure = interrupted_failure();
    const std::uint64_t all = (identity_.size_bytes + upload_.part_bytes - 1) / upload_.part_bytes;
    if (upload_.id.empty() || !state_.keeps()) return failure;
    failure.message += fmt::format("; {} of {} parts are at the node", done_parts_, all);
    failure.remedy = (interrupted() || failure.remedy.empty() ? "" : failure.remedy + "; then ") +
                     std::string("put the same file again, which goes on from there");
    return failure;
}

Outcome<void> PartTransfer::read_part(std::ifstream& file, Bytes& part, std::uint64_t at) const {
    part.resize(std::min<std::uint64_t>(upload_.part_bytes, identity_.size_bytes - at));
    file.read(reinterpret_cast<char*>(part.data()), static_cast<std::streamsize>(part.size()));
    if (static_cast<std::size_t>(file.gcount()) == part.size()) return {};
    return give_up(Exit::failed,
                   fmt::format("{} became shorter or unreadable while it was sent", request_.file),
                   "nothing was stored; put it again");
}

Outcome<void> PartTransfer::send_part(std::size_t number, ByteView content, const std::string& sha256,
                                      Progress& progress) {
    const auto read = [&](std::span<Byte> buffer) -> Outcome<std::size_t> {
        const std::size_t count = std::min(buffer.size(), content.size());
        std::ranges::copy(content.first(count), buffer.begin());
        content = content.subspan(count);
        progress.add(count);
        return count;
    };
    const auto answer = context_.client.upload(path("/" + std::to_string(number)), "application/octet-stream",
                                               content.size(), read, {{"X-DWCP-SHA256", sha256}});
    if (!answer) return std::unexpected(answer.error());
    return {};
}

Outcome<void> PartTransfer::send_parts() {
    std::ifstream file(request_.file, std::ios::binary);
    if (!file)
        return give_up(Exit::failed, fmt::format("cannot read {}: {}", request_.file, std::strerror(errno)));
    Progress progress(context_.terminal.err, context_.terminal.err_is_terminal, request_.key,
                      identity_.size_bytes);
    crypto::Sha256 whole;
    Bytes part;
    done_parts_ = there_.size();
    std::size_t number = 0;
    for (std::uint64_t at = 0; at < identity_.size_bytes; at += part.size()) {
        ++number;
        if (interrupted()) return std::unexpected(interrupted_failure());
        if (auto read = read_part(file, part, at); !read) return read;
        whole.update(part);
        const std::string sha256 = crypto::sha256(part).hex();
        list_.push_back({{"part", number}, {"etag", sha256}});
        const auto found = there_.find(number);
        if (sealed_ || (found != there_.end() && found->second == sha256)) {
            progress.skip(part.size());
            continue;
        }
        if (auto sent = send_part(number, part, sha256, progress); !sent) return sent;
        if (found == there_.end()) ++done_parts_;
    }
    sha256_ = whole.finish().hex();
    return {};
}

std::optional<std::int64_t> changed_ns(const std::string& file, std::uint64_t& size_bytes) {
    struct stat status {};
    if (stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    size_bytes = static_cast<std::uint64_t>(status.st_size);
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

/// Parts of two versions would make an object that never was.
Outcome<void> PartTransfer::require_unchanged() const {
    std::uint64_t size = 0;
    const auto changed = changed_ns(request_.file, size);
    if (changed == identity_.changed_ns && size == identity_.size_bytes) return {};
    return give_up(Exit::failed, fmt::format("{} was changed while it was sent", request_.file),
                   "nothing was stored; put it again");
}

Outcome<json> PartTransfer::complete() {
    Settings patient = context_.settings;
    patient.timeout += std::chrono::seconds(identity_.size_bytes / kCompleteBytesPerSecond);
    Client client(patient);
    auto receipt = client.post(path("/complete"), list_, {{"X-DWCP-SHA256", sha256_}});
    if (!receipt) return receipt;
    if (const std::string stored = text_at(*receipt, "sha256"); stored != sha256_)
        return give_up(Exit::failed,
                       fmt::format("the content's SHA-256 is {} at the node and {} here", stored, sha256_),
                       "remove the object and put it again");
    return receipt;
}

Outcome<json> PartTransfer::run() {
    const CancelOnInterrupt cancels(context_.terminal.runs_one_command());
    if (auto taken_up = resume(); !taken_up) return std::unexpected(taken_up.error());
    if (upload_.id.empty() && request_.resume)
        return give_up(Exit::precondition,
                       fmt::format("there is no unfinished upload of {} as {}", request_.file, request_.key),
                       "put it without --resume");
    if (!there_.empty())
        context_.terminal.err << fmt::format(
            "going on with an upload of which {} is at the node already\n",
            human_bytes(std::min(identity_.size_bytes, there_.size() * upload_.part_bytes)));
    if (upload_.id.empty())
        if (auto opened = open(); !opened) return std::unexpected(opened.error());
    if (auto sent = send_parts(); !sent) return std::unexpected(kept(sent.error()));
    if (auto same = require_unchanged(); !same) {
        context_.client.erase(path());
        state_.forget();
        return std::unexpected(same.error());
    }
    auto receipt = complete();
    if (receipt)
        state_.forget();
    else
        receipt.error() = kept(receipt.error());
    return receipt;
}

} // namespace

bool is_sent_in_parts(const PutRequest& request) {
    std::uint64_t size = 0;
    return request.file != "-" && changed_ns(request.file, size) && size >= kPartsFromBytes;
}

Outcome<json> put_in_parts(Context& context, const PutRequest& request) {
    std::error_code error;
    UploadIdentity identity{
        context.settings.address(),
        request.key,
        fs::absolute(request.file, error).lexically_normal().string(),
        0,
        0,
        fmt::format("{} {} {}", request.replicas.value_or(0), request.codec, request.content_type)};
    identity.changed_ns = changed_ns(request.file, identity.size_bytes).value_or(0);
    return PartTransfer(context, request, identity).run();
}

} // namespace dwcp::shell
