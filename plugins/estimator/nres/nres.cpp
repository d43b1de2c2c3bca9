#include "../noise_reuse.h"

using namespace lopt;

/// Noise-reuse evolution strategies: each problem keeps its perturbation, and problems stand at different iterations,
/// so that each meta-step sees all parts of a problem.
class Nres final : public NoiseReuse {
 public:
  explicit Nres(Settings& s) : NoiseReuse(s, "staggered") {}
};

LOPT_PLUGIN(
    Nres, "nres",
    {.summary = "Evolution strategies that keep a problem's perturbation: variance does not grow with its length",
     .paper = "Li et al., Noise-reuse in online evolution strategies, NeurIPS 2023",
     .url = "https://arxiv.org/abs/2304.12180"})
