#include "runtime/release/plan_file.hpp"

#include "protocols/ramp/ramp.hpp"
#include "runtime/config/properties.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

namespace dwcp::release {
namespace {

using ramp::Check;
using ramp::Criterion;
using ramp::Plan;
using ramp::Stage;
using ramp::Step;
using ramp::Target;
using ramp::Trigger;

constexpr const char* kRemedy = "correct the plan; node_configs/rollout.toml shows every key";
constexpr std::size_t kFoundCharsMax = 80; // enough to recognise a value, short enough for one line
/// More would only hide the first one.
constexpr std::size_t kProblemsMax = 32;

std::string found_text(const toml::node& node) {
    if (node.is_table()) return "a table";
    if (node.is_array()) return "an array";
    std::ostringstream out;
    out << toml::toml_formatter{node};
    const std::string text = out.str();
    return text.size() > kFoundCharsMax ? text.substr(0, kFoundCharsMax) + "..." : text;
}

class Problems {
  public:
    explicit Problems(std::string origin) : origin_(std::move(origin)) {}

    void add(const toml::node& at, const std::string& path, const std::string& text) {
        list_.emplace_back(at.source().begin.line,
                           fmt::format("{}:{}: {}: {}", origin_, at.source().begin.line, path, text));
    }
    bool empty() const { return list_.empty(); }
    std::unexpected<Error> take() {
        std::ranges::stable_sort(list_, {}, [](const auto& entry) { return entry.first; });
        std::string text;
        for (std::size_t i = 0; i < std::min(list_.size(), kProblemsMax); ++i)
            text += (i == 0 ? "" : "\n") + list_[i].second;
        if (list_.size() > kProblemsMax)
            text += fmt::format("\n{}: {} more problems", origin_, list_.size() - kProblemsMax);
        return fail(Errc::invalid_argument, std::move(text), kRemedy);
    }

  private:
    std::string origin_;
    std::vector<std::pair<std::uint32_t, std::string>> list_;
};

/// One table of the file. Each key is asked for once; end() reports those that nobody asked for.
class Table {
  public:
    Table(const toml::table& table, std::string path, Problems& problems)
        : table_(table), path_(std::move(path)), problems_(problems) {}

    const std::string& path() const { return path_; }
    std::string path_of(std::string_view key) const {
        return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
    }

    const toml::node* find(std::string_view key) {
        known_.push_back(key);
        return table_.get(key);
    }
    const toml::node* need(std::string_view key, std::string_view allowed) {
        const toml::node* node = find(key);
        if (node == nullptr)
            problems_.add(table_, path_of(key), fmt::format("missing; allowed: {}", allowed));
        return node;
    }
    void wrong(const toml::node& node, std::string_view key, const std::string& allowed) {
        problems_.add(node, path_of(key), fmt::format("found {}; allowed: {}", found_text(node), allowed));
    }

    void text(std::string_view key, std::string& out, bool needed = false) {
        constexpr std::string_view kAllowed = "a string";
        const toml::node* node = needed ? need(key, kAllowed) : find(key);
        if (node == nullptr) return;
        if (const auto* value = node->as_string())
            out = value->get();
        else
            wrong(*node, key, std::string(kAllowed));
    }

    void number(std::string_view key, double& out, bool needed = false) {
        constexpr std::string_view kAllowed = "a number from 0 up";
        const toml::node* node = needed ? need(key, kAllowed) : find(key);
        if (node == nullptr) return;
        const auto value = node->value<double>();
        if (node->is_number() && value && std::isfinite(*value) && *value >= 0)
            out = *value;
        else
            wrong(*node, key, std::string(kAllowed));
    }

    template<class Integer>
    void integer(std::string_view key, Integer& out, std::int64_t min, bool needed = false) {
        constexpr std::int64_t kMax =
            sizeof(Integer) < sizeof(std::int64_t)
                ? std::numeric_limits<std::int32_t>::max()
                : 1'000'000'000'000; // 30 years in ms, and far more samples than a day has
        const std::string allowed = fmt::format("an integer from {} to {}", min, kMax);
        const toml::node* node = needed ? need(key, allowed) : find(key);
        if (node == nullptr) return;
        const auto* value = node->as_integer();
        if (value != nullptr && value->get() >= min && value->get() <= kMax)
            out = static_cast<Integer>(value->get());
        else
            wrong(*node, key, allowed);
    }

