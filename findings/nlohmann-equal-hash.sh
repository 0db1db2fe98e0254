#!/usr/bin/env bash
# nlohmann::json: 4096 from a program equals 4096 from a file, but has another hash; and -1 equals 18446744073709551615.
#
# Expected: equal values have equal std::hash, as the standard asks of a hash. json(4096) == json::parse("4096"), so an
#   unordered_set that holds the one has the other. -1 and 2^64-1 differ.
# Happened: a number parsed without a sign is an unsigned one, a number made from an int is a signed one. operator==
#   compares across the two, std::hash mixes the kind in: the set does not find the equal element. Between the
#   two kinds the comparison is done as signed, so 2^64-1 equals -1, and is less than an int 0.
# Versions: nlohmann-json3-dev 3.11.2-2 of Debian 12, compiled as C++17.
# Matters: tools that key statistics by a JSON value (a size class, a stack of frames, an event) look up what they built
#   themselves in what they read from a file, and count everything twice. "No limit" as SIZE_MAX passes a test for -1,
#   and a test for "negative".
# Source of the expectation: the C++ standard asks that equal keys have equal hashes, and the library's page on operator==
#   says that numbers of different kinds are converted to be compared. Its page on std::hash does say that the kind
#   takes part; no page draws the conclusion.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root download -qq nlohmann-json3-dev=3.11.2-2
dpkg -x nlohmann-json3-dev_*.deb root
cat > hash.cpp <<'CPP'
#include <nlohmann/json.hpp>
#include <cstdint>
#include <cstdio>
#include <unordered_set>
using nlohmann::json;

int main()
{
    std::printf("nlohmann json %d.%d.%d\n", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                NLOHMANN_JSON_VERSION_PATCH);
    const json made = {{"size", 4096}, {"stream", 7}};
    const json read = json::parse(R"({"size": 4096, "stream": 7})");
    const std::unordered_set<json> seen{read};
    const bool equal = made == read;
    const bool same_hash = std::hash<json>{}(made) == std::hash<json>{}(read);
    const bool found = seen.count(made) != 0;
    std::printf("made == read: %d   same hash: %d   found in the set: %d   texts equal: %d\n", equal, same_hash, found,
                made.dump() == read.dump());

    const json most = UINT64_MAX;
    const json minus_one = -1;
    const json zero = 0;
    std::printf("%s == %s: %d   %s < 0: %d\n", most.dump().c_str(), minus_one.dump().c_str(), most == minus_one,
                most.dump().c_str(), most < zero);
    return equal && !same_hash && !found && most == minus_one && most < zero ? 0 : 1;
}
CPP
g++ -std=c++17 -O0 -Iroot/usr/include hash.cpp -o hash
./hash
