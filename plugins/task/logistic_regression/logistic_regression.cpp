#include "../images.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>

using namespace lopt;

/// Softmax regression of images or other numbers: mean cross-entropy of image · w + b over the batch, plus l2 Σw²,
/// convex. Parameters w [numbers, classes] and b, which start at 0.
class LogisticRegression final : public Task {
 public:
  explicit LogisticRegression(Settings& s)
      : classes_(s.integer("classes", 10).between(2, 65536).doc("number of classes")),
        l2_(s.real("l2", 0).at_least(0).doc("weight of Σw²")),
        batch_size_(s.integer("batch_size", 128).between(1, 65536).unit("examples").doc("images a step")),
        dataset_(s.component<Dataset>("dataset", "digits").doc("what is classified")) {}

  Tree init(Key) const override {
    check_labels(*dataset_, classes_, "logistic_regression");
    return {{"w", zeros({pixels_of(*dataset_, "logistic_regression"), classes_})}, {"b", zeros({classes_})}};
  }
  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    const Tensor w = params["w"];
    return cross_entropy(logits(params, batch), batch["label"]) + l2_ * sum(square(w));
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    return {{"accuracy", accuracy(logits(params, batch), batch["label"]), true}};
  }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  static Tensor logits(const Tree& params, const Tree& batch) {
    return matmul(reshape(batch["image"], {batch["image"].leaf().dim(0), -1}), params["w"]) + params["b"];
  }

  int classes_;
  double l2_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(LogisticRegression, "logistic_regression", {.summary = "Softmax regression: a convex classifier"})
