// Data goes one way through core's folders, and includes follow it.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

namespace fs = std::filesystem;

TEST_CASE("each folder of core includes only folders to its left") {
  const std::vector<std::string> order{"kernels", "random",      "data",   "spec",    "registry", "trace",
                                       "program", "gradient",    "plan",   "execute", "estimate", "mpi",
                                       "learn",   "conformance", "report", "run"};
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
        const bool standard = name.find('/') == std::string::npos && name.find('.') == std::string::npos;
        CHECK((beside || standard || name.starts_with("lopt/")));
      }
    }
}
