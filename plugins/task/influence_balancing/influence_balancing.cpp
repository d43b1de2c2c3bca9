#include <lopt/plugin.h>

using namespace lopt;

/// Influence balancing (Tallec and Ollivier, 2017): the state s of a linear system is what is trained, and the rule
/// `linear_system` moves it; the loss looks at its first element alone, ½ (s¹ − 1)². What θ does to that element at
/// once and what it does in the long run have opposite signs, so gradients that are cut short point the wrong way.
class InfluenceBalancing final : public Task {
 public:
  explicit InfluenceBalancing(Settings& s)
      : size_(s.integer("size", 23).between(1, 1 << 20).doc("n, elements of the state")),
        start_(s.real("start", 1).doc("each element of the first state")) {}

  Tree init(Key) const override { return {{"s", full({size_}, start_)}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override { return 0.5 * square(take(params["s"], 0, 0) - 1); }

 private:
  std::int64_t size_;
  double start_;
};

LOPT_PLUGIN(InfluenceBalancing, "influence_balancing",
            {.summary = "The state of a linear system whose short and long answers to θ have opposite signs",
             .paper = "Tallec and Ollivier, Unbiased online recurrent optimization, ICLR 2018",
             .url = "https://arxiv.org/abs/1702.05043"})
