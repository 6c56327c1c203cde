// Walks the source tree and fails where a rule of the house is broken; and proves that it would notice.
#include "tests/unit/house/house_rules.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace dwcp::house {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = DWCP_SOURCE_DIR;
constexpr const char* kRooms[] = {"protocols", "runtime", "actors", "tests", "bench", "ops"};

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

bool is_source(const fs::path& path) {
    const auto extension = path.extension();
    return extension == ".cpp" || extension == ".hpp" || extension == ".h" || extension == ".cc";
}

/// Every C++ source of ours, relative to the root.
std::vector<fs::path> sources() {
    std::vector<fs::path> found;
    for (const char* room : kRooms) {
        for (const auto& entry : fs::recursive_directory_iterator(kRoot / room)) {
            if (entry.is_regular_file() && is_source(entry.path()))
                found.push_back(entry.path().lexically_relative(kRoot));
        }
    }
    return found;
}

/// True if the CMakeLists.txt beside the file, or one further up, names it by its path from there.
bool is_built(const fs::path& source) {
    for (fs::path folder = source.parent_path();; folder = folder.parent_path()) {
        const fs::path list = kRoot / folder / "CMakeLists.txt";
        if (fs::exists(list) &&
            lists_source(content_of(list), source.lexically_relative(folder.empty() ? "." : folder).string()))
            return true;
        if (folder.empty()) return false;
    }
}

struct Line {
    const char* path;
    std::string text;
};

} // namespace

TEST_CASE("every source keeps the rules of its room and the style of the house") {
    const auto files = sources();
    REQUIRE(files.size() > 50); // the walk looks at the right place
    std::vector<std::string> complaints;
    for (const fs::path& file : files) {
        std::ranges::move(check_source(file.string(), content_of(kRoot / file)),
                          std::back_inserter(complaints));
    }
    if (!complaints.empty())
        FAIL(fmt::format("{} complaints\n{}", complaints.size(), fmt::join(complaints, "\n")));
}

TEST_CASE("every .cpp is part of a build") {
    std::vector<std::string> dead;
    for (const fs::path& file : sources()) {
        if (file.extension() == ".cpp" && !is_built(file)) dead.push_back(file.string());
    }
    if (!dead.empty()) {
        FAIL("build or delete what no CMakeLists.txt beside or above it names:\n"
             << fmt::format("{}", fmt::join(dead, "\n")));
    }
}

TEST_CASE("lines that break a rule are caught") {
    const Line bad[] = {
        {"protocols/wire/a.cpp", "#include \"runtime/log/log.hpp\""},
        {"protocols/wire/a.hpp", "#include \"actors/manager/admission.hpp\""},
        {"protocols/wire/a.hpp", "#include \"frame.hpp\""},
        {"protocols/wire/a.hpp", "#include \"../base/bytes.hpp\""},
        {"protocols/wire/a.hpp", "#include <thread>"},
        {"protocols/wire/a.hpp", "#  include  <mutex>"},
        {"protocols/wire/a.hpp", " #include <fstream>"},
        {"protocols/wire/a.hpp", "#include <filesystem>"},
        {"protocols/wire/a.hpp", "#include <sys/socket.h>"},
        {"protocols/wire/a.hpp", "#include <random>"},
        {"protocols/wire/a.hpp", "#include <caf/all.hpp>"},
        {"protocols/wire/a.hpp", "#include <unistd.h> // for getpid"},
        {"protocols/wire/a.cpp", "    std::random_device device;"},
        {"protocols/wire/a.cpp", "    const auto now = std::chrono::steady_clock::now();"},
        {"protocols/wire/a.cpp", "    std::this_thread::yield();"},
        {"protocols/wire/a.cpp", "    return getenv(\"HOME\");"},
        {"protocols/consensus/a.cpp", "    crypto::random_bytes(nonce);"},
        {"runtime/store/a.cpp", "#include \"actors/manager/admission.hpp\""},
        {"runtime/store/a.cpp", "#include \"tests/unit/x.hpp\""},
        {"runtime/store/a.cpp", "#include \"ops/shell/x.hpp\""},
        {"runtime/store/a.cpp", "#include <caf/actor.hpp>"},
        {"runtime/links/data/a.cpp", "#include <caf/actor.hpp>"},
        {"actors/manager/admission.hpp", "#include <caf/actor.hpp>"},
        {"actors/manager/admission.hpp", "#include \"runtime/node/node.hpp\""},
        {"actors/manager/admission.hpp", "#include \"bench/x.hpp\""},
        {"actors/allocator/model.hpp", "#include <torch/torch.h>"},
        {"runtime/node/node.hpp", "#include <torch/script.h>"},
        {"bench/a.cpp", "#include \"tests/unit/x.hpp\""},
        {"actors/manager/manager_actor.cpp", "    self->request(peer, caf::infinite, ping_atom_v);"},
        {"tests/actors/a_test.cpp", "    self->receive_for(infinite);"},
        {"bench/a.cpp", std::string("// TO") + "DO: later"},
        {"ops/shell/a.cpp", std::string("int x; /* FIX") + "ME */"},
        {"actors/manager/admission.cpp", std::string("// XX") + "X"},
        {"tests/unit/a_test.cpp", std::string(111, 'x')},
        {"tests/unit/a_test.cpp", "int x; "},
        {"tests/unit/a_test.cpp", "int x;\r"},
    };
    for (const auto& [path, text] : bad) {
        INFO(path << ": " << text);
        CHECK(check_source(path, text).size() == 1);
    }
}

