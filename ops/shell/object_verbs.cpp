#include "ops/shell/confirm.hpp"
#include "ops/shell/part_transfer.hpp"
#include "ops/shell/table.hpp"
#include "ops/shell/transfer.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

namespace dwcp::shell {
namespace {

using nlohmann::json;

constexpr std::size_t kPageObjects = 1000;

std::vector<std::string> texts_of(const json& list) {
    std::vector<std::string> texts;
    for (const json& entry : list)
        texts.push_back(entry.is_string() ? entry.get<std::string>() : one_line(entry));
    return texts;
}

void print_receipt(std::ostream& out, const json& receipt) {
    const std::uint64_t size = number_at(receipt, "size_bytes");
    const std::uint64_t stored = number_at(receipt, "stored_bytes");
    std::vector<std::string> codecs;
    const json& by_codec = part_at(receipt, "codecs");
    for (const auto& [name, blocks] : by_codec.items())
        codecs.push_back(fmt::format("{} x {}", one_line(blocks), name));
    Table table({"", ""});
    table.add({"stored", text_at(receipt, "key")});
    table.add({"size", human_bytes(size)});
    table.add({"on disk", stored == 0 ? human_bytes(0)
                                      : fmt::format("{} (ratio {:.2f}), blocks: {}", human_bytes(stored),
                                                    static_cast<double>(size) / static_cast<double>(stored),
                                                    fmt::join(codecs, ", "))});
    table.add({"replicas", fmt::format("{}", fmt::join(texts_of(list_at(receipt, "replicas")), ", "))});
    table.add({"committed",
               fmt::format("{} lane, index {}", text_at(receipt, "lane"), number_at(receipt, "index"))});
    table.add({"sha256", text_at(receipt, "sha256")});
    table.add({"workload", text_at(receipt, "id")});
    table.print(out);
}

Outcome<void> run_put(Context& context, const PutRequest& request) {
    const bool in_parts = is_sent_in_parts(request);
    if (request.resume && !in_parts)
        return give_up(
            Exit::usage,
            fmt::format("only files of {} and more are sent in parts", human_bytes(kPartsFromBytes)),
            "put it without --resume");
    const auto receipt =
        in_parts ? put_in_parts(context, request) : put_file(context.client, context.terminal, request);
    if (!receipt) return std::unexpected(receipt.error());
    show(context.terminal, context.settings.format, *receipt, "",
         [&](std::ostream& out) { print_receipt(out, *receipt); });
    return {};
}

Outcome<void> run_get(Context& context, const std::string& key, const std::string& file) {
    const auto fetched = get_file(context.client, context.terminal, key, file);
    if (!fetched) return std::unexpected(fetched.error());
    if (fetched->file == "-") return {};
    const json answer = {{"key", key},
                         {"file", fetched->file},
                         {"size_bytes", fetched->size_bytes},
                         {"sha256", fetched->sha256}};
    show(context.terminal, context.settings.format, answer, "", [&](std::ostream& out) {
        out << fmt::format("{} -> {}, {}, SHA-256 verified\n", printable(key), printable(fetched->file),
                           human_bytes(fetched->size_bytes));
    });
    return {};
}

/// The object as a listing has it; null: there is none of exactly this key.
Outcome<json> find_object(Client& client, const std::string& key) {
    const auto page = client.get("/v1/objects?limit=1&prefix=" + http::percent_encode(key));
    if (!page) return std::unexpected(page.error());
    const json& objects = list_at(*page, "objects");
    return !objects.empty() && text_at(objects.front(), "key") == key ? objects.front() : json();
}

/// As aws, gcloud and kubectl do, a single command deletes what it names. In the interactive shell, where a
/// key is a TAB away, its name has to be typed.
Outcome<void> run_rm(Context& context, const std::string& key, const Asked& asked) {
    if (asked.dry_run) {
        const auto object = find_object(context.client, key);
        if (!object) return std::unexpected(object.error());
        if (object->is_null()) return give_up(Exit::failed, fmt::format("there is no object '{}'", key));
        show(context.terminal, context.settings.format, {{"would_remove", *object}}, "",
             [&](std::ostream& out) {
                 out << fmt::format("would remove {}, {}\n", printable(key),
                                    human_bytes(number_at(*object, "size_bytes")));
             });
        return {};
    }
    if (context.terminal.interactive)
        if (auto confirmed = confirm(context.terminal, "rm", key, asked); !confirmed) return confirmed;
    const auto answer = context.client.erase(object_path(key));
    if (!answer) return std::unexpected(answer.error());
    show(context.terminal, context.settings.format, *answer, "",
         [&](std::ostream& out) { out << "removed " << printable(key) << '\n'; });
    return {};
}

void add_rows(Table& table, const json& page, std::int64_t now_ms) {
    for (const json& object : list_at(page, "objects"))
        table.add({text_at(object, "key"), human_bytes(number_at(object, "size_bytes")),
                   human_age(static_cast<std::int64_t>(number_at(object, "created_ms")), now_ms),
                   fmt::format("{}", fmt::join(texts_of(list_at(object, "replicas")), ",")),
                   text_at(object, "content_type")});
}

struct ListChoice {
    std::string prefix;
    std::uint64_t limit = std::numeric_limits<std::int64_t>::max();
};

/// Page by page; tables and ndjson are printed as they come, so that a long listing needs no memory.
Outcome<void> run_ls(Context& context, const ListChoice& choice) {
    json all = {{"objects", json::array()}, {"next_cursor", ""}};
    std::string cursor;
    std::uint64_t left = choice.limit;
    std::uint64_t shown = 0;
    do {
        const auto page = context.client.get(fmt::format(
            "/v1/objects?limit={}&prefix={}&cursor={}", std::min<std::uint64_t>(left, kPageObjects),
            http::percent_encode(choice.prefix), http::percent_encode(cursor)));
        if (!page) {
            Failure failure = page.error();
            if (shown > 0) failure.exit = Exit::partial;
            return std::unexpected(failure);
        }
        const json& objects = list_at(*page, "objects");
        shown += objects.size();
        left -= std::min<std::uint64_t>(left, objects.size());
        cursor = text_at(*page, "next_cursor");
        if (context.settings.format == Format::json) {
            all["objects"].insert(all["objects"].end(), objects.begin(), objects.end());
            all["next_cursor"] = cursor;
            continue;
        }
        show(context.terminal, context.settings.format, *page, "objects", [&](std::ostream& out) {
            Table table({"KEY", ">SIZE", ">CREATED", "REPLICAS", "TYPE"});
            add_rows(table, *page, context.terminal.now_ms());
            table.print(out);
        });
    } while (!cursor.empty() && left > 0);
    if (context.settings.format == Format::json) show(context.terminal, Format::json, all, "", {});
    return {};
}

void add_put(CLI::App& app, std::vector<Verb>& verbs) {
    const auto request = std::make_shared<PutRequest>();
    CLI::App* put = app.add_subcommand("put", "Store a file under a key, replacing what is there.");
    put->add_option("FILE", request->file, "What to store; - reads the standard input")->required();
    put->add_option("KEY", request->key, "Where: a path such as reports/2024.csv")->required();
    put->add_option("--replicas", request->replicas, "On how many nodes; without, the node's default")
        ->check(CLI::Range(1, 16))
        ->type_name("N");
    put->add_option("--codec", request->codec,
                    "Fixes the codec, e.g. none, lz4, zstd-3; without, chosen for each block")
        ->type_name("CODEC");
    put->add_option("--type", request->content_type, "The content type to keep with it")->type_name("TYPE");
    put->add_flag("--resume", request->resume,
                  "Only go on with an upload of this file that was cut short; without, it goes on if it can");
    verbs.push_back(
        {"put", put->get_description(), "put report.csv reports/2024.csv --replicas 3", put,
         [request](Context& context) { return run_put(context, *request); }, true,
         "The receipt: `key`, `size_bytes`, `sha256`, `replicas`, `stored_bytes`, `codecs`, `index`."});
}

} // namespace

void add_object_verbs(CLI::App& app, std::vector<Verb>& verbs) {
    add_put(app, verbs);
    const auto key = std::make_shared<std::string>();
    const auto file = std::make_shared<std::string>();
    CLI::App* get = app.add_subcommand("get", "Fetch an object into a file and verify it.");
    get->add_option("KEY", *key, "Which object")->required();
    get->add_option(
        "FILE", *file,
        "Where to: a file, a directory, or - for the standard output; without, the key's last part");
    verbs.push_back({"get", get->get_description(), "get reports/2024.csv /tmp/", get,
                     [key, file](Context& context) { return run_get(context, *key, *file); }, false,
                     "`key`, `file`, `size_bytes`, `sha256`, from the shell."});

    const auto choice = std::make_shared<ListChoice>();
    CLI::App* ls = app.add_subcommand("ls", "List objects in the order of their keys.");
    ls->add_option("PREFIX", choice->prefix, "Only keys that start with this");
    ls->add_option("--limit", choice->limit, "At most so many")
        ->check(CLI::Range(1, 1'000'000'000))
        ->type_name("N");
    verbs.push_back(
        {"ls", ls->get_description(), "ls reports/", ls,
         [choice](Context& context) { return run_ls(context, *choice); }, false,
         "`objects`: each `key`, `size_bytes`, `sha256`, `content_type`, `created_ms`, `replicas`; "
         "`next_cursor`."});

    CLI::App* rm = app.add_subcommand("rm", "Delete an object.");
    rm->add_option("KEY", *key, "Which object")->required();
    const auto asked = std::make_shared<Asked>();
    rm->add_flag("--yes", asked->yes, "Do not ask for a confirmation; only the interactive shell does");
    rm->add_flag("--dry-run", asked->dry_run, "Say what would be deleted, and do nothing");
    verbs.push_back({"rm", rm->get_description(), "rm reports/2024.csv --dry-run", rm,
                     [key, asked](Context& context) { return run_rm(context, *key, *asked); }, true,
                     "`existed`, `index`."});
}

} // namespace dwcp::shell
