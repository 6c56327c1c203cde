// `config show|diff|explain|reload`.
#include "runtime/node/admin_verbs.hpp"
#include "runtime/node/live_config.hpp"

#include <map>

namespace dwcp::node {
namespace {

using config::Change;
using config::Value;
using nlohmann::json;

json to_json(const Value& value) {
    return std::visit([](const auto& held) { return json(held); }, value);
}
json to_json(const std::optional<Value>& value) { return value ? to_json(*value) : json(); }

json entry(const config::Setting& setting) {
    return {{"key", setting.key},
            {"value", to_json(setting.value)},
            {"default", setting.about->required ? json() : to_json(setting.about->fallback)},
            {"source", setting.given ? "file" : "default"},
            {"live", setting.about->live},
            {"unit", setting.about->unit}};
}

json show(const AdminServices& services, const json& args) {
    const auto running = services.config.get();
    const auto part = text_of(args, "grep");
    json keys = json::array();
    for (const auto& setting : config::settings(*running))
        if (setting.key.find(part) != std::string::npos) keys.push_back(entry(setting));
    return {{"node", services.identity.name}, {"file", running->file}, {"keys", std::move(keys)}};
}

/// What differs between running, file and default; a file that is bad is told as a problem.
json diff(const AdminServices& services) {
    const auto running = services.config.get();
    const auto file = services.config.read_file();
    std::map<std::string, Change> changed;
    if (file)
        for (auto& change : config::changes(*running, *file))
            changed.emplace(change.key, change);
    json keys = json::array();
    for (const auto& setting : config::settings(*running)) {
        auto one = entry(setting);
        const auto change = changed.find(setting.key);
        const bool differs = change != changed.end();
        if (!differs && (setting.about->required || setting.value == setting.about->fallback)) continue;
        one["running"] = one["value"];
        one.erase("value");
        one["file"] = differs ? to_json(change->second.now) : file ? one["running"] : json();
        one["needs"] = !differs ? "nothing" : change->second.live ? "reload" : "restart";
        keys.push_back(std::move(one));
        changed.erase(setting.key);
    }
    for (const auto& [key, change] : changed) // of peers that are in the file only
        keys.push_back({{"key", key},
                        {"running", to_json(change.was)},
                        {"file", to_json(change.now)},
                        {"default", json()},
                        {"live", change.live},
                        {"needs", "restart"}});
    json problems = json::array();
    if (!file) problems.push_back(file.error().message);
    return {{"node", services.identity.name}, {"keys", std::move(keys)}, {"problems", std::move(problems)}};
}

Result<json> explain(const AdminServices& services, const std::string& key) {
    if (auto known = config::explain(key); !known) return std::unexpected(known.error());
    for (const auto* about : config::all_keys()) {
        if (about->path != key) continue;
        json answer{{"key", key},
                    {"sentence", about->sentence},
                    {"unit", about->unit},
                    {"allowed", config::allowed_text(about->rule, about->unit)},
                    {"default", about->required ? json() : to_json(about->fallback)},
                    {"live", about->live}};
        for (const auto& setting : config::settings(*services.config.get())) {
            if (setting.key != key) continue;
            answer["value"] = to_json(setting.value);
            answer["source"] = setting.given ? "file" : "default";
        }
        return answer;
    }
    return fail(Errc::internal, key + " is explained and not known");
}

Result<json> reload(const AdminServices& services, const gateway::AdminCall& call) {
    const auto found = services.config.reload(flag_of(call.args, "dry_run"));
    if (!found) return std::unexpected(found.error());
    json applied = json::array();
    json needs_restart = json::array();
    for (const auto& change : *found) {
        json one{{"key", change.key}, {"was", to_json(change.was)}, {"value", to_json(change.now)}};
        (change.live ? applied : needs_restart).push_back(std::move(one));
    }
    if (!flag_of(call.args, "dry_run"))
        for (const auto& change : applied)
            services.events.record(
                "config_changed", change["key"].get<std::string>(),
                {{"was", change["was"].dump()}, {"value", change["value"].dump()}, {"who", call.by.name}});
    return json{{"node", services.identity.name},
                {"dry_run", flag_of(call.args, "dry_run")},
                {"applied", std::move(applied)},
                {"needs_restart", std::move(needs_restart)}};
}

} // namespace

void add_config_verbs(VerbTable& verbs, const AdminServices& services) {
    using gateway::AdminCall;
    verbs["config.show"] = [&services](const AdminCall& call) { return show(services, call.args); };
    verbs["config.diff"] = [&services](const AdminCall&) { return diff(services); };
    verbs["config.explain"] = [&services](const AdminCall& call) {
        return explain(services, text_of(call.args, "key"));
    };
    verbs["config.reload"] = [&services](const AdminCall& call) { return reload(services, call); };
}

} // namespace dwcp::node
