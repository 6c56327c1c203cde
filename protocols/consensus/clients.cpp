#include "protocols/consensus/clients.hpp"

namespace dwcp::consensus {

void Clients::wait(ClientToken client, CommandKey key, const Hash256& payload, TimePoint deadline) {
    by_key_[key].insert(client);
    deadlines_.emplace(deadline, client);
    waiting_[client] = {.key = std::move(key), .payload = payload, .deadline = deadline, .outcome = {}};
}

void Clients::ordered(const CommandKey& key, const Hash256& payload, Answer::Place place) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    for (const auto client : found->second) {
        auto& waiting = waiting_.at(client);
        if (waiting.payload == payload)
            waiting.outcome = place;
        else
            waiting.outcome = fail(Errc::already_exists,
                                   "another command of client " + key.first + " with sequence " +
                                       std::to_string(key.second) + " was ordered",
                                   "use an id of its own for each client");
        by_height_[place.height].push_back(client);
    }
    by_key_.erase(found);
}

std::vector<Answer> Clients::applied(Height height) {
    std::vector<Answer> answers;
    while (!by_height_.empty() && by_height_.begin()->first <= height) {
        for (const auto client : by_height_.begin()->second) {
            const auto found = waiting_.find(client);
            if (found == waiting_.end()) continue; // its time was up
            answers.push_back({client, *found->second.outcome});
            forget(client);
        }
        by_height_.erase(by_height_.begin());
    }
    return answers;
}

std::vector<Answer> Clients::refuse(const CommandKey& key, const Error& why) {
    std::vector<Answer> answers;
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return answers;
    const auto clients = found->second; // forget() takes them out of it
    for (const auto client : clients) {
        answers.push_back({client, std::unexpected(why)});
        forget(client);
    }
    return answers;
}

Clients::Late Clients::expire(TimePoint now) {
    Late late;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto client = deadlines_.begin()->second;
        const auto key = waiting_.at(client).key;
        late.answers.push_back({client, fail(Errc::deadline_exceeded,
                                             "the command of client " + key.first +
                                                 " was not committed in time; it may still commit",
                                             "ask again with the same id and sequence")});
        forget(client);
        if (!by_key_.contains(key)) late.abandoned.push_back(key);
    }
    return late;
}

std::optional<TimePoint> Clients::expires_at() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

void Clients::forget(ClientToken client) {
    const auto found = waiting_.find(client);
    deadlines_.erase({found->second.deadline, client});
    if (const auto key = by_key_.find(found->second.key); key != by_key_.end()) {
        key->second.erase(client);
        if (key->second.empty()) by_key_.erase(key);
    }
    waiting_.erase(found);
}

} // namespace dwcp::consensus
