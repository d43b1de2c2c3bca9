#pragma once
// Specs that build on specs: `extends`, and keys that only hold anchors.

#include "spec/node.h"

namespace lopt {

/// Reads a spec file, or standard input where `path` is "-", and the specs that it extends.
///   extends: ../tutorial/pes.yaml      or a list of files, each above the one before; paths are relative to the file
/// Mappings are merged deeply, lists and scalars replaced, and null removes what a spec below had. Keys of the top
/// level that begin with `x-` are dropped: they hold anchors. Each value keeps its place in the file in which it
/// stands. Throws SpecError.
SpecNode read_spec(const std::string& path);

/// `above` laid over `below`, as `extends` does.
SpecNode merged(const SpecNode& below, const SpecNode& above);

/// YAML of a resolved spec, each value with where it came from in `written`, or "default", as a comment.
std::string to_yaml_with_places(const SpecNode& resolved, const SpecNode& written);

}  // namespace lopt
