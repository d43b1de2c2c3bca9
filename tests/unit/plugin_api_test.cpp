#include "catch.h"

#include <lopt/plugin.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

using namespace lopt;
namespace fs = std::filesystem;

namespace {

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What plugins and the runner call of each other by its place in a table: the number of the API, and the virtual
/// functions of the SDK, a line each, in the order of the headers' names and within them.
std::string plugin_api() {
  std::vector<fs::path> headers;
  for (const auto& entry : fs::directory_iterator(LOPT_SOURCE "/sdk/include/lopt")) headers.push_back(entry.path());
  std::sort(headers.begin(), headers.end());
  std::string text = "API version " + std::to_string(api_version) + "\n";
  const std::regex declaration("\\bvirtual [^;{]*"), spaces("\\s+"), names("/\\*.*?\\*/"), comment("//[^\\n]*");
  for (const fs::path& header : headers) {
    const std::string code = std::regex_replace(content_of(header), comment, "");
    for (std::sregex_iterator found(code.begin(), code.end(), declaration), end; found != end; ++found)
      text += header.filename().string() + ": " +
              std::regex_replace(std::regex_replace(found->str(), names, ""), spaces, " ") + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the plugin API is the one that its number stands for") {
  // Where this fails, plugins that were built before would call the wrong functions: raise lopt::api_version, say what
  // changed in CHANGELOG.md, and put what is printed below into the file.
  CHECK(content_of(LOPT_GOLDEN "/plugin_api.txt") == plugin_api());
}
