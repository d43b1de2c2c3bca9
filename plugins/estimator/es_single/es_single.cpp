#include "../noise_reuse.h"

using namespace lopt;

/// ES-Single: each problem keeps its perturbation, and all problems begin together, as in evolution strategies on whole
/// unrolls, of which a meta-step sees one segment.
class EsSingle final : public NoiseReuse {
 public:
  explicit EsSingle(Settings& s) : NoiseReuse(s, "together") {}
};

LOPT_PLUGIN(
    EsSingle, "es_single",
    {.summary = "Evolution strategies with one perturbation a problem, segment by segment",
     .paper = "Vicol, Low-variance gradient estimation in unrolled computation graphs with ES-Single, ICML 2023",
     .url = "https://arxiv.org/abs/2304.11153"})
