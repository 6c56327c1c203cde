// Lines typed at a terminal, with editing, history and completion (libedit).
//
// One a process, used by the main thread: it works on the process's own terminal. Between its calls the
// terminal is in the mode that it was in before.
#pragma once

#include "ops/shell/completion.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::shell {

enum class Typed {
    line,
    cancelled, ///< Ctrl-C: the line is thrown away.
    ended      ///< Ctrl-D, the terminal is gone, or the shell is to leave.
};

class LineEditor {
  public:
    /// `on_tab` is called with the line up to the cursor.
    explicit LineEditor(std::function<Completion(std::string_view)> on_tab);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    /// For the arrow keys and Ctrl-R, oldest first.
    void add_history(const std::string& line);

    /// The line without its end. A prompt may hold codes between \1.
    Typed read(const std::string& prompt, std::string& line);
    /// The same without completion and history, for answers to questions.
    Typed ask(const std::string& question, std::string& line);

  private:
    struct Inner;
    std::unique_ptr<Inner> inner_;
};

} // namespace dwcp::shell
