#include "protocols/supervision/spec.hpp"

namespace dwcp::supervision {

std::string_view to_string(RestartType type) {
    switch (type) {
    case RestartType::permanent:
        return "permanent";
    case RestartType::transient:
        return "transient";
    case RestartType::temporary:
        return "temporary";
    }
    return "unknown";
}

std::string_view to_string(Strategy strategy) {
    switch (strategy) {
    case Strategy::one_for_one:
        return "one_for_one";
    case Strategy::rest_for_one:
        return "rest_for_one";
    case Strategy::one_for_all:
        return "one_for_all";
    }
    return "unknown";
}

std::string_view to_string(Escalation escalation) {
    switch (escalation) {
    case Escalation::stop:
        return "stop";
    case Escalation::parent:
        return "parent";
    case Escalation::quarantine:
        return "quarantine";
    case Escalation::exit_process:
        return "exit_process";
    }
    return "unknown";
}

} // namespace dwcp::supervision
