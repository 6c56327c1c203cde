// A file that appears under its name only when it is complete.
//
// One at a time in a process: while it exists, an interrupt that ends the program removes it (interrupt.hpp).
#pragma once

#include "ops/shell/failure.hpp"
#include "protocols/base/bytes.hpp"

#include <memory>
#include <string>

namespace dwcp::shell {

class PartialFile {
  public:
    /// Creates a file beside `path`. Failures: failed, with the remedy.
    static Outcome<std::unique_ptr<PartialFile>> create(const std::string& path);
    /// Removes it unless it was finished.
    ~PartialFile();
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;

    Outcome<void> write(ByteView bytes);
    /// Gives it its name, replacing what has it.
    Outcome<void> finish();

  private:
    PartialFile(std::string path, std::string temporary, int fd);

    const std::string path_;
    const std::string temporary_;
    int fd_;
};

} // namespace dwcp::shell
