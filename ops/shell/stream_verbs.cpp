#include "ops/shell/event_stream.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/partial_file.hpp"
#include "ops/shell/printers.hpp"
#include "ops/shell/progress.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <memory>

namespace dwcp::shell {
namespace {

using nlohmann::json;

/// A node that is restarted needs about this long.
constexpr std::chrono::milliseconds kReconnectAfter{1'000};

struct EventChoice {
    std::string node;
    std::optional<std::uint64_t> after;
    std::uint64_t limit = 100;
    bool follow = false;
};

std::string clock_text(std::int64_t time_ms) {
    const std::time_t seconds = time_ms / 1000;
    std::tm local{};
    char text[16];
    if (localtime_r(&seconds, &local) == nullptr || std::strftime(text, sizeof text, "%T", &local) == 0)
        return "?";
    return text;
}

void print_followed(Context& context, const json& event) {
    show(context.terminal, context.settings.format, event, "", [&](std::ostream& out) {
        out << fmt::format("{}  {:<24} {:<20} {}\n",
                           clock_text(static_cast<std::int64_t>(number_at(event, "time_ms"))),
                           printable(text_at(event, "name")), printable(text_at(event, "subject")),
                           printable(shown_value("fields", part_at(event, "fields"), 0)));
    });
    context.terminal.out.flush();
}

/// One connection's worth of events; `last_id` moves on with each.
Outcome<void> follow_once(Context& context, const EventChoice& choice, std::string& last_id, bool& came) {
    std::string path = "/v1/events/stream";
    if (!choice.node.empty()) path += "?node=" + http::percent_encode(choice.node);
    Headers headers = {{"Accept", "text/event-stream"}};
    if (!last_id.empty()) headers["Last-Event-ID"] = last_id;
    EventStream stream;
    return context.client.follow(path, headers, [&](ByteView piece) -> Outcome<void> {
        came = true;
        const bool good = stream.take(as_text(piece), [&](const StreamedEvent& streamed) {
            last_id = streamed.id;
            json event = json::parse(streamed.data, nullptr, false);
            if (!event.is_object()) return;
            // What the stream itself says: that events were missed.
            if (!event.contains("name"))
                event.update({{"name", streamed.name},
                              {"fields", json(event)},
                              {"time_ms", context.terminal.now_ms()}});
            print_followed(context, event);
        });
        if (!good) return give_up(Exit::failed, "the node sends an endless event", "");
        if (!context.terminal.out) return give_up(Exit::failed, "cannot write the output", "");
        return {};
    });
}

/// Until an interrupt; a node that goes away is waited for, and nothing between is missed as long as it
/// keeps it.
Outcome<void> follow_events(Context& context, const EventChoice& choice) {
    std::string last_id = choice.after ? std::to_string(*choice.after) : "";
    bool came = false;
    bool said = false;
    for (;;) {
        const bool came_before = std::exchange(came, false);
        const auto ended = follow_once(context, choice, last_id, came);
        if (interrupted()) return {};
        const bool gone =
            ended || ended.error().exit == Exit::unreachable || ended.error().exit == Exit::timeout;
        if (!gone || !(came || came_before || said)) return ended;
        if (came || !said)
            context.terminal.err << "the node is away, waiting for it to come back" << std::endl;
        said = true;
        if (wait_for_interrupt(kReconnectAfter)) return {};
    }
}

Outcome<void> run_events(Context& context, const EventChoice& choice) {
    if (choice.follow) return follow_events(context, choice);
    std::string path = fmt::format("/v1/events?limit={}", choice.limit);
    if (choice.after) path += fmt::format("&after={}", *choice.after);
    if (!choice.node.empty()) path += "&node=" + http::percent_encode(choice.node);
    return show_answer(context, path, "events", [&](std::ostream& out, const json& answer) {
        print_events(out, answer, {context.terminal.now_ms(), context.terminal.colours()});
    });
}

void add_events(CLI::App& app, std::vector<Verb>& verbs) {
    const auto choice = std::make_shared<EventChoice>();
    CLI::App* events = add_parser(app, "events", "Show what happened on a node, oldest first.");
    events->add_option("NODE", choice->node, "Another node of the cluster, by name");
    events
        ->add_option("--after", choice->after, "Only events with a higher id than this; without, the latest")
        ->type_name("ID");
    events->add_option("--limit", choice->limit, "At most so many; 100 without")
        ->check(CLI::Range(1, 1000))
        ->type_name("N");
    events->add_flag("--follow", choice->follow, "Go on with what happens, until Ctrl-C");
    verbs.push_back({"events", events->get_description(), "events --follow", events,
                     [choice](Context& context) { return run_events(context, *choice); }, false,
                     "`events`: each `id`, `time_ms`, `name`, `subject`, `trace`, `fields`; `last_id`. With "
                     "--follow one event after the other."});
}

Outcome<void> run_bundle(Context& context, const std::string& file) {
    auto partial = PartialFile::create(file);
    if (!partial) return std::unexpected(partial.error());
    std::uint64_t bytes = 0;
    const auto head = context.client.download(
        "/v1/bundle", [](const ObjectHead&) -> Outcome<void> { return {}; },
        [&](ByteView piece) -> Outcome<void> {
            bytes += piece.size();
            return (*partial)->write(piece);
        });
    if (!head) return std::unexpected(head.error());
    if (auto finished = (*partial)->finish(); !finished) return std::unexpected(finished.error());
    show(context.terminal, context.settings.format, {{"file", file}, {"size_bytes", bytes}}, "",
         [&](std::ostream& out) {
             out << fmt::format("{}, {}; it holds no keys, tokens or contents of objects\n", printable(file),
                                human_bytes(bytes));
         });
    return {};
}

void add_bundle(CLI::App& app, std::vector<Verb>& verbs) {
    const auto file = std::make_shared<std::string>();
    CLI::App* bundle =
        add_parser(app, "bundle", "Fetch a node's diagnostics as one archive, without secrets.");
    *file = "dwcp-bundle.tar";
    bundle->add_option("FILE", *file, "Where to; dwcp-bundle.tar without");
    verbs.push_back({"bundle", bundle->get_description(), "bundle /tmp/site-a.tar", bundle,
                     [file](Context& context) { return run_bundle(context, *file); }, false,
                     "`file` and `size_bytes`, from the shell."});
}

} // namespace

void add_stream_verbs(CLI::App& app, std::vector<Verb>& verbs) {
    add_events(app, verbs);
    add_bundle(app, verbs);
}

} // namespace dwcp::shell
