#include "report/text_width.h"

#include <algorithm>

namespace lopt {
namespace {

bool begins_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }

}  // namespace

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_a_character));
}

std::string_view first_characters(std::string_view text, std::size_t most) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    characters += begins_a_character(text[i]);
    if (characters > most) return text.substr(0, i);
  }
  return text;
}

std::string fitted(std::string_view text, std::size_t width) {
  std::string result(first_characters(text, width));
  result.append(width - characters_in(result), ' ');
  return result;
}

}  // namespace lopt
