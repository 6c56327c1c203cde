// The rules of the house that a program can check: which room may include what, and the style of our C++
// sources.
//
// Pure functions from a path and a text to complaints, so that the rules themselves are tested with bad
// lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dwcp::house {

/// Complaints about one C++ source, each "PATH:LINE: what is wrong". `path` is relative to the repository's
/// root.
std::vector<std::string> check_source(const std::string& path, std::string_view text);

/// True if `cmake`, the text of a CMakeLists.txt, names `source` as a word of its own, e.g. "codec.cpp" or
/// "sub/codec.cpp".
bool lists_source(std::string_view cmake, std::string_view source);

} // namespace dwcp::house
