#include "ops/runner/shipment.hpp"

#include "protocols/crypto/hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dwcp::runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 256U << 10;
/// A node that is away returns within seconds; what is still refused after this long is a failure of the
/// cluster.
constexpr auto kPersistFor = std::chrono::seconds(60);
constexpr auto kPauseMin = std::chrono::milliseconds(20);
constexpr auto kPauseMax = std::chrono::milliseconds(1'000);

class File {
  public:
    explicit File(const std::filesystem::path& path)
        : fd_(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) {}
    ~File() {
        if (fd_ >= 0) close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int fd() const { return fd_; }

  private:
    const int fd_;
};

std::optional<Hash256> hash_of_disk(const std::filesystem::path& path) {
    const File file(path);
    if (file.fd() < 0) return std::nullopt;
    crypto::Sha256 hash;
    Bytes piece(kPieceBytes);
    for (;;) {
        const ssize_t count = read(file.fd(), piece.data(), piece.size());
        if (count < 0) return std::nullopt;
        if (count == 0) return hash.finish();
        hash.update({piece.data(), static_cast<std::size_t>(count)});
    }
}

/// One in four files takes the way through the second site; none is sent through the third, which is to be
/// killed.
std::size_t receiving_site(std::size_t index) { return index % 4 == 3 ? 1 : 0; }

/// Any site but the one that received it, in turn.
std::size_t reading_site(std::size_t via, std::size_t index, std::size_t sites) {
    return sites == 1 ? 0 : (via + 1 + index % (sites - 1)) % sites;
}

} // namespace

struct Shipment::Client {
    std::vector<NodeClient> sites;
};

Shipment::Shipment(const std::vector<SourceFile>& files, std::vector<Site> sites, std::size_t clients)
    : files_(files), sites_(std::move(sites)), clients_(clients), outcomes_(files.size()) {}

Shipment::~Shipment() {
    cancel();
    for (auto& thread : threads_)
        thread.join();
}

void Shipment::start_put() { start(&Shipment::put_file); }
void Shipment::start_read_back() { start(&Shipment::read_back_file); }

void Shipment::start(void (Shipment::*work)(Client&, std::size_t)) {
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
    next_ = files_done_ = 0;
    bytes_done_ = 0;
    working_ = clients_;
    for (std::size_t i = 0; i < clients_; ++i)
        threads_.emplace_back([this, work] {
            Client client;
            for (const auto& site : sites_)
                client.sites.emplace_back(site.http_port, site.data_dir);
            for (std::size_t index; !cancelled_ && (index = next_++) < files_.size(); ++files_done_)
                (this->*work)(client, index);
            --working_;
        });
}

Progress Shipment::progress() const { return {files_done_, bytes_done_, refusals_, broken_connections_}; }

Answer Shipment::persist(const std::function<Answer()>& attempt) {
    const auto end = Clock::now() + kPersistFor;
    for (auto pause = kPauseMin;; pause = std::min(2 * pause, kPauseMax)) {
        Answer answer = attempt();
        if (answer.ok() || !answer.worth_a_retry() || cancelled_ || Clock::now() >= end) return answer;
        ++(answer.status == 0 ? broken_connections_ : refusals_);
        std::this_thread::sleep_for(
            pause); // the server's Retry-After is in whole seconds: too coarse to wait out here
    }
}

void Shipment::put_file(Client& client, std::size_t index) {
    Shipped& shipped = outcomes_[index];
    shipped.via = std::min(receiving_site(index), sites_.size() - 1);
    const File file(files_[index].path);
    struct stat info {};
    if (file.fd() < 0 || fstat(file.fd(), &info) != 0) {
        shipped.outcome = Outcome::vanished;
        shipped.problem = std::strerror(errno);
        return;
    }
    const auto size_bytes = static_cast<std::uint64_t>(info.st_size);
    const Answer answer =
        persist([&] { return put_once(client.sites[shipped.via], index, file.fd(), size_bytes); });
    if (shipped.outcome == Outcome::changed) return;
    shipped.size_bytes = size_bytes;
    if (!answer.ok()) {
        shipped.outcome = Outcome::failed;
        shipped.problem = answer.describe();
    } else if (!answer.json.is_object() || answer.json.value("sha256", "") != shipped.sha256.hex() ||
               answer.json.value("size_bytes", UINT64_MAX) != size_bytes) {
        shipped.outcome = Outcome::failed;
        shipped.problem = fmt::format("the receipt does not match what was sent: {}", answer.body);
    } else {
        shipped.outcome = Outcome::acknowledged;
        count_codecs(answer.json, size_bytes);
    }
}

Answer Shipment::put_once(NodeClient& site, std::size_t index, int file, std::uint64_t size_bytes) {
    crypto::Sha256 hash;
    std::uint64_t hashed = 0;
    const auto read = [&](std::uint64_t offset, std::span<Byte> buffer) -> std::size_t {
        const ssize_t count =
            cancelled_ ? 0 : pread(file, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (count <= 0) {
            outcomes_[index].outcome = Outcome::changed;
            outcomes_[index].problem = "the file became shorter while it was sent";
            return 0;
        }
        if (offset == 0 && hashed > 0) hash = crypto::Sha256(), hashed = 0; // the connection was opened anew
        hash.update(buffer.first(static_cast<std::size_t>(count)));
        hashed += static_cast<std::uint64_t>(count);
        bytes_done_ += static_cast<std::uint64_t>(count);
        return static_cast<std::size_t>(count);
    };
    Answer answer = site.put_stream(object_path(files_[index].key), size_bytes, read);
    outcomes_[index].sha256 = hash.finish();
    return answer;
}

void Shipment::count_codecs(const nlohmann::json& receipt, std::uint64_t size_bytes) {
    const auto codecs = receipt.value("codecs", nlohmann::json::object());
    if (codecs.empty()) return; // an empty file has no block
    const std::string name = codecs.size() == 1 ? codecs.begin().key() : "mixed";
    const std::lock_guard lock(codecs_mutex_);
    CodecTotal& total = codecs_[name];
    ++total.objects;
    total.raw_bytes += size_bytes;
    total.stored_bytes += receipt.value("stored_bytes", std::uint64_t{0});
}

void Shipment::read_back_file(Client& client, std::size_t index) {
    Shipped& shipped = outcomes_[index];
    if (shipped.outcome != Outcome::acknowledged) return;
    const std::size_t from = reading_site(shipped.via, index, sites_.size());
    Hash256 returned{};
    const Answer answer = persist([&] { return get_once(client.sites[from], index, returned); });
    if (!answer.ok()) {
        shipped.outcome = Outcome::failed;
        shipped.problem = fmt::format("read from {}: {}", sites_[from].name, answer.describe());
        return;
    }
    const auto on_disk = hash_of_disk(files_[index].path);
    if (on_disk == returned) {
        shipped.outcome = Outcome::equal;
    } else if (returned == shipped.sha256) {
        shipped.outcome = Outcome::changed;
        shipped.problem = "the file on disk is not the one that was sent any more";
    } else {
        shipped.outcome = Outcome::failed;
        shipped.problem = fmt::format("{} returned {}, sent was {}", sites_[from].name, returned.hex(),
                                      shipped.sha256.hex());
    }
}

Answer Shipment::get_once(NodeClient& site, std::size_t index, Hash256& sha256) {
    crypto::Sha256 hash;
    const auto take = [&](ByteView piece) {
        hash.update(piece);
        bytes_done_ += piece.size();
        return !cancelled_;
    };
    Answer answer = site.get_stream(object_path(files_[index].key), take);
    sha256 = hash.finish();
    return answer;
}

} // namespace dwcp::runner
