#pragma once
// What tasks that find numbers share: their loss, the scale of what is found, and how it is measured.

#include <lopt/plugin.h>

#include <cmath>
#include <mutex>

namespace lopt {

/// Predictions [n, targets] beside what is to be found. Standardised, t = (y − mean) / deviation, both over the
/// training rows, and a network finds t. The loss is the mean over rows and targets of
///   squared   (p − t)²
///   absolute  |p − t|
///   huber     ½ r² where r = |p − t| ≤ δ, else δ (r − ½ δ)      (Huber, 1964)
class Regression {
 public:
  Regression(Settings& s, std::string task, const std::string& default_dataset)
      : task_(std::move(task)),
        loss_(s.text("loss", "squared").one_of({"squared", "absolute", "huber"}).doc("of what is not found")),
        huber_(s.real("huber", 1).above(0).doc("where Huber's loss begins to grow by the first power: δ")),
        standardise_(
            s.boolean("standardise", true).doc("find targets of mean 0 and variance 1 over the training rows")),
        batch_size_(s.integer("batch_size", 128).between(1, 65536).unit("examples").doc("rows a step")),
        dataset_(s.component<Dataset>("dataset", default_dataset).doc("what is to be found, and from what")) {}

  const Dataset& dataset() const { return *dataset_; }
  Batches batches() const { return {dataset_, batch_size_}; }

  /// The type of an array of an example. Refuses data where it is not there, or its elements are others.
  Type type(const std::string& name, DType dtype) const {
    Type type = array_type(*dataset_, name, "the task " + task_);
    if (type.dtype == dtype) return type;
    refuse_data(*dataset_, "has an array '" + name + "' of " + std::string(name_of(type.dtype)) + "; the task " +
                               task_ + " wants " + std::string(name_of(dtype)));
  }
  /// Numbers of an example's x, in any shape.
  std::int64_t inputs() const { return element_count(type("x", DType::float32).shape); }
  /// Numbers that are to be found.
  std::int64_t targets() const { return element_count(type("y", DType::float32).shape); }

  Tensor loss(const Tensor& prediction, const Tensor& y) const {
    const Tensor error = prediction - scaled(y);
    if (loss_ == "squared") return mean(square(error));
    if (loss_ == "absolute") return mean(abs(error));
    const Tensor size = abs(error), small = minimum(size, huber_);
    return mean(0.5 * square(small) + huber_ * (size - small));
  }

  /// R², one less what is left of the variance of the test rows, and the mean absolute error; in the targets' own
  /// units, means over targets.
  std::vector<Metric> metrics(const Tensor& prediction, const Tensor& y) const {
    const Scale& s = scale();
    const Tensor error = (prediction - scaled(y)) * s.deviation;
    return {{"r2", 1 - mean(square(error) / s.test_variance), true}, {"mean_absolute_error", mean(abs(error))}};
  }

  /// About 1 for who always says the mean.
  Tensor normalized(const Tensor& loss) const {
    if (standardise_) return loss;
    double size = 0;
    for (const float x : scale().train_deviation)
      size += (loss_ == "squared" ? std::pow(static_cast<double>(x), 2) : static_cast<double>(x)) /
              static_cast<double>(scale().train_deviation.size());
    return loss * (1 / (loss_ == "huber" ? huber_ * size : size));
  }

 private:
  /// Of each target, [targets].
  struct Scale {
    Tensor mean, deviation, test_variance;
    std::vector<float> train_deviation;
  };

  Tensor scaled(const Tensor& y) const {
    const Tensor rows = reshape(y, {y.dim(0), -1});
    return standardise_ ? (rows - scale().mean) / scale().deviation : rows;
  }

  const Scale& scale() const {
    const std::lock_guard lock(mutex_);
    if (!scale_) scale_ = std::make_unique<Scale>(find_scale());
    return *scale_;
  }

  struct Moments {
    std::vector<float> mean, deviation;
  };
  Moments moments(Split split) const {
    const Array y = dataset_->examples(split)["y"];
    const auto width = static_cast<std::size_t>(targets());
    const auto values = y.values<float>();
    const std::size_t rows = values.size() / width;
    const auto n = static_cast<double>(rows);
    Moments result;
    for (std::size_t k = 0; k < width; ++k) {
      double sum = 0, square = 0;
      for (std::size_t i = k; i < values.size(); i += width) sum += static_cast<double>(values[i]);
      for (std::size_t i = k; i < values.size(); i += width)
        square += std::pow(static_cast<double>(values[i]) - sum / n, 2);
      result.mean.push_back(static_cast<float>(sum / n));
      result.deviation.push_back(square > 0 ? static_cast<float>(std::sqrt(square / n)) : 1.0F);
    }
    return result;
  }
  Scale find_scale() const {
    const Moments train = moments(Split::train);
    std::vector<float> variance = moments(Split::test).deviation;
    for (float& x : variance) x *= x;
    const std::int64_t width = targets();
    const Shape shape{width};
    return {Tensor(Array(shape, train.mean)), standardise_ ? Tensor(Array(shape, train.deviation)) : ones(shape),
            Tensor(Array(shape, variance)), train.deviation};
  }

  std::string task_, loss_;
  double huber_;
  bool standardise_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const Scale> scale_;
};

/// Dense layers of these widths, from the first: w0 [widths[0], widths[1]], b0, w1, b1, … below their names; biases 0.
inline std::vector<Tree::Entry> dense_params(const Key& key, const std::vector<std::int64_t>& widths,
                                             const std::string& initializer, double scale) {
  const std::vector<Key> keys = split(key, static_cast<int>(widths.size()) - 1);
  std::vector<Tree::Entry> params;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    params.emplace_back("w" + std::to_string(i),
                        initial_weights(initializer, keys[i], {widths[i], widths[i + 1]}, scale));
    params.emplace_back("b" + std::to_string(i), zeros({widths[i + 1]}));
  }
  return params;
}
/// The network of these, with `layers` of them.
inline Tensor dense_of(const Tree& params, std::size_t layers, const std::string& activation_name, Tensor x) {
  for (std::size_t i = 0; i < layers; ++i) {
    x = matmul(x, params["w" + std::to_string(i)]) + params["b" + std::to_string(i)];
    if (i + 1 < layers) x = activation(activation_name, x);
  }
  return x;
}

}  // namespace lopt
