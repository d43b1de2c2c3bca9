#include "report/provenance.h"

#include <fmt/format.h>

namespace lopt {

Json plugins_json(const Registry& registry) {
  Json json = Json::array();
  for (const UsedLibrary& library : registry.used()) {
    Json components = Json::array();
    for (const ComponentInfo& c : library.components)
      components.push_back({{"kind", c.kind}, {"name", c.name}, {"version", c.version}});
    json.push_back({{"path", library.path}, {"sha256", library.sha256}, {"components", components}});
  }
  return json;
}

std::vector<std::string> changed_plugins(const Json& earlier, const Registry& registry) {
  struct Origin {
    std::string path, sha256;
  };
  std::map<std::pair<std::string, std::string>, Origin> before;
  try {
    for (const auto& library : earlier.at("plugins"))
      for (const auto& c : library.at("components"))
        before[{c.at("kind"), c.at("name")}] = {library.at("path"), library.at("sha256")};
  } catch (const Json::exception&) {
    return {"its run.json does not say which plugins it used"};
  }
  std::vector<std::string> sentences;
  for (const UsedLibrary& library : registry.used())
    for (const ComponentInfo& c : library.components) {
      const auto found = before.find({c.kind, c.name});
      if (found == before.end() || found->second.sha256 == library.sha256) continue;
      sentences.push_back(fmt::format("the {} '{}' is {} (version {}, SHA-256 {}…) now, and was {} (SHA-256 {}…)",
                                      c.kind, c.name, library.path, c.version, library.sha256.substr(0, 12),
                                      found->second.path, found->second.sha256.substr(0, 12)));
    }
  return sentences;
}

}  // namespace lopt
