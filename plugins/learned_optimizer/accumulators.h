#pragma once
// Accumulators of several sets of features in one tree.

#include <lopt/plugin.h>

namespace lopt {

/// The entries of both; those that both have are equal.
inline Tree with_entries(Tree tree, const Tree& more) {
  for (const auto& [name, entry] : more.entries()) tree.set(name, entry);
  return tree;
}

}  // namespace lopt
