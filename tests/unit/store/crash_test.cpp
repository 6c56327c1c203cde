#include "tests/unit/store/crash_workload.hpp"
#include "tests/unit/store/store_fixture.hpp"
#include "tests/unit/wire/seed.hpp"

#include <csignal>
#include <map>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace dwcp;
using namespace dwcp::store;
using namespace dwcp::store::test;

namespace {

/// What the killed processes reported: kind -> numbers.
using Reports = std::map<std::string, std::set<std::uint64_t>>;

/// A store_crash_child whose stdout is read here.
class Child {
  public:
    Child(const std::string& directory, std::uint64_t round) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        const std::string number = std::to_string(round);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            ::close(ends[0]);
            ::execl(DWCP_STORE_CRASH_CHILD, "store_crash_child", directory.c_str(), number.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        output_ = ::fdopen(ends[0], "r");
    }
    ~Child() {
        kill();
        std::fclose(output_);
    }

    /// Kills it after so many reports, then reads what it had reported by then.
    void run(std::uint64_t reports_before_kill, Reports& reports) {
        std::array<char, 64> line{};
        for (std::uint64_t count = 0; std::fgets(line.data(), line.size(), output_) != nullptr;) {
            std::istringstream text(line.data());
            std::string kind;
            std::uint64_t number = 0;
            text >> kind >> number;
            reports[kind].insert(number);
            if (++count == reports_before_kill) kill();
        }
        REQUIRE(killed_); // else it ended by itself, with an error on stderr
    }

  private:
    void kill() {
        if (killed_) return;
        ::kill(pid_, SIGKILL);
        int status = 0;
        ::waitpid(pid_, &status, 0);
        killed_ = WIFSIGNALED(status);
    }

    pid_t pid_ = -1;
    std::FILE* output_ = nullptr;
    bool killed_ = false;
};

void check_reported(const Store& store, Reports& reports) {
    for (const std::uint64_t number : reports["value"]) {
        const auto value = store.get(Family::journal, value_key(number));
        require_ok(value);
        REQUIRE(*value == to_bytes(value_text(number)));
    }
    for (const char* kind : {"bulk", "logged"})
        for (const std::uint64_t number : reports[kind]) {
            const EncodedBlock block = make_block(number, mixed_size(number));
            REQUIRE(store.has_block(block.hash));
            require_same(store.get_block(block.hash), block);
        }
}

void check_nothing_damaged(const Store& store) {
    for (const Family family : {Family::journal, Family::manifests, Family::state})
        require_ok(store.scan(family, "", "", [](std::string_view, ByteView) { return true; }));
    std::vector<Hash256> hashes;
    require_ok(
        store.scan_blocks([&](const Hash256& hash, std::uint32_t) { return hashes.push_back(hash), true; }));
    for (const Hash256& hash : hashes)
        require_ok(store.get_block(hash));
    const auto first = store.get(Family::state, kBatchKeys.front()).value();
    for (const char* key : kBatchKeys)
        CHECK(store.get(Family::state, key).value() == first);
    CHECK(store.stats().corruptions == 0);
}

} // namespace

TEST_CASE("after kill -9 at any moment everything that was promised is there and nothing is damaged") {
    constexpr std::uint64_t kRounds = 6;
    constexpr std::uint64_t kReportsMax = 150;
    const TempDir dir;
    Random random(dwcp::test::seed());
    Reports reports;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
        Child(dir.store(), round).run(1 + random.below(kReportsMax), reports);
        const auto store = open_store(dir.store());
        check_reported(*store, reports);
        check_nothing_damaged(*store);
    }
    CHECK(reports.size() == 3);
}
