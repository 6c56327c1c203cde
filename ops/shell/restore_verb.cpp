#include "ops/shell/confirm.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/node_program.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/config/config.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <system_error>

namespace dwcp::shell {
namespace {

namespace fs = std::filesystem;

struct Restore {
    std::string backup;
    Asked asked;
};

/// A directory, or the id of a backup where the node keeps its own.
Outcome<std::string> find_backup(const config::NodeConfig& config, const std::string& named) {
    std::error_code error;
    if (fs::is_directory(named, error)) return fs::absolute(named, error).lexically_normal().string();
    const fs::path own = config.backup_directory.empty() ? fs::path(config.data_dir) / "backups"
                                                         : fs::path(config.backup_directory);
    if (named.find('/') == std::string::npos && fs::is_directory(own / named, error))
        return fs::absolute(own / named, error).lexically_normal().string();
    return give_up(Exit::failed,
                   fmt::format("there is no backup {}, neither here nor in {}", named, own.string()),
                   "give the backup's directory");
}

/// Whoever listens where the node would: its files must not be touched.
Outcome<void> require_stopped(const Context& context, const std::string& node) {
    GlobalOptions options;
    options.config_file = context.settings.config_file;
    const auto settings = resolve_settings(options, context.terminal.environment);
    if (!settings) return std::unexpected(settings.error());
    Client client(*settings);
    const auto answer = client.get("/v1/whoami");
    if (interrupted()) return std::unexpected(interrupted_failure());
    if (!answer && answer.error().exit == Exit::unreachable) return {};
    return give_up(
        Exit::precondition,
        fmt::format("{} is running at {}: only a stopped node is restored", node, settings->address()),
        fmt::format("stop it (systemctl stop dwcp-node@{}), then restore it", node));
}

Outcome<void> judge(int exit) {
    if (exit == 0) return {};
    if (interrupted())
        return give_up(Exit::interrupted, "interrupted; what was copied is no node's state yet",
                       "the same again, to restore it");
    return give_up(static_cast<Exit>(exit), fmt::format("dwcp-node ended with {}; it says why above", exit));
}

/// Reads the whole backup, and says what stands in the way of restoring it.
Outcome<void> rehearse(Context& context, const config::NodeConfig& config, const std::string& backup) {
    const auto exit =
        run_node_program(context.terminal, context.settings.format, {"--verify-backup", backup});
    if (!exit) return std::unexpected(exit.error());
    if (auto good = judge(*exit); !good) return good;
    std::error_code error;
    const bool occupied = fs::exists(fs::path(config.data_dir) / "node.id", error);
    show(context.terminal, context.settings.format,
         {{"dry_run", true}, {"would_restore", config.data_dir}, {"node", config.name}, {"backup", backup}},
         "", [&](std::ostream& out) {
             out << fmt::format("would build {} of node {} from {}\n", printable(config.data_dir),
                                printable(config.name), printable(backup));
         });
    if (!occupied) return {};
    return give_up(Exit::precondition, fmt::format("{} holds a node's state already", config.data_dir),
                   fmt::format("move it aside first: mkdir {0}.old && mv {0}/node.* {0}/store {0}.old/",
                               config.data_dir));
}

Outcome<void> run_restore(Context& context, const Restore& restore) {
    const std::string& file = context.settings.config_file;
    if (file.empty())
        return give_up(Exit::usage, "backup restore needs the configuration of the node that is restored",
                       "add --config FILE, the file that the node is started with");
    const auto config = config::load_file(file);
    if (!config) return give_up(Exit::usage, fmt::format("{} cannot be used", file), "dwcp-node --check");
    const auto backup = find_backup(*config, restore.backup);
    if (!backup) return std::unexpected(backup.error());
    if (auto stopped = require_stopped(context, config->name); !stopped) return stopped;
    if (restore.asked.dry_run) return rehearse(context, *config, *backup);
    if (auto confirmed = confirm(context.terminal, "backup restore", config->name, restore.asked); !confirmed)
        return confirmed;
    const auto exit =
        run_node_program(context.terminal, context.settings.format, {"--config", file, "--restore", *backup});
    if (!exit) return std::unexpected(exit.error());
    if (auto good = judge(*exit); !good) return good;
    show(context.terminal, context.settings.format,
         {{"restored", config->data_dir}, {"node", config->name}, {"backup", *backup}}, "",
         [](std::ostream&) {});
    return {};
}

} // namespace

void add_restore_verb(CLI::App& app, std::vector<Verb>& verbs) {
    const auto restore = std::make_shared<Restore>();
    CLI::App* parser =
        add_parser(app, "backup restore",
                   "Build the files of a stopped node from a backup. It runs dwcp-node on this "
                   "machine and needs --config.");
    parser->add_option("BACKUP", restore->backup, "The backup's directory, or its id among the node's own")
        ->required();
    parser->add_flag("--dry-run", restore->asked.dry_run,
                     "Read every byte of the backup, say what would be done, and do nothing");
    parser->add_flag("--yes", restore->asked.yes, "Do not ask for a confirmation");
    verbs.push_back({"backup restore", parser->get_description(),
                     "backup restore /backups/20261124-085512-site-a --config site-a.toml", parser,
                     [restore](Context& context) { return run_restore(context, *restore); }, true,
                     "`restored`, `node`, `backup`, from the shell."});
}

} // namespace dwcp::shell
