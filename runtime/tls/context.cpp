#include "runtime/tls/context.hpp"

#include "runtime/tls/material.hpp"
#include "runtime/tls/session_core.hpp"

#include <fmt/format.h>

#include <mutex>

namespace dwcp::tls {
namespace {

class FileContext final : public Context {
  public:
    FileContext(Files files, std::string cluster, Material material)
        : files_(std::move(files)), cluster_(std::move(cluster)),
          material_(std::make_shared<const Material>(std::move(material))) {}

    Result<bool> reload() override;
    Certificate own() const override { return current()->own.value_or(Certificate{}); }
    UnixMillis ca_until_ms() const override { return current()->ca_until_ms; }

    std::unique_ptr<Session> accept(int fd, Clients clients) override {
        return std::make_unique<SslSession>(current()->ssl.get(), fd, Side::accepting, clients,
                                            Expected{cluster_, clients == Clients::nodes, ""});
    }

    std::unique_ptr<Session> connect(int fd, const std::string& peer) override {
        return std::make_unique<SslSession>(current()->ssl.get(), fd, Side::connecting, Clients::nodes,
                                            Expected{cluster_, true, peer});
    }

  private:
    std::shared_ptr<const Material> current() const {
        const std::lock_guard lock(mutex_);
        return material_;
    }

    const Files files_;
    const std::string cluster_;
    std::mutex reloading_; // one at a time; loading takes no lock that a connection waits for
    mutable std::mutex mutex_;
    std::shared_ptr<const Material> material_;
};

Result<bool> FileContext::reload() {
    const std::lock_guard one(reloading_);
    auto loaded = load_material(files_, cluster_);
    if (!loaded) return std::unexpected(loaded.error());
    const auto old = current();
    if (loaded->contents == old->contents) return false;
    if (old->own && loaded->own->subject.uri() != old->own->subject.uri()) {
        return fail(Errc::precondition_failed,
                    fmt::format("{}: the certificate is now of {}, and was of {}", files_.certificate,
                                loaded->own->subject.uri(), old->own->subject.uri()),
                    "restart the node if it is really to become another");
    }
    const std::lock_guard lock(mutex_);
    material_ = std::make_shared<const Material>(std::move(*loaded));
    return true;
}

} // namespace

Result<std::shared_ptr<Context>> Context::load(const Files& files, const std::string& cluster) {
    auto material = load_material(files, cluster);
    if (!material) return std::unexpected(material.error());
    std::string expected = cluster;
    if (expected.empty() && material->own) expected = material->own->subject.cluster;
    return std::make_shared<FileContext>(files, std::move(expected), std::move(*material));
}

} // namespace dwcp::tls