    void flag(std::string_view key, bool& out) {
        const toml::node* node = find(key);
        if (node == nullptr) return;
        if (const auto* value = node->as_boolean())
            out = value->get();
        else
            wrong(*node, key, "true or false");
    }

    void texts(std::string_view key, std::vector<std::string>& out) {
        const toml::node* node = find(key);
        if (node == nullptr) return;
        const auto* array = node->as_array();
        if (array == nullptr) return wrong(*node, key, "an array of strings");
        for (const toml::node& entry : *array) {
            if (const auto* value = entry.as_string())
                out.push_back(value->get());
            else
                wrong(entry, key, "an array of strings");
        }
    }

    /// One of the names that to_string gives for 0..last.
    template<class Enum>
    void choice(std::string_view key, Enum& out, Enum last) {
        std::string allowed;
        std::vector<std::string_view> names;
        for (int i = 0; i <= static_cast<int>(last); ++i) {
            names.push_back(to_string(static_cast<Enum>(i)));
            allowed += fmt::format("{}\"{}\"", i == 0 ? "one of " : ", ", names.back());
        }
        const toml::node* node = need(key, allowed);
        if (node == nullptr) return;
        const auto* value = node->as_string();
        if (value == nullptr) return wrong(*node, key, allowed);
        const auto found = std::ranges::find(names, value->get());
        if (found != names.end()) {
            out = static_cast<Enum>(found - names.begin());
            return;
        }
        problems_.add(*node, path_of(key),
                      fmt::format("found \"{}\"; the nearest known is \"{}\"", value->get(),
                                  config::nearest(value->get(), names)));
    }

    /// Calls read(Table&) for each table of an array.
    template<class Read>
    void each(std::string_view key, Read read) {
        const toml::node* node = find(key);
        if (node == nullptr) return;
        const auto* array = node->as_array();
        if (array == nullptr) return wrong(*node, key, "an array of tables");
        for (std::size_t i = 0; i < array->size(); ++i) {
            const toml::node& entry = *array->get(i);
            const std::string path = fmt::format("{}[{}]", path_of(key), i);
            if (const auto* table = entry.as_table()) {
                Table inner(*table, path, problems_);
                read(inner);
                inner.end();
            } else {
                problems_.add(entry, path, fmt::format("found {}; allowed: a table", found_text(entry)));
            }
        }
    }

    void end() {
        for (const auto& [key, node] : table_) {
            if (std::ranges::find(known_, key.str()) != known_.end()) continue;
            problems_.add(
                node, path_of(key.str()),
                fmt::format("unknown key; the nearest known is {}", config::nearest(key.str(), known_)));
        }
    }

  private:
    const toml::table& table_;
    std::string path_;
    Problems& problems_;
    std::vector<std::string_view> known_;
};

void read_target(Table& table, Step& step) {
    Target target;
    table.text("system", target.system, true);
    table.integer("instances", target.instances, 1);
    table.integer("of", target.of, 1);
    step.targets.push_back(std::move(target));
}

void read_stage(Table& table, Step& step) {
    Stage stage;
    table.number("percent", stage.percent, true);
    table.number("days", stage.days, true);
    table.text("gate", stage.gate, true);
    table.flag("shadow", stage.shadow);
    step.stages.push_back(std::move(stage));
}

void read_step(Table& table, Plan& plan) {
    Step step;
    table.text("name", step.name, true);
    table.text("title", step.title);
    table.text("approval", step.approval);
    table.each("targets", [&](Table& inner) { read_target(inner, step); });
    table.each("stages", [&](Table& inner) { read_stage(inner, step); });
    plan.steps.push_back(std::move(step));
}

Criterion read_criterion(Table& table) {
    Criterion criterion;
    table.text("name", criterion.name, true);
    table.choice("check", criterion.check, ramp::kCheckLast);
    table.number("limit", criterion.limit);
    table.integer("samples_min", criterion.samples_min, 0);
    table.texts("systems", criterion.systems);
    table.text("subject", criterion.subject);
    return criterion;
}

void read_trigger(Table& table, Plan& plan) {
    Trigger trigger;
    table.text("name", trigger.name, true);
    table.choice("what", trigger.what, ramp::kTriggerLast);
    table.number("limit", trigger.limit, true);
    table.integer("samples_min", trigger.samples_min, 0);
    table.integer("window_ms", trigger.window_ms, 1);
    table.flag("at_once", trigger.at_once);
    plan.triggers.push_back(std::move(trigger));
}

/// Gates: each a table with its own criteria and the names of gates whose criteria it has too.
class GatesReader {
  public:
    GatesReader(const toml::table& gates, Problems& problems) : gates_(gates), problems_(problems) {}

