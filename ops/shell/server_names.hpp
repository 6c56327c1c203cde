// Names that TAB completes, as the node knows them: nodes, actors, objects, configuration keys; and files
// here. What was asked a moment ago is not asked again, and a node that does not answer soon knows no names.
#pragma once

#include "ops/shell/completion.hpp"
#include "ops/shell/settings.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace dwcp::shell {

class ServerNames : public NameSource {
  public:
    explicit ServerNames(Settings settings);

    Names names(const std::string& kind, const std::string& prefix) override;

  private:
    struct Kept {
        std::chrono::steady_clock::time_point asked;
        nlohmann::json answer; ///< Null: there was none.
    };
    /// The answer of `path`, at most a few seconds old.
    const nlohmann::json& ask(const std::string& path);
    Names nodes();
    Names actors(const std::string& prefix);
    Names objects(const std::string& prefix);

    Settings settings_;
    std::map<std::string, Kept> kept_;
};

/// Files and folders whose path starts with this; folders end in '/'.
Names files(const std::string& prefix);

/// Keys up to the next '/' after the prefix: one folder at a time.
Names folded(const std::vector<std::string>& keys, const std::string& prefix, bool complete);

} // namespace dwcp::shell
