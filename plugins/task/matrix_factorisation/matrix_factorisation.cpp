#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// The mean of (A B − M)², with M = U V / √rank + σ E of normal U [rows, rank], V [rank, columns], E. Parameters a
/// [rows, width], b [width, columns], normal times initial_scale. M is the same for all problems of a task.
class MatrixFactorisation final : public Task {
 public:
  explicit MatrixFactorisation(Settings& s)
      : rows_(s.integer("rows", 64).between(1, 16384).doc("of M")),
        columns_(s.integer("columns", 64).between(1, 16384).doc("of M")),
        width_(s.integer("width", 8).between(1, 16384).doc("columns of A, rows of B")),
        initial_scale_(s.real("initial_scale", 0.1).at_least(0).doc("standard deviation of the first A and B")) {
    const int rank = s.integer("rank", 8).between(1, 16384).doc("of M without its noise");
    const double noise = s.real("noise", 0).at_least(0).doc("standard deviation σ of what is added to M");
    const int seed = s.integer("seed", 0).at_least(0).doc("of M");
    const std::vector<HostKey> keys = split(HostKey::from_seed(static_cast<std::uint64_t>(seed)), 3);
    const Array u = normal(keys[0], {rows_, rank}), v = normal(keys[1], {rank, columns_}),
                e = normal(keys[2], {rows_, columns_});
    std::vector<float> m(e.size());
    const auto r = static_cast<std::size_t>(rank), n = static_cast<std::size_t>(columns_);
    for (std::size_t at = 0; at < m.size(); ++at) {
      double total = 0;
      for (std::size_t k = 0; k < r; ++k)
        total += static_cast<double>(u.values<float>()[at / n * r + k]) *
                 static_cast<double>(v.values<float>()[k * n + at % n]);
      m[at] = static_cast<float>(total / std::sqrt(static_cast<double>(rank)) +
                                 noise * static_cast<double>(e.values<float>()[at]));
    }
    target_ = Array({rows_, columns_}, m);
  }

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key);
    return {{"a", normal(keys[0], {rows_, width_}) * initial_scale_},
            {"b", normal(keys[1], {width_, columns_}) * initial_scale_}};
  }
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    return mean(square(matmul(params["a"], params["b"]) - Tensor(target_)));
  }

 private:
  int rows_, columns_, width_;
  double initial_scale_;
  Array target_;
};

LOPT_PLUGIN(MatrixFactorisation, "matrix_factorisation",
            {.summary = "A matrix as the product of two narrow ones",
             .paper = "Koren et al., Matrix factorization techniques for recommender systems, Computer 2009"})
