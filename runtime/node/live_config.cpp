#include "runtime/node/live_config.hpp"

namespace dwcp::node {

std::shared_ptr<const config::NodeConfig> LiveConfig::get() const {
    const std::lock_guard lock(mutex_);
    return running_;
}

Result<config::NodeConfig> LiveConfig::read_file() const {
    const auto file = get()->file;
    if (file.empty())
        return fail(Errc::precondition_failed, "this node was not started from a file",
                    "restart it with one");
    auto read = config::load_file(file);
    if (read) return std::move(*read);
    std::string all;
    for (const auto& problem : read.error().list)
        all += (all.empty() ? "" : "; ") + problem;
    return fail(Errc::invalid_argument, "nothing was changed: " + all,
                "mend the file; `dwcp-node --check --config " + file + "` checks it");
}

Result<std::vector<config::Change>> LiveConfig::reload(bool dry_run) {
    const std::lock_guard one_at_a_time(reload_mutex_);
    const auto file = read_file();
    if (!file) return std::unexpected(file.error());
    const auto before = get();
    auto found = config::changes(*before, *file);
    if (dry_run || found.empty()) return found;
    const auto merged = std::make_shared<const config::NodeConfig>(config::with_live_keys(*before, *file));
    {
        const std::lock_guard lock(mutex_);
        running_ = merged;
    }
    for (const auto& told : told_)
        told(*merged);
    return found;
}

} // namespace dwcp::node
