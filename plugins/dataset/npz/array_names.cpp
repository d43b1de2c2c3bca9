#include "array_names.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

namespace lopt {
namespace {

constexpr std::string_view between = "_-./ ";

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::optional<Part> part_of(const std::string& word) {
  const std::string name = lower(word);
  if (name == "train" || name == "training") return Part::train;
  if (name == "test" || name == "testing") return Part::test;
  if (name == "val" || name == "valid" || name == "validation" || name == "dev") return Part::validation;
  return std::nullopt;
}

struct Known {
  Role role;
  const char* name;
};
std::optional<Known> role_of(const std::string& word) {
  const std::string name = lower(word);
  for (const char* known : {"image", "images", "data", "features", "input", "inputs"})
    if (name == known) return Known{Role::input, "image"};
  if (name == "x") return Known{Role::input, "x"};
  for (const char* known : {"label", "labels"})
    if (name == known) return Known{Role::label, "label"};
  for (const char* known : {"y", "target", "targets"})
    if (name == known) return Known{Role::target, "y"};
  return std::nullopt;
}

/// Takes the split's word off one end of a name.
Part take_part(std::string& name) {
  const std::size_t first = name.find_first_of(between), last = name.find_last_of(between);
  if (first == std::string::npos || first == 0 || last + 1 == name.size()) return Part::whole;
  if (const auto part = part_of(name.substr(0, first))) {
    name = name.substr(first + 1);
    return *part;
  }
  if (const auto part = part_of(name.substr(last + 1))) {
    name.resize(last);
    return *part;
  }
  return Part::whole;
}

}  // namespace

ArrayName named_array(const std::string& name) {
  ArrayName result;
  result.name = name;
  result.part = take_part(result.name);
  if (const auto known = role_of(result.name)) {
    result.role = known->role;
    result.name = known->name;
  }
  return result;
}

ArrayName named_file(const std::string& name) {
  ArrayName result = named_array(name);
  if (result.role != Role::other) return result;
  // The last word but the split's says what it is, those before it of what.
  std::string rest = name;
  const Part part = take_part(rest);
  const std::size_t last = rest.find_last_of(between);
  if (last == std::string::npos) return result;
  std::string prefix = rest.substr(0, last);
  const auto known = role_of(rest.substr(last + 1));
  if (!known) return result;
  result = {part, known->role, known->name, ""};
  if (result.part == Part::whole) {
    const std::size_t word = prefix.find_last_of(between);
    if (const auto within = part_of(word == std::string::npos ? prefix : prefix.substr(word + 1))) {
      result.part = *within;
      prefix = word == std::string::npos ? "" : prefix.substr(0, word);
    }
  }
  result.prefix = prefix;
  return result;
}

}  // namespace lopt