    void read(Plan& plan) {
        for (const auto& [key, node] : gates_)
            own_[std::string(key.str())] = read_gate(std::string(key.str()), node);
        for (const auto& entry : own_)
            plan.gates[entry.first] = whole(entry.first, 0);
    }

  private:
    struct Own {
        std::vector<std::string> includes;
        std::vector<Criterion> criteria;
    };

    Own read_gate(const std::string& name, const toml::node& node) {
        Own own;
        const std::string path = "gates." + name;
        const auto* table = node.as_table();
        if (table == nullptr) {
            problems_.add(node, path, fmt::format("found {}; allowed: a table", found_text(node)));
            return own;
        }
        Table gate(*table, path, problems_);
        gate.texts("includes", own.includes);
        gate.each("criteria", [&](Table& inner) { own.criteria.push_back(read_criterion(inner)); });
        gate.end();
        for (const std::string& included : own.includes) {
            if (!gates_.contains(included))
                problems_.add(node, path + ".includes", fmt::format("gate \"{}\" is not defined", included));
        }
        return own;
    }

    /// The criteria of the gates that it includes come first; one of its own replaces theirs of that name.
    std::vector<Criterion> whole(const std::string& name, std::size_t depth) {
        std::vector<Criterion> criteria;
        const auto own = own_.find(name);
        if (own == own_.end() || !problems_.empty()) return criteria;
        if (const auto known = whole_.find(name); known != whole_.end()) return known->second;
        if (depth > ramp::kGatesMax) {
            problems_.add(*gates_.get(name), "gates." + name + ".includes", "includes itself");
            return criteria;
        }
        const auto named = [](std::vector<Criterion>& among, const Criterion& criterion) {
            return std::ranges::find(among, criterion.name, &Criterion::name);
        };
        for (const std::string& included : own->second.includes) {
            for (Criterion& criterion : whole(included, depth + 1)) {
                if (named(criteria, criterion) == criteria.end()) criteria.push_back(std::move(criterion));
            }
        }
        for (const Criterion& criterion : own->second.criteria)
            std::erase_if(criteria, [&](const Criterion& other) { return other.name == criterion.name; });
        criteria.insert(criteria.end(), own->second.criteria.begin(), own->second.criteria.end());
        whole_[name] = criteria;
        return criteria;
    }

