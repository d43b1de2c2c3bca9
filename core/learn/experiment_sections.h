#pragma once
// The parts of an experiment's spec that have settings of their own.

#include "learn/experiment.h"
#include "registry/registry.h"
#include "spec/reader.h"

namespace lopt {

/// A mapping of the spec while it is read.
struct SpecSection {
  Settings& settings;
  const SpecNode& node;
  SpecReader& reader;
  std::string path;  // "validate"
  Registry& registry;
  SpecErrors& errors;
};

void read_objective(const SpecSection& section, MetaObjective& objective, std::optional<Comparison>& relative_to);
void read_gradient_rules(const SpecSection& section, GradientRules& rules);
void read_checkpoint_rules(const SpecSection& section, CheckpointRules& rules);
void read_measure_rules(const SpecSection& section, MeasureRules& rules);
void read_validation(const SpecSection& section, ValidationRules& rules, std::optional<int> length);
/// Of `meta_training`; all but the spec of a member.
void read_population(const SpecSection& section, PopulationRules& rules);

}  // namespace lopt
