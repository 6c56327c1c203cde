#include "actors/gateway/operator_verbs.hpp"

#include <algorithm>
#include <iterator>

namespace dwcp::gateway {
namespace {

using http::Parameter;
using http::RouteSpec;
using identity::Role;

using Type = Parameter::Type;

const Parameter kActorPath{"path", "body", "The actor, as `tree` names it.", true};
const Parameter kShownActor{"path", "path", "The actor, as `tree` names it.", true};

Parameter number(std::string name, std::string sentence, std::string in = "query", bool required = false) {
    return {std::move(name), std::move(in), std::move(sentence), required, Type::number};
}

/// What is said of a verb besides its name and path.
struct Words {
    std::string sentence;
    std::string answer;
    std::string example{}; ///< Of a GET: the path with its query. Of a POST: the body.
    std::string file{};    ///< Of a GET whose answer is a file: what it is to be called.
};

constexpr std::string_view kWithToken = "-H \"Authorization: Bearer $TOKEN\" ";

/// A line that works as it stands: a shell would take '?' and '&' for itself, and who comes from loopback
/// without a token is a writer.
std::string curl_get(const std::string& path, Role role, const std::string& file) {
    const std::string url = "http://127.0.0.1:8101" + path;
    std::string line = "curl ";
    if (!file.empty()) line += "-f -o " + file + ' ';
    if (role > Role::writer) line += kWithToken;
    return line + (path.find('?') == std::string::npos ? url : '\'' + url + '\'');
}

OperatorVerb question(std::string name, std::string path, Words words, std::vector<Parameter> parameters = {},
                      Role role = Role::viewer) {
    std::string example = curl_get(words.example.empty() ? path : words.example, role, words.file);
    return {std::move(name),
            {.method = "GET",
             .pattern = std::move(path),
             .group = "Operation",
             .sentence = std::move(words.sentence),
             .role = role,
             .parameters = std::move(parameters),
             .answer = std::move(words.answer),
             .example = std::move(example)}};
}

OperatorVerb command(std::string name, std::string path, Role role, Words words,
                     std::vector<Parameter> parameters = {}, bool needs_reason = false) {
    std::string example = "curl " + std::string(kWithToken) + "-d '" +
                          (words.example.empty() ? "{}" : words.example) + "' http://127.0.0.1:8101" + path;
    return {.name = std::move(name),
            .route = {.method = "POST",
                      .pattern = std::move(path),
                      .group = "Operation",
                      .sentence = std::move(words.sentence),
                      .role = role,
                      .parameters = std::move(parameters),
                      .answer = std::move(words.answer),
                      .example = std::move(example)},
            .mutates = true,
            .needs_reason = needs_reason};
}

/// What every verb of its kind takes besides its own parameters.
void add_common(OperatorVerb& verb) {
    auto& parameters = verb.route.parameters;
    const std::string in = verb.mutates ? "body" : "query";
    if (verb.takes_node) parameters.push_back({"node", in, "Another node of the cluster; else this one."});
    if (!verb.mutates) return;
    parameters.push_back(
        {"dry_run", in, "true: say what would be done, and do nothing.", false, Parameter::Type::flag});
    parameters.push_back({"reason", in, "Why; kept in the audit log.", verb.needs_reason});
}

OperatorVerb here_only(OperatorVerb verb) {
    verb.takes_node = false;
    return verb;
}

std::vector<OperatorVerb> observation() {
    return {
        here_only(question("whoami", "/v1/whoami",
                           {"Who you are to this node, and which node it is.",
                            "`name`, `role`, `how` (`certificate`, `token`, `loopback` or `none`), `node`, "
                            "`cluster`."},
                           {}, Role::none)),
        question("status", "/v1/status",
                 {"How a node is doing.",
                  "`node`, `site`, `cluster`, `version`, `state` (`running` or `draining`), `uptime_s`, "
                  "`health`, `alerts` (each `name`, `severity`, `detail`), `actors`, `restarts_total`, "
                  "`workloads` by state (and `managers_silent`: how many did not answer), `store`, `lanes`, "
                  "`tls` (`enabled`, and with it the `certificate` in "
                  "use, its `serial`, `until_ms` and `ca_until_ms`)."}),
        question(
            "nodes", "/v1/nodes",
            {"The nodes of the cluster as this one sees them.",
             "`nodes`: each `name`, `site`, `self`, `up`, `address`, `rtt_ms`, `since_ms`, `problem`, and "
             "`data`, the state of its data link."}),
        question(
            "tree", "/v1/tree",
            {"The actors of a node under their supervisors.",
             "`actors`: each `path`, `parent`, `state`, `life`, `restarts`, `last_reason`, `uptime_ms`, "
             "`mailbox_depth`, `mailbox_rejected`, `busy_ms`; where they apply `quarantine` (why it stays "
             "down), `release` and `last_good_release`; of a supervisor its `strategy`, `escalation`, and "
             "`intensity`, the restarts that it stands within `period_ms`."}),
        question(
            "health", "/v1/health",
            {"Whether the parts of a node work, a second old at most.",
             "`status` (`healthy`, `degraded` or `unhealthy`), `age_s`, and `checks`: each `name`, `ok`, "
             "`detail`, `seconds`, and `age_s` where it is looked at less often; `recoveries`: each `part`, "
             "`state`, `attempts`, `reason`; `degradation`: `level`, `reason`, `since_ms`, `burn`."}),
        question("events", "/v1/events",
                 {"What happened on a node, oldest first. With `Accept: text/event-stream` as "
                  "`/v1/events/stream`.",
                  "`events`: each `id`, `time_ms`, `name`, `subject`, `trace`, `fields`; `last_id`, to go on "
                  "after; `incarnation`, of the process whose ids these are.",
                  "/v1/events?after=120&limit=50"},
                 {number("after", "Only events with a higher id; without, the latest."),
                  number("limit", "At most so many, up to 1000; 100 without.")}),
        question("metrics", "/v1/metrics",
                 {"The metrics of a node as numbers; `/metrics` has them for Prometheus.",
                  "`series`: each `name`, `type`, `help`, `labels`, `value`; of a histogram its `_count` and "
                  "`_sum`. `left_out`: how many more there are.",
                  "/v1/metrics?grep=mailbox"},
                 {{"grep", "query", "Only series whose name contains this."},
                  number("limit", "At most so many, up to 5000; 1000 without.")}),
        question("mailbox.top", "/v1/mailboxes",
                 {"The busiest mailboxes of a node.",
                  "`actors`, the first the worst: each `path`, `depth`, `rejected`, `busy_ms`, `busy_ratio` "
                  "since its start.",
                  "/v1/mailboxes?by=busy&limit=5"},
                 {{"by", "query", "What they are ordered by: depth (without), busy or rejected."},
                  number("limit", "At most so many, up to 1000; 10 without.")}),
        question(
            "actor.show", "/v1/actors/*",
            {"One actor.",
             "As in `tree`, with its `node` and `last_restarts`, oldest first: each `time_ms`, `path`, "
             "`life` (that ended), `reason`, `delay_ms`, `release`; of a supervisor those of all below it. "
             "A node keeps its last 100.",
             "/v1/actors/manager/0"},
            {kShownActor}),
        question("actor.trace", "/v1/actor-traces/*",
                 {"The messages that an actor has handled lately. Asking switches the recording on; it ends "
                  "by itself. What the messages hold is not recorded.",
                  "`path`, `recording_s` (how long it still goes on), `messages`, oldest first, 256 at most: "
                  "each `time_ms`, `type`, `duration_us`, `outcome`.",
                  "/v1/actor-traces/manager/0?seconds=30"},
                 {kShownActor,
                  number("seconds", "How long to record from now, up to 600; 10 without, 0: end it.")},
                 Role::operator_),
        here_only(question(
            "trace", "/v1/trace/*",
            {"Every step of one workload on all nodes, with its time: from the request to the replicas, the "
             "lane and the answer. Steps are kept in memory: the latest of each actor, none from before a "
             "node's restart.",
             "`id`; `trace_id`, W3C's; `workloads`; `spans`, by their beginning: each `span` and `parent` "
             "(16 hex digits; a `parent` that is empty or not among them is outside), `name`, `detail` (a "
             "peer, a block), `node`, `actor`, `workload`, `trace_id` (of a request), `start_us` (Unix), "
             "`duration_us`, `count` (how often: steps of one kind are one span), `busy_us` (the sum of "
             "their durations), `ok`, `error`, `fields` (numbers and texts, e.g. `bytes`, `blocks`, `path`, "
             "`status`); `nodes`: each `node`, `answered`, `problem`, `spans`, `left_out`.",
             "/v1/trace/9f2b6c1e04d7a853b1c06f5e2a9d7c44"},
            {{"path", "path", "The id: X-DWCP-Request-Id of an answer, a transaction's, or a W3C trace id.",
              true}})),
        here_only(question("bundle", "/v1/bundle",
                           {"Diagnostics of this node for whoever helps: one tar archive with status, nodes, "
                            "tree, health, configuration, events, metrics, audit log, log lines, limits and "
                            "versions. It holds no keys, tokens or contents of objects.",
                            "The archive (application/x-tar).", "/v1/bundle", "bundle.tar"},
                           {}, Role::operator_)),
    };
}

std::vector<OperatorVerb> actors() {
    const std::string outcome = "`outcome`, a sentence.";
    return {
        command("actor.kill", "/v1/actors/kill", Role::operator_,
                {"Ends an actor as a crash would; its supervisor brings it back.", outcome,
                 R"({"path": "manager/0"})"},
                {kActorPath}),
        command("actor.restart", "/v1/actors/restart", Role::operator_,
                {"Ends an actor in an orderly way; its supervisor brings it back.", outcome,
                 R"({"path": "manager/0"})"},
                {kActorPath}),
        command(
            "actor.quarantine", "/v1/actors/quarantine", Role::admin,
            {"Ends an actor in an orderly way and keeps it down until `actor resume` or the node's restart.",
             outcome, R"({"path": "compression/0", "reason": "it spoils blocks"})"},
            {kActorPath}, true),
        command(
            "actor.resume", "/v1/actors/resume", Role::admin,
            {"Starts an actor that was quarantined or given up.", outcome, R"({"path": "compression/0"})"},
            {kActorPath}),
    };
}

std::vector<OperatorVerb> whole_node() {
    return {
        command(
            "drain", "/v1/drain", Role::operator_,
            {"Takes no new requests and no new replicas; what is under way goes on. Until `undrain` or the "
             "node's restart.",
             "`state`, `changed` (false: it drained already), `workloads_open` (null: a manager did not "
             "answer)."}),
        command("undrain", "/v1/undrain", Role::operator_,
                {"Takes requests and replicas again.", "`state`, `changed`, `workloads_open`."}),
        command("log.level", "/v1/log/level", Role::operator_,
                {"Changes the least severe level of log lines that are written.",
                 "`level`, `was`, and `back_in_s` if it is for a time.",
                 R"({"level": "debug", "seconds": 60})"},
                {{"level", "body", "trace, debug, info, warn, error or off.", true},
                 number("seconds",
                        "Back to the level before after so many seconds, up to 86400; for good "
                        "without.",
                        "body")}),
    };
}

std::vector<OperatorVerb> configuration() {
    const std::string keys =
        "`keys`: each `key`, `value`, `default`, `source` (`file` or `default`), `live`, "
        "`unit`.";
    return {
        question("config.show", "/v1/config",
                 {"The configuration that is in force.", keys + " `file`.", "/v1/config?grep=log."},
                 {{"grep", "query", "Only keys that contain this."}}),
        question("config.diff", "/v1/config/diff",
                 {"Where the configuration in force differs from its file and from the defaults.",
                  "`keys`: each `key`, `running`, `file`, `default`, `live`, `needs` (`nothing`, `reload` or "
                  "`restart`); `problems`: what is wrong with the file now."}),
        question("config.explain", "/v1/config/keys/*",
                 {"What a configuration key is for.",
                  "`key`, `sentence`, `unit`, `allowed`, `default`, `live`, `value`, `source`.",
                  "/v1/config/keys/data.streams_max"},
                 {{"key", "path", "The key, such as data.streams_max.", true}}),
        command(
            "config.reload", "/v1/config/reload", Role::operator_,
            {"Reads the file again and, if all of it is good, applies what may change while the node runs.",
             "`applied` and `needs_restart`: each `key`, `was`, `value`. A bad file is refused with "
             "everything that is wrong with it, and changes nothing."}),
    };
}

std::vector<OperatorVerb> audit() {
    return {
        question("audit.list", "/v1/audit",
                 {"What operators did on a node, and what they were refused, oldest first.",
                  "`records`: each `n`, `time_ms`, `kind` (`begin`, `end`, `refused`), `of` (of an "
                  "end: its "
                  "beginning), `by`, `verb`, `args`, `reason`, `dry_run`, `result`, `hash`; `head` (`n`, "
                  "`hash`), `size_bytes`.",
                  "/v1/audit?after=40&limit=20"},
                 {number("after", "Only records with a higher number; without, the latest."),
                  number("limit", "At most so many, up to 1000; 100 without.")},
                 Role::operator_),
        question("audit.verify", "/v1/audit/verify",
                 {"Walks the whole audit log and checks that nothing in it was changed, removed or cut off.",
                  "`ok`, `records`, `head`, and of a break `broken_at` and `problem`.",
                  "/v1/audit/verify?head=128-9f86d0..."},
                 {{"head", "query",
                   "A head that was noted earlier, NUMBER-HASH as the log says it: it must still be in the "
                   "chain."}},
                 Role::operator_),
    };
}

OperatorVerb fault(std::string name, std::string sentence, std::string example,
                   std::vector<Parameter> parameters) {
    parameters.push_back(number("seconds", "How long, 1 to 3600.", "body", true));
    std::string path = "/v1/chaos/" + name;
    return command("chaos." + std::move(name), std::move(path), Role::admin,
                   {std::move(sentence) + " Only where chaos.enabled is true.",
                    "`fault`: `id`, `kind`, `target`, `ends_in_s`.", std::move(example)},
                   std::move(parameters), true);
}

std::vector<OperatorVerb> chaos() {
    const Parameter peer{"peer", "body", "The node at the other end of the link.", true};
    const Parameter link{"link", "body", "control, data or both; both without."};
    const Parameter percent = number("percent", "Of the frames, 1 to 100; 100 without.", "body");
    return {
        question("chaos.status", "/v1/chaos",
                 {"The faults that are injected into a node now.",
                  "`enabled`, and `faults`: each `id`, `kind`, `target`, `ends_in_s`, `reason`, `hits`."}),
        command("chaos.kill", "/v1/chaos/kill", Role::admin,
                {"Ends an actor as a crash would or, without a path, the node's whole process at once "
                 "(SIGKILL). Only where chaos.enabled is true.",
                 "`outcome`; none if the process is killed.",
                 R"({"path": "consensus/metadata", "reason": "drill"})"},
                {{"path", "body", "The actor; without, the process."},
                 {"at", "body",
                  "Not now: the process ends when it comes to `ramp-write` (before a record of the ramp is "
                  "written) or `ramp-commit` (after it was)."},
                 number("count", "The how-manieth time; the first without, 0: not any more.", "body")},
                true),
        fault("pause", "Stops an actor from handling anything, as if it hung.",
              R"({"path": "manager/0", "seconds": 5, "reason": "drill"})", {kActorPath}),
        fault("delay", "Holds control requests to a peer back.",
              R"({"peer": "site-b", "milliseconds": 200, "seconds": 30, "reason": "drill"})",
              {peer, percent, number("milliseconds", "How long each, 1 to 10000.", "body", true)}),
        fault("drop", "Loses requests to a peer, on its control link, its data link or both.",
              R"({"peer": "site-b", "link": "control", "percent": 20, "seconds": 30, "reason": "drill"})",
              {peer, link, percent}),
        fault("corrupt", "Flips a bit in blocks that are sent to a peer; the peer must notice.",
              R"({"peer": "site-b", "percent": 5, "seconds": 30, "reason": "drill"})", {peer, percent}),
        fault("canary",
              "Makes the canary release of a system fail, slow, send damaged blocks or crash; stable is not "
              "touched.",
              R"({"system": "manager", "kind": "error", "percent": 20, "seconds": 30, "reason": "drill"})",
              {{"system", "body", "manager or selector.", true},
               {"kind", "body", "error, latency, corruption (of the manager alone) or crash.", true},
               number("percent",
                      "Of the canary's attempts, or of the blocks it sends, 1 to 100; 100 without.", "body"),
               number("milliseconds", "Of latency, 1 to 10000.", "body")}),
        fault("fill-disk", "Fills the node's disk with a file; it is removed at the end and at a start.",
              R"({"leave_bytes": 100000000, "seconds": 60, "reason": "drill"})",
              {number("leave_bytes", "How much of the disk stays free.", "body", true),
               number("bytes_max", "The file is at most so long; 64 GiB without.", "body")}),
        command("chaos.stop", "/v1/chaos/stop", Role::admin,
                {"Ends a fault, or all of them.", "`stopped`: how many.", R"({"id": 3})"},
                {number("id", "The fault; all without.", "body")}),
    };
}

std::vector<OperatorVerb> breakers() {
    const Parameter breaker{"breaker", "body", "PEER/OPERATION, as `breaker list` names it.", true};
    const std::string answer = "The `breaker`, as in `GET /v1/breakers`; with `dry_run` as it is now.";
    return {
        question(
            "breaker.list", "/v1/breakers",
            {"The circuit breakers of a node, one for each peer and operation: `send_block`, `sync` and "
             "`fetch` of the data link, and the services that are asked over the control link.",
             "`breakers`: each `name` (PEER/OPERATION), `peer`, `operation`, `state` (0 closed, 1 half-open, "
             "2 open), `state_name`, `forced` (`no`, `open` or `closed`), `reason` (of the last trip or "
             "force), `last_error`, `failures_in_a_row`, `window` (`calls`, `failures`, `slow`), `probes`, "
             "`probes_max`, `trips`, `probes_in_ms` (while open), `since_ms` (of the last change).",
             "/v1/breakers?peer=site-b"},
            {{"peer", "query", "Only those of this peer."}}),
        command(
            "breaker.force-open", "/v1/breakers/force-open", Role::operator_,
            {"Holds a breaker open: nothing of this operation is tried on the peer until `breaker reset` or "
             "the node's restart.",
             answer, R"({"breaker": "site-b/send_block", "reason": "its disk is replaced"})"},
            {breaker}, true),
        command(
            "breaker.force-closed", "/v1/breakers/force-closed", Role::operator_,
            {"Holds a breaker closed: everything is tried, whatever becomes of it, until `breaker reset` or "
             "the node's restart.",
             answer, R"({"breaker": "site-b/send_block", "reason": "it trips for nothing"})"},
            {breaker}, true),
        command("breaker.reset", "/v1/breakers/reset", Role::operator_,
                {"Closes a breaker, forgets what it has counted, and ends a force.", answer,
                 R"({"breaker": "site-b/send_block"})"},
                {breaker}),
    };
}

std::vector<OperatorVerb> ramp_questions() {
    const Parameter day{"day", "query", "How long a day of the plan is: 5s, 1h; without, as the plan says."};
    return {
        question(
            "ramp.status", "/v1/ramp",
            {"Where the ramp stands: its step and stage, the weights, and the verdict on each criterion.",
             "`phase`, `plan`, `day_ms`, `rehearsal` and its `notes`, `host`, `term`, `seq`, `step` and "
             "`stage` (each with `index` and `count`), `weights`, `reason`, `explanation`, "
             "`review_until_ms`, `kill_switch`, `alarm`, `verdicts` (each `criterion`, `check`, `outcome`, "
             "`limit`, `measured`, `unit`, `n_canary`, `n_stable`, `effect` with its interval `low` to "
             "`high`, `reason`, `overridden`), `skipped`, `approvals`, `overrides`, `attestations`, "
             "`exercises`, `systems` by node, and `silent`: nodes that did not answer."}),
        question(
            "ramp.plan", "/v1/ramp/plan",
            {"The plan that is played, or else the one of ramp.plan_file: every step, stage and gate.",
             "`plan`, `day_ms`, `rehearsal`, `notes`, `digest`, `steps` (each `name`, `title`, `targets`, "
             "`approval`, `stages`), `gates`, `triggers`.",
             "/v1/ramp/plan?day=1h"},
            {day}),
        question("ramp.history", "/v1/ramp/history",
                 {"Every transition of every ramp, oldest first, as the journal has it.",
                  "`records`: each `seq`, `term`, `at_ms`, `kind`, `step`, `stage`, `by`, `role`, `reason`, "
                  "`verdicts`, `alarm`, and what its kind has besides; `last_seq`, to go on after.",
                  "/v1/ramp/history?limit=20"},
                 {number("after", "Only records with a higher number; without, the latest."),
                  number("limit", "At most so many, up to 5000; 200 without.")}),
        question("ramp.explain", "/v1/ramp/explain",
                 {"In sentences: what the ramp does, what it waits for, and why.",
                  "`phase`, `host`, `sentences`, `criteria`: each `criterion`, `outcome`, `reason`."}),
        question(
            "ramp.evidence", "/v1/ramp/evidence/*",
            {"What the verdicts of a record rest on; kept by the node that hosted the ramp then.",
             "`seq`, `phase`, `node`, `since_ms`, `verdicts`, `events`, `configuration`, `observations`: "
             "each a line that `ramp replay` reads.",
             "/v1/ramp/evidence/12"},
            {{"path", "path", "The record's number, as `ramp history` shows it.", true}}),
    };
}

/// A plan's text, whose quotes and line ends JSON doubles.
constexpr std::size_t kPlanBodyBytesMax = 60U << 10;

OperatorVerb ramp_command(std::string name, Role role, std::string sentence, std::string example = {},
                          std::vector<Parameter> parameters = {}, bool needs_reason = false) {
    std::string path = "/v1/ramp/" + name;
    return command(
        "ramp." + std::move(name), std::move(path), role,
        {std::move(sentence), "`outcome`, a sentence; `host`, the node that did it.", std::move(example)},
        std::move(parameters), needs_reason);
}

std::vector<OperatorVerb> ramp() {
    const Parameter lasts{"lasts", "body", "For how long, such as 1h or 24h; a day without."};
    std::vector<OperatorVerb> all = ramp_questions();
    for (auto& verb : std::vector<OperatorVerb>{
             ramp_command(
                 "start", Role::operator_,
                 "Begins a rollout plan; the node that is asked drives it. A dry run shows the whole "
                 "plan.",
                 R"({"day": "1h", "reason": "release 12"})",
                 {{"plan", "body", "The plan's text, TOML; without, the file of ramp.plan_file."},
                  {"day", "body",
                   "How long a day of the plan is, such as 5s or 1h; without, as the "
                   "plan says."}}),
             ramp_command("pause", Role::operator_, "Stops the ramp where it is; the weights stay."),
             ramp_command("resume", Role::operator_,
                          "Goes on after a pause or ends a review: the stage begins anew."),
             ramp_command("promote", Role::operator_,
                          "Goes on to the next stage without waiting for the rest of this one.",
                          R"({"reason": "seen enough"})",
                          {{"full", "body", "true: straight to the last step.", false, Type::flag}}),
             ramp_command("abort", Role::operator_, "Ends the ramp; what was shifted is rolled back first.",
                          R"({"reason": "not today"})", {}, true),
             ramp_command("rollback", Role::operator_,
                          "Takes all traffic back to the stable releases at once.",
                          R"({"reason": "users complain"})", {}, true),
             ramp_command(
                 "override", Role::admin,
                 "Lets a criterion of the gate at hand pass; or gives a silent node up that holds a "
                 "rollback back.",
                 R"({"subject": "zero critical incidents", "reason": "a drill"})",
                 {{"subject", "body", "The criterion as `ramp status` names it, or the node.", true}}, true),
             ramp_command("approve", Role::operator_,
                          "Approves a step that waits for it; the plan says which role may.",
                          R"({"reason": "go"})",
                          {{"subject", "body", "The step's name; without, the one at hand."}, lasts}),
             ramp_command("attest", Role::operator_,
                          "Vouches for something that the ramp cannot measure, such as the runbooks.",
                          R"({"subject": "runbooks", "reason": "walked through on Monday"})",
                          {{"subject", "body", "What is vouched for.", true}, lasts}, true),
             ramp_command(
                 "kill-switch", Role::admin,
                 "Keeps every node on the stable releases whatever a plan says, until it is off again.",
                 R"({"state": "on", "reason": "an incident"})", {{"state", "body", "on or off; on without."}},
                 true),
         })
        all.push_back(std::move(verb));
    std::ranges::find(all, "ramp.start", &OperatorVerb::name)->body_bytes_max = kPlanBodyBytesMax;
    return all;
}

std::vector<OperatorVerb> backups() {
    const std::string entry = "id, set (of a cluster's backup), node, version, created_ms, files, bytes, "
                              "pause_ms (how long writers waited), lanes (where each one ended).";
    const std::string job = "The job: id, kind, state (running, done or failed), done_bytes, total_bytes, "
                            "problem, result. Ask GET /v1/backups/ID until it has ended.";
    return {
        question(
            "backup.list", "/v1/backups",
            {"The backups of a node, oldest first, and the job that runs or ran last.",
             "directory, backups: " + entry + " problems: what is damaged. job: as POST /v1/backup/now."}),
        question("backup.show", "/v1/backups/*",
                 {"One backup, or the job of that id.", "A backup's " + entry + " Or a job.",
                  "/v1/backups/20261124-085512-site-a"},
                 {{"path", "path", "The backup's id.", true}}),
        command("backup.now", "/v1/backup/now", Role::operator_,
                {"Begins a backup of a node, or of the whole cluster, while traffic flows.", job,
                 R"({"scope": "cluster"})"},
                {{"scope", "body", "node or cluster; node without."}}),
        command("backup.verify", "/v1/backup/verify", Role::operator_,
                {"Begins to read every byte of a backup: files, records, blocks, and that no block lacks.",
                 job + " The result has ok, files, objects, blocks and problems.",
                 R"({"id": "20261124-085512-site-a"})"},
                {{"id", "body", "The backup's id.", true}}),
    };
}

std::vector<OperatorVerb> all_verbs() {
    std::vector<OperatorVerb> all;
    for (auto part : {observation(), actors(), whole_node(), configuration(), audit(), breakers(), backups(),
                      ramp(), chaos()})
        std::ranges::move(part, std::back_inserter(all));
    for (OperatorVerb& verb : all)
        add_common(verb);
    return all;
}

} // namespace

const std::vector<OperatorVerb>& operator_verbs() {
    static const std::vector<OperatorVerb> verbs = all_verbs();
    return verbs;
}

const OperatorVerb* find_verb(std::string_view name) {
    const auto& verbs = operator_verbs();
    const auto found = std::ranges::find(verbs, name, &OperatorVerb::name);
    return found == verbs.end() ? nullptr : &*found;
}

} // namespace dwcp::gateway
