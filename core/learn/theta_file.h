#pragma once
// θ in a file, with the learned optimizer that it is of: what was trained is an optimizer.

#include "spec/node.h"

#include <lopt/optimizer.h>

namespace lopt {

/// Writes θ into an .npz and a .safetensors file beside it, which learned optimizer it is of, with its settings, and
/// how many steps its longest problem had (0: without an end). Throws std::runtime_error.
void write_theta(const std::string& path, const Values& theta, const SpecNode& learned_optimizer,
                 std::int64_t horizon = 0);

/// The file of a recipe that comes with lopt, by its name, of a run's folder, or of a path. Throws DataError for a
/// plain name that is none of these.
std::string theta_file(const std::string& name);
/// The learned optimizer that a file names; a null node where it names none. Throws DataError.
SpecNode rule_in(const std::string& file);
/// The steps of the longest problem that a file's θ was trained on; 0: not known. Throws DataError.
std::int64_t horizon_in(const std::string& file);

/// Writes the learned optimizer of its file into each {plugin: learned, theta: RUN_OR_FILE} of a spec that names none,
/// and the file for a folder. Throws SpecError where the file names none, or another than the spec does.
void name_learned_rules(SpecNode& spec);
/// The same check for θ that a learned optimizer is to begin from or be tried with.
void require_rule(const std::string& file, const SpecNode& learned_optimizer, const Location& where,
                  const std::string& key);

}  // namespace lopt
