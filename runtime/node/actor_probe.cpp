#include "runtime/node/actor_probe.hpp"

#include "runtime/base/events.hpp"
#include "runtime/caf/ask_next.hpp"
#include "runtime/caf/errors.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <utility>

namespace dwcp::node {

std::vector<ActorAnswer> probe_actors(caf::actor_system& system, const actor::Resolver& resolver,
                                      const std::vector<supervisor::ChildView>& children, Duration limit,
                                      Turn turn) {
    caf::scoped_actor self{system};
    const auto ask = [&](const caf::actor& asked) {
        if (turn == Turn::own) return self->request(asked, limit, caf::sys_atom_v, caf::get_atom_v, "info");
        return actor::ask_next(self, asked, limit);
    };
    std::vector<ActorAnswer> answers;
    std::vector<std::pair<std::size_t, decltype(ask({}))>> requests;
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& child : children) {
        ActorAnswer answer{.path = child.path};
        if (const auto live = resolver.find(child.path)) {
            answer.alive = true;
            answer.paused = live->stats->pause.on();
            requests.emplace_back(answers.size(), ask(live->handle));
        } else {
            answer.problem = "is " + child.state;
        }
        answers.push_back(std::move(answer));
    }
    for (auto& [index, response] : requests) {
        auto& answer = answers[index];
        response.receive(
            [](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&, const std::string&) {},
            [&](const caf::error& error) { answer.problem = actor::from_caf(error).message; });
        answer.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    return answers;
}

} // namespace dwcp::node
