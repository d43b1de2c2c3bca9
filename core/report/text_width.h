#pragma once
// Texts in columns, by characters of UTF-8.

#include <string>
#include <string_view>

namespace lopt {

std::size_t characters_in(std::string_view text);
/// The first `most` characters at most.
std::string_view first_characters(std::string_view text, std::size_t most);
/// Exactly `width` characters: cut, or with spaces behind.
std::string fitted(std::string_view text, std::size_t width);

}  // namespace lopt
