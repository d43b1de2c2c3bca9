#include "trace/node.h"

#include <lopt/optimizer.h>

#include <algorithm>

namespace lopt {

Tree Optimizer::with_params(const Tree& state, const Tree& params_after) const {
  // Where they stand is found out on a state whose leaves are all different.
  const Tree blank = inputs_like("state", types_of(state));
  const std::vector<Tensor> places = blank.leaves(), of_params = params(blank).leaves(), after = params_after.leaves();
  if (of_params.size() != after.size())
    throw TreeError("with_params() got another number of parameters than the state has");
  std::vector<Tensor> leaves = state.leaves();
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto place = std::find_if(places.begin(), places.end(),
                                    [&](const Tensor& leaf) { return leaf.node() == of_params[i].node(); });
    if (place == places.end())
      throw TreeError(
          "the parameters of this optimizer are computed from its state; to stand inside another it must say how the "
          "state changes with them: with_params()");
    leaves[static_cast<std::size_t>(place - places.begin())] = after[i];
  }
  return state.with_leaves<Tensor>(leaves);
}

}  // namespace lopt
