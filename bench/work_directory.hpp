// A directory for one measurement, gone at its end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace dwcp::bench {

class WorkDirectory {
  public:
    explicit WorkDirectory(const std::string& name) {
        std::string path =
            (std::filesystem::temp_directory_path() / ("dwcp-bench-" + name + "-XXXXXX")).string();
        if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot make a temporary directory");
        path_ = path;
    }
    ~WorkDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    WorkDirectory(const WorkDirectory&) = delete;
    WorkDirectory& operator=(const WorkDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

} // namespace dwcp::bench
