// Text in aligned columns.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace dwcp::shell {

class Table {
  public:
    /// A column whose name starts with '>' is aligned to the right. Without columns' names there is no
    /// heading.
    explicit Table(std::vector<std::string> columns);

    void add(std::vector<std::string> cells);
    std::size_t rows() const { return rows_.size(); }
    void print(std::ostream& out) const;

  private:
    std::vector<std::string> columns_;
    std::vector<bool> right_;
    std::vector<std::vector<std::string>> rows_;
};

} // namespace dwcp::shell