TEST_CASE("lines that keep the rules are not complained about") {
    std::string wide;
    for (int i = 0; i < 110; ++i)
        wide += "\u00e4";
    const Line good[] = {
        {"protocols/wire/a.cpp", "#include \"protocols/base/bytes.hpp\""},
        {"protocols/wire/a.cpp", "#include \"protocols/wire/schema/data.capnp.h\""},
        {"protocols/wire/a.cpp", "#include <chrono>"},
        {"protocols/wire/a.cpp", "    // never calls std::chrono::steady_clock::now()"},
        {"protocols/crypto/a.cpp", "    random_bytes(seed);"},
        {"runtime/store/a.cpp", "#include <thread>"},
        {"runtime/caf/a.cpp", "#include <caf/all.hpp>"},
        {"runtime/links/control/a.cpp", "#include <caf/all.hpp>"},
        {"runtime/node/main.cpp", "#include <caf/actor_system.hpp>"},
        {"runtime/node/main.cpp", "#include \"actors/manager/manager_actor.hpp\""},
        {"actors/manager/manager_actor.hpp", "#include <caf/all.hpp>"},
        {"actors/allocator/model.cpp", "#include <torch/torch.h>"},
        {"tests/actors/a_test.cpp", "#include <caf/all.hpp>"},
        {"actors/manager/manager_actor.cpp", "    // never infinite"},
        {"actors/manager/manager_actor.cpp", "    log::info(\"an \\\"infinite\\\" wait\");"},
        {"actors/manager/manager_actor.cpp", "    const bool is_infinite = false;"},
        {"tests/unit/a_test.cpp", "mkdtemp(\"dwcp-XXXXXX\");"},
        {"tests/unit/a_test.cpp", std::string(110, 'x')},
        {"tests/unit/a_test.cpp", wide},
    };
    for (const auto& [path, text] : good) {
        INFO(path << ": " << text);
        CHECK(check_source(path, text).empty());
    }
}

TEST_CASE("a complaint names the file and the line") {
    CHECK(check_source("protocols/a.cpp", "#include <vector>\n\n#include <thread>\n") ==
          std::vector<std::string>{
              "protocols/a.cpp:3: includes thread: protocols/ is pure: no threads, sockets, files, clocks "
              "or global randomness"});
}

TEST_CASE("a source is listed only by its whole name") {
    CHECK(lists_source("dwcp_library(x SOURCES codec.cpp\n  rules.cpp)", "codec.cpp"));
    CHECK(lists_source("dwcp_library(x SOURCES codec.cpp\n  rules.cpp)", "rules.cpp"));
    CHECK(lists_source("add_executable(x sub/rules.cpp)", "sub/rules.cpp"));
    CHECK(lists_source("add_executable(x ${CMAKE_CURRENT_SOURCE_DIR}/rules.cpp)", "rules.cpp"));
    CHECK_FALSE(lists_source("dwcp_library(x SOURCES my_codec.cpp)", "codec.cpp"));
    CHECK_FALSE(lists_source("dwcp_library(x SOURCES sub/codec.cpp)", "codec.cpp"));
    CHECK_FALSE(lists_source("dwcp_library(x SOURCES codec.cpp.in)", "codec.cpp"));
}

} // namespace dwcp::house
