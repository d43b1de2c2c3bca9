#include "learn/loss_surface.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lopt {

WeightPlace weight_place(const Values& theta, const std::string& name) {
  const std::vector<std::string> paths = theta.paths();
  for (std::size_t leaf = 0; leaf < paths.size(); ++leaf) {
    if (paths[leaf] == name) return {leaf, 0};
    if (!name.starts_with(paths[leaf] + "/")) continue;
    const std::string place = name.substr(paths[leaf].size() + 1);
    if (place.empty() || place.size() > 9 || place.find_first_not_of("0123456789") != std::string::npos) continue;
    if (const auto element = static_cast<std::size_t>(std::stoul(place)); element < theta.leaves()[leaf].size())
      return {leaf, element};
  }
  throw DataError(fmt::format("θ has no weight '{}'; its leaves are {}", name, fmt::join(paths, ", ")));
}

float weight_at(const Values& theta, WeightPlace place) {
  return theta.leaves().at(place.leaf).values<float>()[place.element];
}

LossSurface::LossSurface(const Experiment& experiment, int threads, int problems)
    : training_(experiment, threads),
      steps_(std::max<std::int64_t>(1, experiment.estimator->problem_steps())),
      problems_(problems) {
  training_.find_baseline();
}

std::vector<double> LossSurface::losses(const std::vector<Values>& thetas) const {
  constexpr std::uint64_t problem_seed = std::uint64_t{1} << 59U;
  const std::vector<HostKey> keys = split(HostKey::from_seed(problem_seed), problems_);
  std::vector<LaneStart> starts;
  std::vector<Values> of_lanes;
  for (const Values& theta : thetas)
    for (std::size_t problem = 0; problem < keys.size(); ++problem) {
      starts.push_back({theta, keys[problem], static_cast<std::uint32_t>(problem)});
      of_lanes.push_back(theta);
    }
  UnrollOptions options;
  options.steps = static_cast<int>(steps_);
  const Unrolled unrolled = training_.unroller().unroll(training_.unroller().start(starts), of_lanes, options);
  std::vector<double> result(thetas.size(), 0);
  const std::size_t each = keys.size() * static_cast<std::size_t>(steps_);
  for (std::size_t i = 0; i < unrolled.losses.size(); ++i)
    result[i / each] += static_cast<double>(unrolled.losses[i]) / static_cast<double>(each);
  return result;
}

}  // namespace lopt
