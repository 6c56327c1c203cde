// Places for work that a client may hold for long, shared fairly: each client that holds some may have as
// many as would be left if one more client came. So one client alone gets half of them, and its slow uploads
// never keep all others out.
//
// Pure; one object for one kind of work, under its owner's lock: enter() and, if it let in, one leave().
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace dwcp::health {

class FairPlaces {
  public:
    /// `places`: of all clients together; 0 is read as 1. False: this client holds its share.
    bool enter(const std::string& client, std::uint32_t places);
    void leave(const std::string& client);

    /// Of each client, as many as hold places now and one more.
    std::uint32_t share(std::uint32_t places) const;
    std::uint32_t held(const std::string& client) const;
    std::size_t clients() const { return held_.size(); }

  private:
    std::map<std::string, std::uint32_t> held_; ///< Only those that hold some.
};

} // namespace dwcp::health
