#include "bench/transport_links.hpp"

#include "bench/transport_certificates.hpp"
#include "bench/transport_process.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/store/store.hpp"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace dwcp::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// Requests under way at a time, as a manager keeps them: enough for eight streams with eight credits each.
constexpr std::size_t kWindow = 64;
constexpr std::chrono::seconds kPatience{120};

template<class T>
T need(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().render());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// What a node does with blocks, without the manager around it.
class StoreService final : public links::BlockService {
  public:
    explicit StoreService(store::Store* store) : store_(store) {}

    Result<void> accept(const EncodedBlock& block, const WorkloadId&, const NodeName&) override {
        if (crypto::sha256(*block.bytes) != block.hash)
            return fail(Errc::corrupted, "the block's hash differs");
        return store_->put_block(block, store::BlockWrite::bulk);
    }
    Result<std::vector<Hash256>> make_durable(const std::vector<Hash256>& hashes,
                                              const WorkloadId&) override {
        if (auto durable = store_->make_blocks_durable(); !durable) return std::unexpected(durable.error());
        std::vector<Hash256> missing;
        for (const Hash256& hash : hashes) {
            if (!store_->has_block(hash)) missing.push_back(hash);
        }
        return missing;
    }
    Result<EncodedBlock> load(const Hash256& hash) override { return store_->get_block(hash); }

  private:
    store::Store* store_;
};

/// Lets kWindow requests be under way, and knows when all are answered.
class Window {
  public:
    void enter() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return under_way_ < kWindow; });
        ++under_way_;
    }
    void leave(const Result<void>& result) {
        const std::lock_guard lock(mutex_);
        --under_way_;
        if (!result && problem_.empty()) problem_ = result.error().render();
        changed_.notify_all();
    }
    void drain() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return under_way_ == 0; });
        if (!problem_.empty()) throw std::runtime_error(problem_);
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t under_way_ = 0;
    std::string problem_;
};

struct Cluster {
    Cluster(const std::string& directory_in, const LinkWish& wish_in)
        : directory(directory_in), wish(wish_in), sender(identity_of("sender")),
          receiver(identity_of("receiver")) {}

    static identity::Identity identity_of(const NodeName& name) {
        return {name, "bench", "bench", 1,
                std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate())};
    }
    std::unique_ptr<links::DataPlane> start(const identity::Identity& self, const identity::Identity& peer,
                                            StoreService& service) {
        const std::string own = directory + "/" + self.name;
        std::filesystem::create_directories(own);
        trust = need(identity::TrustStore::open(own, {{peer.name, peer.public_key().hex()}}));
        links::DataPlaneOptions options;
        options.streams_min = options.streams_max = wish.streams;
        if (wish.tls)
            options.tls = need(tls::Context::load(certificate_files(directory, self.name), "bench"));
        return need(links::DataPlane::start(options, self, *trust, service, events));
    }

    std::string directory;
    LinkWish wish;
    identity::Identity sender;
    identity::Identity receiver;
    std::unique_ptr<identity::TrustStore> trust;
    EventRing events;
};

void serve(Channel& channel, Cluster& cluster) {
    const auto store = need(store::Store::open({cluster.directory + "/store"}));
    StoreService service(store.get());
    const auto plane = cluster.start(cluster.receiver, cluster.sender, service);
    channel.send(plane->port());
    channel.wait_for_close();
}

void wait_for_streams(const links::DataPlane& plane, std::uint32_t streams) {
    const auto give_up_at = Clock::now() + kPatience;
    for (;;) {
        const auto status = plane.status();
        if (!status.empty() && status.front().streams == streams) return;
        if (Clock::now() > give_up_at) throw std::runtime_error("the streams did not come up");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

double put_all(links::DataPlane& plane, const std::vector<EncodedBlock>& blocks) {
    Window window;
    std::vector<Hash256> hashes;
    const auto start = Clock::now();
    const auto deadline = start + kPatience;
    for (const EncodedBlock& block : blocks) {
        window.enter();
        hashes.push_back(block.hash);
        plane.send_block("receiver", block, "bench", deadline,
                         [&](Result<void> result) { window.leave(result); });
    }
    window.drain();
    window.enter();
    plane.sync("receiver", hashes, "bench", deadline, [&](Result<std::vector<Hash256>> missing) {
        if (missing && !missing->empty()) missing = fail(Errc::internal, "blocks are missing after the sync");
        window.leave(missing ? Result<void>() : std::unexpected(missing.error()));
    });
    window.drain();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double get_all(links::DataPlane& plane, const std::vector<EncodedBlock>& blocks) {
    Window window;
    const auto start = Clock::now();
    const auto deadline = start + kPatience;
    for (const EncodedBlock& block : blocks) {
        window.enter();
        plane.fetch("receiver", block.hash, deadline, [&, hash = block.hash](Result<EncodedBlock> got) {
            Result<void> result;
            if (!got) result = std::unexpected(got.error());
            if (got && crypto::sha256(*got->bytes) != hash)
                result = fail(Errc::corrupted, "the block's hash differs");
            window.leave(result);
        });
    }
    window.drain();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void use(Channel& channel, Cluster& cluster, const std::vector<EncodedBlock>& blocks) {
    StoreService nothing_to_serve(nullptr);
    const auto plane = cluster.start(cluster.sender, cluster.receiver, nothing_to_serve);
    plane->add_peer({"receiver", "127.0.0.1", static_cast<std::uint16_t>(channel.receive()), ""});
    wait_for_streams(*plane, cluster.wish.streams);
    channel.send(put_all(*plane, blocks));
    channel.send(cluster.wish.with_get ? get_all(*plane, blocks) : 0);
}

} // namespace

LinkSeconds link_seconds(const std::vector<EncodedBlock>& blocks, const std::string& directory,
                         const LinkWish& wish) {
    LinkSeconds seconds;
    {
        Cluster cluster(directory, wish);
        if (wish.tls) make_certificates(directory, {cluster.sender.name, cluster.receiver.name});
        Child receiver([&](Channel& channel) { serve(channel, cluster); });
        const double port = receiver.channel().receive();
        Child sender([&](Channel& channel) { use(channel, cluster, blocks); });
        sender.channel().send(port);
        seconds.put = sender.channel().receive();
        seconds.get = sender.channel().receive();
        if (!sender.finish() || !receiver.finish())
            throw std::runtime_error("a process of the transfer failed");
    }
    std::filesystem::remove_all(directory + "/store");
    return seconds;
}

} // namespace dwcp::bench
