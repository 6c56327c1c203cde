// `bundle`: what whoever helps wants to see of this node, as files. Nothing in it is secret: it is made of
// what other verbs answer, of metrics and of log lines, none of which holds keys, tokens or contents of
// objects.
#include "runtime/base/events.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/node/admin_verbs.hpp"
#include "runtime/node/live_config.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/utsname.h>

namespace dwcp::node {
namespace {

using nlohmann::json;

/// Verbs whose answers go in, and with how much of a list.
constexpr const char* kAnswers[] = {
    "status",      "nodes",      "tree",         "health",       "mailbox.top",  "events",     "config.show",
    "config.diff", "audit.list", "audit.verify", "breaker.list", "chaos.status", "backup.list"};
constexpr std::uint64_t kListed = 1000;

std::string text(const json& value) {
    return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string file_of_system(const char* path) {
    std::ostringstream content;
    content << std::ifstream(path).rdbuf();
    return content.str();
}

json limits() {
    json all = json::object();
    const std::pair<const char*, int> names[] = {{"open_files", RLIMIT_NOFILE},
                                                 {"processes", RLIMIT_NPROC},
                                                 {"locked_bytes", RLIMIT_MEMLOCK},
                                                 {"address_space_bytes", RLIMIT_AS},
                                                 {"core_bytes", RLIMIT_CORE}};
    for (const auto& [name, what] : names) {
        rlimit limit{};
        if (getrlimit(what, &limit) != 0) continue;
        const auto shown = [](rlim_t value) {
            return value == RLIM_INFINITY ? json("unlimited") : json(value);
        };
        all[name] = {{"soft", shown(limit.rlim_cur)}, {"hard", shown(limit.rlim_max)}};
    }
    return all;
}

json versions(const AdminServices& services) {
    utsname system{};
    uname(&system);
    return {{"dwcp", DWCP_VERSION},
            {"compiler", __VERSION__},
            {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
            {"node", services.identity.name},
            {"public_key", services.identity.public_key().hex()}};
}

json disk(const AdminServices& services) {
    const auto directory = services.config.get()->data_dir;
    std::error_code failed;
    const auto space = std::filesystem::space(directory, failed);
    json parts = json::array();
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
        std::error_code gone; // files come and go
        parts.push_back({{"name", entry.path().filename().string()},
                         {"bytes", entry.is_regular_file(gone) ? json(entry.file_size(gone)) : json()}});
    }
    return {{"data_dir", directory},
            {"capacity_bytes", space.capacity},
            {"available_bytes", space.available},
            {"entries", std::move(parts)}};
}

json bundle(const VerbTable& verbs, const AdminServices& services, const gateway::AdminCall& call) {
    json files = json::object();
    const auto folder = services.identity.name + "/";
    const json args{{"limit", kListed}};
    for (const auto* name : kAnswers) {
        const auto handler = verbs.find(name);
        if (handler == verbs.end()) continue;
        const auto answer = handler->second({name, args, call.by, call.peer});
        files[folder + name + ".json"] = answer ? text(*answer) : answer.error().render() + "\n";
    }
    std::string lines;
    for (const auto& line : log::recent())
        lines += line + "\n";
    files[folder + "log.txt"] = std::move(lines);
    files[folder + "metrics.txt"] = metrics::expose();
    files[folder + "versions.json"] = text(versions(services));
    files[folder + "limits.json"] = text(limits());
    files[folder + "disk.json"] = text(disk(services));
    files[folder + "process.txt"] = file_of_system("/proc/self/status");
    files[folder + "memory.txt"] = file_of_system("/proc/meminfo");
    return {{"files", std::move(files)}, {"time_ms", unix_now_ms()}};
}

} // namespace

void add_bundle_verb(VerbTable& verbs, const AdminServices& services) {
    verbs["bundle"] = [&verbs, &services](const gateway::AdminCall& call) {
        return bundle(verbs, services, call);
    };
}

} // namespace dwcp::node
