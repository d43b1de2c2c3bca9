#include "run/session/tracer.h"

#include "data/npz.h"

#include <fmt/format.h>

#include <set>

namespace lopt {
namespace {

/// The first lane of each stream: the positive side of antithetic pairs.
std::vector<const Lane*> first_lanes(const EstimatorState& state) {
  std::vector<const Lane*> result;
  std::set<std::uint32_t> seen;
  for (const Lane& lane : state.lanes)
    if (seen.insert(lane.stream).second) result.push_back(&lane);
  return result;
}
Array iterations_of(const EstimatorState& state) {
  std::vector<std::int32_t> iterations;
  for (const Lane* lane : first_lanes(state)) iterations.push_back(static_cast<std::int32_t>(lane->iteration));
  return Array({static_cast<std::int64_t>(iterations.size())}, iterations);
}

/// Trees of one structure, their leaves below each other; leaves that differ in type are left out.
std::vector<std::pair<std::string, Array>> stacked(const std::vector<Values>& trees) {
  std::vector<std::pair<std::string, Array>> result;
  if (trees.empty()) return result;
  const std::vector<std::string> names = trees[0].paths();
  for (std::size_t leaf = 0; leaf < names.size(); ++leaf) {
    std::vector<Array> rows;
    for (const Values& tree : trees)
      if (tree.paths() == names && tree.leaves()[leaf].type() == trees[0].leaves()[leaf].type())
        rows.push_back(tree.leaves()[leaf]);
    if (rows.size() == trees.size()) result.emplace_back(names[leaf], stack_arrays(rows));
  }
  return result;
}

}  // namespace

void Tracer::add_tree(const std::string& prefix, const Values& tree) {
  const std::vector<std::string> names = tree.paths();
  const std::vector<Array> leaves = tree.leaves();
  for (std::size_t i = 0; i < names.size(); ++i) arrays_.emplace_back(prefix + names[i], leaves[i]);
}

void Tracer::start(const MetaTraining& training) {
  if (!enabled_) return;
  add_tree("theta0_", training.theta());
  if (!training.state().lanes.empty()) arrays_.emplace_back("iterations", iterations_of(training.state()));
}

void Tracer::add(const MetaStep& step) {
  if (!enabled_) return;
  arrays_.emplace_back(fmt::format("loss_{}", step.step), Array::scalar(step.loss));
  add_tree(fmt::format("grad_{}_", step.step), step.gradient);
  add_tree(fmt::format("theta_{}_", step.step + 1), step.theta);
}

void Tracer::finish(const MetaTraining& training, const EstimatorState& state) {
  if (!enabled_) return;
  for (const auto& [name, tree] : state.values.entries())
    add_tree(tree.is_leaf() ? "end_" + name : "end_" + name + "_", tree);
  if (state.lanes.empty()) return;
  arrays_.emplace_back("iterations_end", iterations_of(state));
  std::vector<Values> params;
  for (const Lane* lane : first_lanes(state)) params.push_back(training.unroller().params(training.theta(), *lane));
  for (auto& [name, array] : stacked(params)) arrays_.emplace_back("end_param_" + name, array);
}

void Tracer::finish(const InnerTraining& training) {
  if (!enabled_) return;
  std::vector<Array> losses;
  std::vector<Values> params;
  for (std::size_t run = 0; run < training.losses().size(); ++run) {
    losses.emplace_back(Shape{static_cast<std::int64_t>(training.losses()[run].size())}, training.losses()[run]);
    params.push_back(training.params(run));
  }
  arrays_.emplace_back("losses", stack_arrays(losses));
  for (auto& [name, array] : stacked(params)) arrays_.emplace_back("final_" + name, array);
}

Values Tracer::so_far() const { return Values(std::vector<Values::Entry>(arrays_.begin(), arrays_.end())); }
void Tracer::restore(const Checkpoint& checkpoint) {
  arrays_.clear();
  for (const auto& [name, array] : checkpoint.tree("trace").entries()) arrays_.emplace_back(name, array.leaf());
}

void Tracer::write(const std::string& path) const { write_npz(path, arrays_); }

}  // namespace lopt
