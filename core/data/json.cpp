#include "data/json.h"

#include <fstream>
#include <iterator>

namespace lopt {

Json parse_json(std::string_view text) { return Json::parse(text.begin(), text.end(), nullptr, false); }
Json parse_json(std::istream& text) {
  return parse_json(std::string(std::istreambuf_iterator<char>(text), std::istreambuf_iterator<char>()));
}
Json object_in_file(const std::string& path) {
  std::ifstream file(path);
  Json json = parse_json(file);
  return json.is_object() ? json : Json::object();
}
std::string to_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lopt
