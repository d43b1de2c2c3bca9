#pragma once
// One JSON type for all of lopt, which keeps the order of keys, and one place in which its reader and writer are
// compiled: they take seconds.

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <string>
#include <string_view>

namespace lopt {

using Json = nlohmann::ordered_json;

/// The value of a JSON text; a value of the type `discarded` for anything else.
Json parse_json(std::string_view text);
Json parse_json(std::istream& text);
/// The object in a JSON file; an empty one where there is no such file, or something else in it.
Json object_in_file(const std::string& path);
/// On one line, or, where `indent` is not negative, on many. Bytes that are no UTF-8 are replaced.
std::string to_text(const Json& json, int indent = -1);

}  // namespace lopt
