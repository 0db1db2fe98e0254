// The known word a mistyped one was probably meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gmlake::config {

// Letters to insert, delete, replace or swap with their neighbour to turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate at the smallest distance, if that is small for the word's length; otherwise "".
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// The same as advice: `did you mean "chunk_size"?`, or what else there is.
std::string nearest_or_all(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace gmlake::config
