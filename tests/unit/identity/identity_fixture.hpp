// A data directory that vanishes with its test.
#pragma once

#include "runtime/identity/identity.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/stat.h>

namespace dwcp::identity {

class DataDirectory {
  public:
    DataDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-identity-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~DataDirectory() { std::filesystem::remove_all(path_); }
    DataDirectory(const DataDirectory&) = delete;
    DataDirectory& operator=(const DataDirectory&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

    std::string read(const std::string& name) const {
        std::ifstream in(file(name), std::ios::binary);
        std::ostringstream content;
        content << in.rdbuf();
        return content.str();
    }
    /// Keeps the mode of an existing file.
    void write(const std::string& name, const std::string& content) const {
        std::ofstream(file(name), std::ios::binary) << content;
    }
    mode_t mode(const std::string& name) const {
        struct stat info {};
        REQUIRE(::stat(file(name).c_str(), &info) == 0);
        return info.st_mode & 07777;
    }
    void set_mode(const std::string& name, mode_t mode) const {
        REQUIRE(::chmod(file(name).c_str(), mode) == 0);
    }

  private:
    std::string path_;
};

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace dwcp::identity
