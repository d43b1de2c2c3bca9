#include <lopt/plugin.h>

using namespace lopt;

/// y ≈ x · w + b by least squares: mean (x · w + b − y)² over the batch, plus l1 Σ|w| and l2 Σw². The dataset has x
/// [n, features] and y [n]. Parameters w [features] and b, which start at 0.
class LinearRegression final : public Task {
 public:
  explicit LinearRegression(Settings& s)
      : l1_(s.real("l1", 0).at_least(0).doc("weight of Σ|w| (Tibshirani's lasso)")),
        l2_(s.real("l2", 0).at_least(0).doc("weight of Σw²")),
        batch_size_(s.integer("batch_size", 64).between(1, 65536).unit("examples").doc("rows a step")),
        dataset_(s.component<Dataset>("dataset", "{plugin: synthetic, kind: sparse_regression}").doc("x and y")) {}

  Tree init(Key) const override {
    const Type x = array_type(*dataset_, "x", "the task linear_regression"),
               y = array_type(*dataset_, "y", "the task linear_regression");
    if (x.dtype != DType::float32 || x.shape.size() != 1 || y != Type{DType::float32, {}})
      refuse_data(*dataset_, "has x and y that are " + to_text(x) + " and " + to_text(y) +
                                 " each; the task linear_regression wants float32[features] and float32[]");
    return {{"w", zeros({x.shape[0]})}, {"b", zeros({})}};
  }
  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    const Tensor w = params["w"];
    return error(params, batch) + l1_ * sum(abs(w)) + l2_ * sum(square(w));
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    return {{"squared_error", error(params, batch)}};
  }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  static Tensor error(const Tree& params, const Tree& batch) {
    const Tensor w = params["w"];
    return mean(square(sum(batch["x"] * w, {1}) + params["b"] - batch["y"]));
  }

  double l1_, l2_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(LinearRegression, "linear_regression", {.summary = "Least squares, with or without lasso and ridge"})
