#include "ops/shell/jobs.hpp"

#include "ops/shell/interrupt.hpp"
#include "ops/shell/progress.hpp"
#include "ops/shell/units.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

namespace dwcp::shell {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kAskEvery{300};

Failure stopped_waiting(const std::string& kind, const std::string& id) {
    return {Exit::interrupted, fmt::format("interrupted; the {} {} goes on at the node", kind, id),
            fmt::format("backup show {}, to see how far it is", id)};
}

} // namespace

Outcome<json> wait_for_job(Context& context, const std::string& node, json job) {
    const std::string id = text_at(job, "id");
    const std::string kind = text_at(job, "kind");
    std::string path = "/v1/backups/" + http::percent_encode_path(id);
    if (!node.empty()) path += "?node=" + http::percent_encode(node);
    const CancelOnInterrupt cancels(context.terminal.runs_one_command());
    Progress progress(context.terminal.err, context.terminal.err_is_terminal, kind + " " + id, std::nullopt);
    while (text_at(job, "state") == "running") {
        const std::uint64_t done = number_at(job, "done_bytes");
        const std::uint64_t total = number_at(job, "total_bytes");
        progress.set(done, total >= done && total > 0 ? std::optional(total) : std::nullopt);
        if (wait_for_interrupt(kAskEvery)) return std::unexpected(stopped_waiting(kind, id));
        auto asked = context.client.get(path);
        if (interrupted()) return std::unexpected(stopped_waiting(kind, id));
        if (!asked) {
            asked.error().message = fmt::format("the {} {} has begun, but how it ended is not known: {}",
                                                kind, id, asked.error().message);
            return asked;
        }
        job = std::move(*asked);
    }
    return job;
}

Outcome<void> judge_job(const json& job) {
    if (text_at(job, "state") == "failed")
        return give_up(Exit::failed,
                       fmt::format("the {} failed: {}", text_at(job, "kind"), text_at(job, "problem")));
    const json& result = part_at(job, "result");
    const json& ok = part_at(result, "ok");
    if (!ok.is_boolean() || ok.get<bool>()) return {};
    std::string problems;
    for (const json& problem : list_at(result, "problems"))
        problems += "\n  " + (problem.is_string() ? problem.get<std::string>() : one_line(problem));
    return give_up(Exit::failed, fmt::format("the backup {} is damaged:{}", text_at(job, "id"), problems),
                   "do not restore it; make a new one with 'backup now'");
}

} // namespace dwcp::shell
