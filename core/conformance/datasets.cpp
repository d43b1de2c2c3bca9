// Checks of datasets.
#include "conformance/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace lopt {
namespace {

/// What is wrong with the examples of a split, or nothing.
std::string examples_problem(const Values& examples, const std::string& split) {
  if (examples.is_leaf() || examples.leaf_count() == 0) return fmt::format("the {} split has no named arrays", split);
  const std::vector<std::string> names = examples.paths();
  const std::vector<Array> arrays = examples.leaves();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (arrays[i].shape().empty()) return fmt::format("'{}' of the {} split is a scalar", names[i], split);
    if (arrays[i].shape()[0] != arrays[0].shape()[0])
      return fmt::format("the {} split has {} examples in '{}', but {} in '{}'", split, arrays[0].shape()[0], names[0],
                         arrays[i].shape()[0], names[i]);
    if (arrays[i].dtype() == DType::float32)
      for (float x : arrays[i].values<float>())
        if (!std::isfinite(x)) return fmt::format("'{}' of the {} split has a number that is {}", names[i], split, x);
  }
  return "";
}

Outcome examples(Subject& s) {
  const auto dataset = s.as<Dataset>();
  const Values &train = dataset->examples(Split::train), &test = dataset->examples(Split::test);
  for (const auto& [split, name] : {std::pair(&train, "training"), std::pair(&test, "test")})
    if (const std::string problem = examples_problem(*split, name); !problem.empty()) return fail(problem);
  if (train.leaves()[0].shape()[0] == 0) return fail("the training split has no examples");
  if (train.paths() != test.paths())
    return fail(fmt::format("the training split has {}, the test split has {}", fmt::join(train.paths(), ", "),
                            fmt::join(test.paths(), ", ")));
  return pass(
      fmt::format("{} to train with, {} to test with", train.leaves()[0].shape()[0], test.leaves()[0].shape()[0]));
}

Outcome batch(Subject& s) {
  const auto dataset = s.as<Dataset>();
  const std::int64_t count = dataset->examples(Split::train).leaves()[0].shape()[0];
  for (std::size_t size : {1, 16, 100})
    for (std::int64_t step : {0, 1, 2, 3, 1000, 1000000}) {
      std::vector<std::int32_t> indices(size, -1);
      dataset->batch(HostKey::from_seed(3), 1, step, indices);
      for (std::int32_t index : indices)
        if (index < 0 || index >= count)
          return fail(fmt::format("batch {} takes example {} of {} (they count from 0)", step, index, count));
    }
  return pass();
}

}  // namespace

std::vector<Check> dataset_checks() {
  return {{"examples", {Dataset::kind}, {"calls"}, examples}, {"batch", {Dataset::kind}, {"examples"}, batch}};
}

}  // namespace lopt
