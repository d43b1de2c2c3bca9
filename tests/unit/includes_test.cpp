// Data goes one way through core's folders, and includes follow it.
#include "catch.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

namespace fs = std::filesystem;

namespace {
/// The folders of core in the order in which docs/architecture.md lists them: an indented block that begins with one.
std::vector<std::string> folders_in_architecture() {
  std::ifstream file(fs::path(LOPT_SOURCE) / "docs/architecture.md");
  std::vector<std::string> folders;
  for (std::string line; std::getline(file, line) && (folders.empty() || line.starts_with("    "));)
    if (!folders.empty() || line.starts_with("    kernels ")) {
      std::istringstream words(line);
      folders.insert(folders.end(), std::istream_iterator<std::string>(words), {});
    }
  return folders;
}
}  // namespace

TEST_CASE("each folder of core includes only folders before it") {
  const std::vector<std::string> order = folders_in_architecture();
  REQUIRE(order.front() == "kernels");
  std::map<std::string, std::size_t> rank;
  for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  const std::regex include("#include \"([a-z_]+)/.*\"");
  std::size_t seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(LOPT_SOURCE) / "core")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cpp" && extension != ".h") continue;
    const std::string folder = fs::relative(entry.path(), fs::path(LOPT_SOURCE) / "core").begin()->string();
    INFO(entry.path());
    REQUIRE(rank.contains(folder));
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      if (!std::regex_search(line, match, include)) continue;
      INFO(line);
      REQUIRE(rank.contains(match[1]));
      CHECK(rank[match[1]] <= rank[folder]);
      ++seen;
    }
  }
  CHECK(seen > 50);
}

TEST_CASE("plugins and the SDK include nothing of core, and SDK headers the standard library alone") {
  const std::regex include("#include [<\"](.*)[>\"]");
  for (const char* folder : {"plugins", "sdk"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(LOPT_SOURCE) / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".h") continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const std::string name = match[1];
        INFO(entry.path() << ": " << line);
        const bool beside = fs::exists(entry.path().parent_path() / name);
        const bool standard = (name.find('/') == std::string::npos && name.find('.') == std::string::npos) ||
                              name == "stddef.h" || name == "stdint.h";           // of lopt.h, which is C
        if (name == "csv.h" && entry.path().filename() == "table.cpp") continue;  // the library of the plugin csv
        CHECK((beside || standard || name.starts_with("lopt/")));
      }
    }
}
