#pragma once
// Reading manifests without being harmed by the library.

#include "registry/registry.h"

namespace lopt {

/// What a plugin file says of itself, or why it is refused.
struct ManifestReport {
  std::string path;
  std::string problem;                    // a sentence that begins with the path; empty where the file is good
  std::vector<ComponentInfo> components;  // in the order of the manifest
};

/// Loads the files and reads their manifests in child processes: a library that crashes, ends the process or does not
/// come back while it is loaded is reported as one that does. A report for each path, in their order.
std::vector<ManifestReport> read_manifests(const std::vector<std::string>& paths);

}  // namespace lopt
