// lopt-run list: plugins, runs, and the key paths of a spec.
#include "learn/evaluation.h"
#include "report/text_width.h"
#include "run/command_line.h"
#include "spec/compose.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

namespace lopt {
namespace {

namespace po = boost::program_options;

/// The paths of what is no mapping. A list is one value.
void print_paths(const SpecNode& node, const std::string& path) {
  for (const auto& [key, value] : node.entries) {
    const std::string below = path.empty() ? key : path + "." + key;
    if (value.is_mapping())
      print_paths(value, below);
    else
      fmt::print("{}\n", below);
  }
}

int list_keys(const std::string& file, const std::vector<std::string>& plugin_paths) {
  Options o;
  o.spec = file;
  o.plugin_paths = plugin_paths;
  Registry registry;
  const SpecNode spec = read_spec(file);
  if (!spec.find("optimizers")) {
    print_paths(experiment_of(o, registry).resolved, "");
    return success;
  }
  for (const SpecKey& key : evaluation_keys())
    if (!spec.find(key.declaration.name)) fmt::print("{}\n", key.declaration.name);
  print_paths(spec, "");
  return success;
}

/// A text of at most `width` characters of UTF-8, cut at a word.
std::string shortened(const std::string& text, std::size_t width) {
  if (characters_in(text) <= width) return text;
  std::size_t end = text.rfind(' ');
  while (end != std::string::npos && end > 0 && characters_in(std::string_view(text).substr(0, end)) >= width)
    end = text.rfind(' ', end - 1);
  return (end == std::string::npos || end == 0 ? text : text.substr(0, end)) + "…";
}

}  // namespace

int run_list(int argc, char** argv) {
  std::vector<std::string> plugin_paths;
  po::options_description description;
  description.add_options()("plugin-path", po::value(&plugin_paths),
                            "folder or file with plugins; may be given more than once");
  bool with_files = false;
  description.add_options()("long", po::bool_switch(&with_files), "their files too, and how those were found");
  const std::string usage = "lopt-run list [options], lopt-run list runs [FOLDER], lopt-run list keys SPEC";
  const auto values = options::parse(
      argc, argv, description, usage,
      "Shows the plugins that are found, by kind, a line each, and the files that are refused, and why. `list runs` "
      "shows the runs in a folder (runs/, unless it says otherwise), a line each, with what came out; `list keys` the "
      "key paths of a spec, of every setting of its plugins too, as `train SPEC key.path=value` takes them.");
  if (!values) return success;
  const std::vector<std::string> words = options::positional(*values);
  if (!words.empty() && words[0] == "runs" && words.size() <= 2)
    return list_runs(words.size() == 2 ? words[1] : "runs");
  if (words.size() == 2 && words[0] == "keys") return list_keys(words[1], plugin_paths);
  if (!words.empty()) throw UsageError(fmt::format("'{}' is nothing to list; usage: {}", fmt::join(words, " "), usage));
  Registry registry;
  for (const std::string& path : plugin_paths) {
    if (!std::filesystem::exists(path)) throw PluginError(path + ": there is no such plugin file or folder");
    registry.add_path(path, "--plugin-path", false);
  }
  registry.add_default_paths();
  for (const std::string& kind : component_kinds()) {
    bool any = false;
    for (const ComponentInfo& c : registry.components()) {
      if (c.kind != kind) continue;
      if (!any) fmt::print("{}\n", kind);
      any = true;
      fmt::print("  {:<22} {}\n", c.name, shortened(c.summary, with_files ? 1000 : 55));
      if (with_files) fmt::print("  {:<22} {} ({})\n", "", c.library_path, c.source);
      if (registry.find(kind, c.name).size() > 1)
        fmt::print("  {:<22} more than one library offers it; in a spec: {}/{}\n", "",
                   std::filesystem::path(c.library_path).stem().string(), c.name);
    }
  }
  for (const RefusedLibrary& refused : registry.refused())
    fmt::print("refused  {} ({})\n", refused.reason, refused.source);
  return success;
}

}  // namespace lopt
