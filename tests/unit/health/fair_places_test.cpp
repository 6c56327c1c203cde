#include "protocols/health/fair_places.hpp"

#include <catch2/catch.hpp>

using namespace dwcp::health;

TEST_CASE("one client alone gets half of the places, and those that come later get in") {
    FairPlaces places;
    int slow = 0;
    while (places.enter("slow", 256))
        ++slow;
    CHECK(slow == 128);
    CHECK(places.enter("other", 256));
    CHECK(places.share(256) == 85);
    CHECK_FALSE(places.enter("slow", 256)); // it keeps what it has, and gets no more
    for (int i = 0; i < 128; ++i)
        places.leave("slow");
    CHECK(places.clients() == 1);
    CHECK(places.enter("slow", 256));
}

TEST_CASE("every client gets a place, however few there are") {
    FairPlaces places;
    for (const char* client : {"a", "b", "c"}) {
        CHECK(places.enter(client, 1));
        CHECK_FALSE(places.enter(client, 1));
    }
    CHECK(places.clients() == 3);
    places.leave("a");
    places.leave("a"); // a leave too many changes nothing
    CHECK(places.enter("a", 0));
    CHECK(places.held("a") == 1);
}
