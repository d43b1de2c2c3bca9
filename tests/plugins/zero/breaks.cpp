// Rules whose formulas break where a gradient is 0: one setting chooses how.
#include <lopt/plugin.h>

using namespace lopt;

class Rule final : public Optimizer {
 public:
  Rule(const Tree& theta, std::string how) : a_(theta["a"]), how_(std::move(how)) {}
  Tree init(const Tree& params, const InitContext&) const override { return {{"params", params}}; }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext&) const override {
    return {{"params",
             map([&](const Tensor& p, const Tensor& g) { return p - 0.01 * step(p, g); }, state["params"], grads)}};
  }
  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  Tensor step(const Tensor& p, const Tensor& g) const {
    if (how_ == "root") return sqrt(a_ * square(g)) * sign(g + 1e-9);
    if (how_ == "length") return a_ * sqrt(mean(square(p))) * g;
    if (how_ == "size") return a_ * sqrt(mean(square(g))) * sign(p);
    if (how_ == "logarithm") return a_ * g * log(abs(g));
    if (how_ == "division") return a_ * g / abs(g);
    return -1e5 * a_ * p;  // a thousand times larger each time
  }
  Tensor a_;
  std::string how_;
};

class Breaks final : public LearnedOptimizer {
 public:
  explicit Breaks(Settings& s)
      : how_(s.text("how", "root")
                 .one_of({"root", "length", "size", "logarithm", "division", "growth"})
                 .doc("what breaks")) {}
  Tree init(Key) const override { return {{"a", full({}, 1)}}; }
  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Rule>(theta, how_); }

 private:
  std::string how_;
};

LOPT_PLUGIN(Breaks, "breaks", {.summary = "A rule whose formula breaks where a gradient is 0"})
