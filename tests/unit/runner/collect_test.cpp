#include "ops/runner/collect.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace dwcp::runner;

namespace {

class Directory {
  public:
    Directory() {
        std::string path = (fs::temp_directory_path() / "dwcp-collect-XXXXXX").string();
        REQUIRE(mkdtemp(path.data()) != nullptr);
        path_ = fs::canonical(path);
    }
    ~Directory() { fs::remove_all(path_); }
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name) << text;
    }
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

std::vector<std::string> keys_of(const Collection& collection) {
    std::vector<std::string> keys;
    for (const auto& file : collection.files)
        keys.push_back(file.key);
    return keys;
}

} // namespace

TEST_CASE("files are taken at any depth, empty ones and unusual names too") {
    const Directory directory;
    directory.write("empty", "");
    directory.write("deep/er/file with spaces", "123");
    directory.write("größe.txt", "12");
    const auto collection = collect_directory(directory.path(), {});
    REQUIRE(collection);
    CHECK(keys_of(*collection) == std::vector<std::string>{"deep/er/file with spaces", "empty", "größe.txt"});
    CHECK(collection->bytes == 5);
    CHECK(collection->left_out.empty());
}

TEST_CASE("symbolic links, pipes and names that cannot be keys are counted and not followed") {
    const Directory directory, elsewhere;
    elsewhere.write("secret", "x");
    directory.write("file", "x");
    directory.write("not utf-8 \xff", "x");
    directory.write("line\nbreak", "x");
    fs::create_symlink(elsewhere.path() / "secret", directory.path() / "link");
    fs::create_directory_symlink(elsewhere.path(), directory.path() / "directory link");
    fs::create_directory_symlink(directory.path(), directory.path() / "loop");
    fs::create_symlink("nowhere", directory.path() / "dangling");
    REQUIRE(mkfifo((directory.path() / "pipe").c_str(), 0600) == 0);
    const auto collection = collect_directory(directory.path(), {});
    REQUIRE(collection);
    CHECK(keys_of(*collection) == std::vector<std::string>{"file"});
    CHECK(collection->left_out.at("symbolic link") == 4);
    CHECK(collection->left_out.at("named pipe") == 1);
    std::uint64_t all = 0;
    for (const auto& [reason, count] : collection->left_out)
        all += count;
    CHECK(all == 7);
}

TEST_CASE("what is excepted is passed over, and a directory without files is an error") {
    const Directory directory;
    directory.write("run/data", "x");
    CHECK_FALSE(collect_directory(directory.path(), {directory.path() / "run"}));
    directory.write("file", "x");
    const auto collection = collect_directory(directory.path(), {directory.path() / "run"});
    REQUIRE(collection);
    CHECK(keys_of(*collection) == std::vector<std::string>{"file"});
    CHECK_FALSE(collect_directory(directory.path() / "file", {}));
    CHECK_FALSE(collect_directory(directory.path() / "absent", {}));
}

TEST_CASE("the default collection has each key once") {
    const Directory repository;
    repository.write("README.md", "x");
    auto keys = keys_of(collect_default(repository.path(), {}));
    CHECK(keys.size() > 1);
    std::ranges::sort(keys);
    CHECK(std::ranges::adjacent_find(keys) == keys.end());
}
