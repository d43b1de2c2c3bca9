// lopt-run new-plugin: a folder that builds at once.
#include "run/command_line.h"
#include "scaffold.h"

#include "data/durable_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace lopt {
namespace {

namespace fs = std::filesystem;

/// "my_sgd" → "MySgd".
std::string class_name(const std::string& name) {
  std::string result;
  bool upper = true;
  for (char c : name) {
    if (c != '_') result += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return result;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

int run_new_plugin(int argc, char** argv) {
  const std::string usage = "lopt-run new-plugin [--python] KIND NAME";
  const std::vector<std::string> kinds = component_kinds();
  bool python = false;
  boost::program_options::options_description description;
  description.add_options()("python", boost::program_options::bool_switch(&python),
                            "in Python, which needs no compiler, instead of C++");
  const auto values =
      options::parse(argc, argv, description, usage,
                     fmt::format("Writes the folder NAME: a plugin that builds at once and does something, a spec that "
                                 "uses it, tests and a README. KIND is one of {}.",
                                 fmt::join(kinds, ", ")));
  if (!values) return success;
  const std::vector<std::string> words = options::positional(*values);
  if (words.size() != 2) throw UsageError("which kind, and what name? usage: " + usage);
  const std::string &kind = words[0], &name = words[1];
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
    throw UsageError(
        fmt::format("there is no kind '{}'{}; there is {}", kind, did_you_mean(kind, kinds), fmt::join(kinds, ", ")));
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (!plain || name.empty() || name.size() > 64 || name[0] < 'a')
    throw UsageError(fmt::format("the name '{}' must begin with a letter and have only a-z, 0-9 and _", name));
  std::error_code error;
  if (fs::exists(fs::symlink_status(name, error))) throw UsageError(name + ": is there already; nothing was changed");
  if (!fs::create_directory(name, error))
    throw UsageError(fmt::format("{}: cannot be made: {}", name, error.message()));
  for (const scaffold::File& file : scaffold::files) {
    const std::string_view path = file.path;
    const std::string folder(path.substr(0, path.find('/')));
    if (folder != (python ? "python_" + kind : kind) && folder != (python ? "python_all" : "all")) continue;
    const std::string target = replaced(std::string(path.substr(folder.size() + 1)), "my_plugin", name);
    write_durably(fmt::format("{}/{}", name, target),
                  replaced(replaced(file.content, "my_plugin", name), "MyPlugin", class_name(name)));
  }
  if (python) {
    fmt::print(
        "{0}/ is written. Next:\n\n  cd {0} && lopt-run train {0}.yaml && python3 test_{0}.py\n\nThen change {0}.py.\n",
        name);
    return success;
  }
  fmt::print(
      "{0}/ is written. Next:\n\n  cmake -S {0} -B {0}/build && cmake --build {0}/build && ctest --test-dir "
      "{0}/build\n\nThen read {0}/README.md and change {0}/{0}.cpp.\n",
      name);
  return success;
}

}  // namespace lopt
