#pragma once
// Runs the real runner, as a person does.

#include "catch.h"
#include "data/json.h"
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace lopt::test {

namespace fs = std::filesystem;

/// A folder of its own for a test, which goes when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "lopt-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }

 private:
  std::string path_;
};

struct Result {
  int code = -1;       // exit code; 128 + n where signal n ended it
  std::string output;  // both streams
};

/// How many times longer all takes with sanitizers.
inline const int patience = std::getenv("LOPT_SANITIZED") ? 20 : 1;
/// For check-plugin: longer than any check takes that comes to its end.
inline const std::string time_limit = patience > 1 ? " --time-limit 60" : " --time-limit 10";

/// Runs a shell command in the source folder; more than `seconds` is code 124.
inline Result shell(const std::string& command, int seconds = 120) {
  seconds *= patience;
  const std::string line = "cd '" LOPT_SOURCE "' && timeout " + std::to_string(seconds) + " " + command + " 2>&1";
  std::FILE* pipe = popen(line.c_str(), "r");
  Result result;
  char block[4096];
  for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, pipe)) > 0;) result.output.append(block, got);
  const int status = pclose(pipe);
  // ThreadSanitizer's symbolizer says this of each address on a stack, also of reports that are suppressed.
  static const std::string noise = "LLVMSymbolizer: error reading file: No such file or directory\n";
  for (std::size_t at; patience > 1 && (at = result.output.find(noise)) != std::string::npos;)
    result.output.erase(at, noise.size());
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

/// Before it, where another processor's is emulated: the emulator.
inline const std::string runner = LOPT_EMULATOR LOPT_BINARY "/bin/lopt-run";
inline Result run(const std::string& arguments, int seconds = 120) { return shell(runner + " " + arguments, seconds); }

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

/// An evaluation that has to succeed: what it printed, and its results.
struct Evaluated {
  std::string output;
  Json results;
};
inline Evaluated evaluated(const TemporaryFolder& folder, const std::string& spec) {
  const std::string out = folder.file("out");
  const Result result = run("evaluate " + folder.write("spec.yaml", spec) + " --out " + out);
  INFO(result.output);
  REQUIRE(result.code == 0);
  return {result.output, parse_json(read_file(out + "/evaluation.json"))["results"]};
}

}  // namespace lopt::test
