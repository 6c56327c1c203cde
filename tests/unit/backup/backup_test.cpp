#include "runtime/backup/backup.hpp"
#include "tests/unit/store/store_fixture.hpp"

#include <sys/stat.h>

using namespace dwcp;
using namespace dwcp::backup;
using dwcp::store::test::require_ok;
using dwcp::store::test::TempDir;

namespace {

namespace fs = std::filesystem;

void write_file(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Fixture {
    TempDir dir;
    std::string data = dir / "data";
    Backups backups{dir / "backups"};
    UnixMillis time_ms = 1'000;
    Progress silent = [](std::uint64_t) { return true; };

    Fixture() {
        write_file(data + "/store/000001.sst", std::string(3'000'000, 's'));
        write_file(data + "/store/CURRENT", "MANIFEST-1\n");
        write_file(data + "/node.id", "node site-a\n");
        write_file(data + "/node.key", "secret\n");
    }
    Backup head(const std::string& id) {
        return {.id = id,
                .set = "s",
                .node = "site-a",
                .site = "east",
                .cluster = "demo",
                .public_key = "ab",
                .version = "1",
                .created_ms = ++time_ms,
                .lanes = {{"metadata", {7, 2}}},
                .cut = {{"metadata", {6, 2}}},
                .files = {}};
    }
    Source source() {
        return {data + "/store",
                {{"node.id", data + "/node.id"}, {"node.key", data + "/node.key"}, {"absent", data + "/no"}}};
    }
    Result<void> restore(const std::string& id, const std::string& to) {
        const auto backup = backups.find(id);
        if (!backup) return std::unexpected(backup.error());
        return restore_files(backups.path_of(id), *backup, to, silent,
                             [](const std::string&) { return Result<void>(); });
    }
};

} // namespace

TEST_CASE_METHOD(Fixture, "a backup is restored byte by byte") {
    require_ok(backups.create(head("b1"), source(), silent));
    const auto found = backups.find("b1");
    require_ok(found);
    CHECK(found->files.size() == 4);
    CHECK(found->lanes.at("metadata") == LaneEnd{7, 2});
    CHECK(found->cut.at("metadata") == LaneEnd{6, 2});
    require_ok(restore("b1", dir / "new"));
    for (const char* name : {"store/000001.sst", "store/CURRENT", "node.id", "node.key"})
        CHECK(read_file(dir / "new/" + name) == read_file(data + "/" + name));
}

TEST_CASE_METHOD(Fixture, "nobody else can read a backup or what was restored from it") {
    require_ok(backups.create(head("b1"), source(), silent));
    require_ok(restore("b1", dir / "new"));
    for (const std::string path : {"backups/b1/node.key", "backups/b1/backup.json", "new/node.key"}) {
        struct stat info {};
        REQUIRE(::stat((dir / path).c_str(), &info) == 0);
        INFO(path);
        CHECK((info.st_mode & 077) == 0);
    }
}

TEST_CASE_METHOD(Fixture, "what did not change since the last backup is stored once") {
    require_ok(backups.create(head("b1"), source(), silent));
    write_file(data + "/store/CURRENT", "MANIFEST-2\n");
    require_ok(backups.create(head("b2"), source(), silent));
    CHECK(fs::hard_link_count(dir / "backups/b1/store/000001.sst") == 2);
    CHECK(fs::hard_link_count(dir / "backups/b2/store/CURRENT") == 1);
    CHECK(read_file(dir / "backups/b1/store/CURRENT") == "MANIFEST-1\n");
    CHECK(read_file(dir / "backups/b2/store/CURRENT") == "MANIFEST-2\n");
}

TEST_CASE_METHOD(Fixture, "a file of the same name and length but other content is not taken for the same") {
    require_ok(backups.create(head("b1"), source(), silent));
    write_file(data + "/store/000001.sst", std::string(3'000'000, 't'));
    require_ok(backups.create(head("b2"), source(), silent));
    CHECK(read_file(dir / "backups/b2/store/000001.sst").front() == 't');
    CHECK(read_file(dir / "backups/b1/store/000001.sst").front() == 's');
}

TEST_CASE_METHOD(Fixture, "every kind of damage to a backup's files is found and named") {
    require_ok(backups.create(head("b1"), source(), silent));
    const std::string path = backups.path_of("b1");
    const auto problems = [&] {
        const auto backup = read_backup(path);
        require_ok(backup);
        const auto found = verify_files(path, *backup, silent);
        require_ok(found);
        return *found;
    };
    CHECK(problems().empty());
    const std::string table = path + "/store/000001.sst";
    {
        std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(2'000'000);
        file.put('x');
    }
    REQUIRE(problems().size() == 1);
    CHECK(problems()[0].find("store/000001.sst does not match") != std::string::npos);
    fs::resize_file(table, 100);
    CHECK(problems()[0].find("100 bytes instead of 3000000") != std::string::npos);
    fs::remove(table);
    CHECK(problems()[0].find("store/000001.sst") != std::string::npos);
    write_file(path + "/store/000009.sst", "smuggled in");
    CHECK(problems().size() == 2);
    const auto refused = restore("b1", dir / "new");
    CHECK_FALSE(refused.has_value());
    CHECK_FALSE(fs::exists(dir / "new/node.id"));
}

TEST_CASE_METHOD(Fixture, "a changed or malformed backup.json is refused") {
    require_ok(backups.create(head("b1"), source(), silent));
    const std::string path = backups.path_of("b1") + "/backup.json";
    const std::string good = read_file(path);
    const auto refusal = [&](const std::string& text) {
        const auto parsed = parse_backup(text);
        REQUIRE_FALSE(parsed.has_value());
        return parsed.error().message;
    };
    std::string changed = good;
    changed.replace(changed.find("site-a"), 6, "site-b");
    CHECK(refusal(changed).find("digest") != std::string::npos);
    std::string newer = good;
    newer.replace(newer.find("\"format\": 1"), 11, "\"format\": 9");
    CHECK(refusal(newer).find("format 9") != std::string::npos);
    for (std::size_t cut = 0; cut < good.size() - 2; cut += 37)
        CHECK_FALSE(parse_backup(good.substr(0, cut)).has_value());
    for (const char* text : {"", "[]", "{}", "null", R"({"format": "x"})", R"({"format": 1e24})",
                             R"({"format": 100000000000000000067710})", R"({"format": -1})"})
        CHECK_FALSE(parse_backup(text).has_value());
    Backup outside = head("b9");
    outside.files.push_back({"../../etc/passwd", 1, {}});
    CHECK(refusal(to_json(outside)).find("outside") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a restore never overwrites a node, and may be repeated when it was cut short") {
    require_ok(backups.create(head("b1"), source(), silent));
    const auto refused = restore("b1", data);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::precondition_failed);
    CHECK(read_file(data + "/store/CURRENT") == "MANIFEST-1\n");

    const auto backup = backups.find("b1");
    require_ok(backup);
    int pieces = 0;
    const auto cut = restore_files(
        backups.path_of("b1"), *backup, dir / "new", [&](std::uint64_t) { return ++pieces < 2; },
        [](const std::string&) { return Result<void>(); });
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().code == Errc::cancelled);
    CHECK_FALSE(fs::exists(dir / "new/node.id"));
    require_ok(restore("b1", dir / "new"));
    CHECK(fs::exists(dir / "new/node.id"));
}

