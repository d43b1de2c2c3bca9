#include <lopt/plugin.h>

using namespace lopt;

/// A surface over two numbers (Vicol et al., 2021, from Wu et al., 2018), from the same point each time:
///   √(x² + 5) − √5 + sin²(y) exp(−5x²) + ¼ |y − 100|.
/// Going far along y takes large steps, which the waves at small x forbid.
class ToyRegression final : public Task {
 public:
  explicit ToyRegression(Settings& s) : start_(s.real("start", 1).doc("both numbers at the start")) {}

  Tree init(Key) const override { return {{"x", full({2}, start_)}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    const Tensor x = take(params["x"], 0, 0), y = take(params["x"], 1, 0);
    return sqrt(square(x) + 5) - sqrt(full({}, 5)) + square(sin(y)) * exp(-5 * square(x)) + 0.25 * abs(y - 100);
  }

 private:
  double start_;
};

LOPT_PLUGIN(ToyRegression, "toy_regression",
            {.summary = "A wavy surface over two numbers, on which a learning-rate schedule is sought",
             .paper = "Vicol, Metz and Sohl-Dickstein, Unbiased gradient estimation in unrolled computation graphs "
                      "with persistent evolution strategies, ICML 2021",
             .url = "https://arxiv.org/abs/2112.13835"})