    const toml::table& gates_;
    Problems& problems_;
    std::map<std::string, Own> own_;
    std::map<std::string, std::vector<Criterion>> whole_; ///< Each is put together once.
};

Result<Plan> read(const toml::table& root, const std::string& origin) {
    Problems problems(origin);
    Table table(root, "", problems);
    Plan plan;
    table.text("name", plan.name, true);
    table.integer("day_ms", plan.day_ms, 1);
    table.integer("review_ms", plan.review_ms, 1);
    table.integer("recent_ms", plan.recent_ms, 1);
    table.number("wait_days_max", plan.wait_days_max);
    table.each("steps", [&](Table& inner) { read_step(inner, plan); });
    table.each("triggers", [&](Table& inner) { read_trigger(inner, plan); });
    if (const toml::node* gates = table.find("gates")) {
        if (const auto* of = gates->as_table())
            GatesReader(*of, problems).read(plan);
        else
            table.wrong(*gates, "gates", "tables, each written [gates.NAME]");
    }
    table.end();
    if (!problems.empty()) return problems.take();
    if (const auto good = plan.check(); !good)
        return fail(good.error().code, fmt::format("{}: {}", origin, good.error().message),
                    good.error().remedy);
    return plan;
}

std::string quoted(const std::string& text) {
    std::ostringstream out;
    out << toml::toml_formatter{toml::value<std::string>(text)};
    return out.str();
}

/// In the shortest form that gives the same number again.
std::string number(double value) {
    const std::string text = fmt::format("{}", value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string list(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts)
        out += (out.empty() ? "" : ", ") + quoted(text);
    return "[" + out + "]";
}

std::string step_text(const Step& step) {
    std::string out =
        fmt::format("\n[[steps]]\nname = {}\ntitle = {}\n", quoted(step.name), quoted(step.title));
    if (!step.approval.empty()) out += fmt::format("approval = {}\n", quoted(step.approval));
    for (const Target& target : step.targets)
        out += fmt::format("[[steps.targets]]\nsystem = {}\ninstances = {}\nof = {}\n", quoted(target.system),
                           target.instances, target.of);
    for (const Stage& stage : step.stages)
        out += fmt::format("[[steps.stages]]\npercent = {}\ndays = {}\ngate = {}\nshadow = {}\n",
                           number(stage.percent), number(stage.days), quoted(stage.gate), stage.shadow);
    return out;
}

std::string criterion_text(const std::string& gate, const Criterion& criterion) {
    std::string out =
        fmt::format("[[gates.{}.criteria]]\nname = {}\ncheck = \"{}\"\nlimit = {}\n", quoted(gate),
                    quoted(criterion.name), to_string(criterion.check), number(criterion.limit));
    if (criterion.samples_min > 0) out += fmt::format("samples_min = {}\n", criterion.samples_min);
    if (!criterion.systems.empty()) out += fmt::format("systems = {}\n", list(criterion.systems));
    if (!criterion.subject.empty()) out += fmt::format("subject = {}\n", quoted(criterion.subject));
    return out;
}

} // namespace

Result<Plan> parse_plan(const std::string& text, const std::string& origin) {
    if (text.size() > ramp::kPlanTextBytesMax)
        return fail(Errc::too_large, fmt::format("{}: larger than {} bytes", origin, ramp::kPlanTextBytesMax),
                    kRemedy);
    try {
        return read(toml::parse(text, origin), origin);
    } catch (const toml::parse_error& error) {
        return fail(
            Errc::invalid_argument,
            fmt::format("{}:{}: TOML syntax: {}", origin, error.source().begin.line, error.description()),
            kRemedy);
    }
}

Result<std::string> read_plan_text(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text(ramp::kPlanTextBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.is_open() || file.bad())
        return fail(errno == ENOENT ? Errc::not_found : Errc::io_error,
                    fmt::format("{}: cannot be read: {}", path, std::strerror(errno)),
                    "give a plan's file; node_configs/rollout.toml is this product's");
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > ramp::kPlanTextBytesMax)
        return fail(Errc::too_large, fmt::format("{}: larger than {} bytes", path, ramp::kPlanTextBytesMax),
                    kRemedy);
    return text;
}

std::string to_toml(const Plan& plan) {
    std::string out = fmt::format(
        "name = {}\nday_ms = {}\nreview_ms = {}\nrecent_ms = {}\nwait_days_max = {}\n", quoted(plan.name),
        plan.day_ms, plan.review_ms, plan.recent_ms, number(plan.wait_days_max));
    for (const Step& step : plan.steps)
        out += step_text(step);
    for (const auto& [gate, criteria] : plan.gates) {
        out += '\n';
        for (const Criterion& criterion : criteria)
            out += criterion_text(gate, criterion);
    }
    for (const Trigger& trigger : plan.triggers)
        out += fmt::format("\n[[triggers]]\nname = {}\nwhat = \"{}\"\nlimit = {}\nsamples_min = {}\n"
                           "window_ms = {}\nat_once = {}\n",
                           quoted(trigger.name), to_string(trigger.what), number(trigger.limit),
                           trigger.samples_min, trigger.window_ms, trigger.at_once);
    return out;
}

} // namespace dwcp::release