TEST_CASE_METHOD(Fixture, "a backup that was cut short is none, and goes with the next pruning") {
    const auto cut = backups.create(head("b1"), source(), [](std::uint64_t) { return false; });
    REQUIRE_FALSE(cut.has_value());
    CHECK(backups.list()->empty());
    const std::string partial = dir / "backups/20261124-085512-site-a.partial";
    fs::create_directories(partial + "/store"); // as a killed node leaves it
    require_ok(backups.create(head("b3"), source(), silent));
    require_ok(backups.prune(5, "site-a", "demo"));
    CHECK_FALSE(fs::exists(partial));
    CHECK(backups.list()->size() == 1);
}

TEST_CASE_METHOD(Fixture, "only the newest backups are kept") {
    for (const char* id : {"b1", "b2", "b3"})
        require_ok(backups.create(head(id), source(), silent));
    const auto removed = backups.prune(2, "site-a", "demo");
    require_ok(removed);
    CHECK(*removed == std::vector<std::string>{"b1"});
    CHECK_FALSE(fs::exists(dir / "backups/b1"));
    CHECK(read_file(dir / "backups/b3/store/000001.sst").size() == 3'000'000);
    for (const char* id : {"b1", "../data", "", "b2/store"})
        CHECK(backups.find(id).error().code == Errc::not_found);
}

TEST_CASE_METHOD(Fixture, "nodes that share a directory keep to their own backups") {
    const auto of = [&](const std::string& id, const std::string& node, const std::string& cluster) {
        auto backup = head(id);
        backup.node = node;
        backup.cluster = cluster;
        return backup;
    };
    require_ok(backups.create(of("b1", "site-b", "demo"), source(), silent));
    require_ok(backups.create(of("b2", "site-a", "other"), source(), silent));
    require_ok(backups.create(of("b3", "site-a", "demo"), source(), silent));
    require_ok(backups.create(of("b4", "site-a", "demo"), source(), silent));
    require_ok(backups.create(of("b5", "a", "demo"), source(), silent));
    const std::string under_way = dir / "backups/20261124-085512-site-b.partial";
    const std::string of_suffix = dir / "backups/20261124-085512-a.partial";
    for (const auto& path : {under_way, of_suffix})
        fs::create_directories(path);
    const auto removed = backups.prune(1, "site-a", "demo");
    require_ok(removed);
    CHECK(*removed == std::vector<std::string>{"b3"});
    CHECK(backups.list()->size() == 4);
    CHECK(fs::exists(under_way));
    CHECK(fs::exists(of_suffix));
    const auto newest = backups.newest("site-a", "demo");
    require_ok(newest);
    CHECK((*newest)->id == "b4");
    CHECK(backups.newest("site-c", "demo")->has_value() == false);
}

TEST_CASE_METHOD(Fixture, "a backup links to the node's own backup before, whatever others did since") {
    require_ok(backups.create(head("b1"), source(), silent));
    write_file(data + "/store/000001.sst", std::string(2'000'000, 't'));
    auto other = head("b2");
    other.node = "site-b";
    require_ok(backups.create(other, source(), silent));
    write_file(data + "/store/000001.sst", std::string(3'000'000, 's'));
    require_ok(backups.create(head("b3"), source(), silent));
    CHECK(fs::hard_link_count(dir / "backups/b1/store/000001.sst") == 2);
}

TEST_CASE("a backup is called after its second and its node") {
    CHECK(backup_id(1'795'509'312'345, "site-a") == "20261124-083512-site-a");
}

TEST_CASE_METHOD(Fixture, "two backups in one second get names of their own") {
    const std::string first = backups.free_id(1'700'000'000'000, "site-a");
    require_ok(backups.create(head(first), source(), silent));
    const std::string second = backups.free_id(1'700'000'000'000, "site-a");
    CHECK(second != first);
    require_ok(backups.create(head(second), source(), silent));
    CHECK(backups.free_id(1'700'000'000'000, "site-b") == backup_id(1'700'000'000'000, "site-b"));
}
