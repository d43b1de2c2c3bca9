#include <lopt/plugin.h>

#include <algorithm>

using namespace lopt;

/// A fully connected network that classifies images: mean softmax cross-entropy over the batch.
/// Parameters w0, b0, w1, b1, …: weights normal times initial_scale, hidden biases 0, output biases output_bias.
class MlpClassifier final : public Task {
 public:
  explicit MlpClassifier(Settings& s)
      : hidden_(
            s.integers("hidden", std::vector<std::int64_t>{128}).between(1, 65536).doc("widths of the hidden layers")),
        activation_(s.text("activation", "relu").one_of({"relu", "tanh", "sigmoid"}).doc("between the layers")),
        initial_scale_(s.real("initial_scale", 0.02).at_least(0).doc("standard deviation of the initial weights")),
        output_bias_(s.real("output_bias", 1).doc("initial value of the last layer's biases")),
        classes_(s.integer("classes", 10).between(2, 65536).doc("number of classes")),
        batch_size_(s.integer("batch_size", 128).between(1, 65536).unit("examples").doc("images a step")),
        dataset_(s.component<Dataset>("dataset", "digits").doc("what is classified")) {}

  Tree init(Key key) const override {
    const std::vector<std::int64_t> widths = layer_widths();
    const std::vector<Key> keys = split(key, static_cast<int>(widths.size()) - 1);
    std::vector<Tree::Entry> params;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      const bool last = i + 2 == widths.size();
      params.emplace_back("w" + std::to_string(i), normal(keys[i], {widths[i], widths[i + 1]}) * initial_scale_);
      params.emplace_back("b" + std::to_string(i), full({widths[i + 1]}, last ? output_bias_ : 0));
    }
    return Tree(std::move(params));
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    return mean(-sum(one_hot(batch["label"], classes_) * log_softmax(logits(params, batch)), {-1}));
  }

  /// Accuracy: the share of images whose own class has the largest logit.
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    const Tensor x = logits(params, batch), own = sum(one_hot(batch["label"], classes_) * x, {-1});
    return {{"accuracy", mean(convert(own >= max(x, {-1}), DType::float32)), true}};
  }

  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  Tensor logits(const Tree& params, const Tree& batch) const {
    const Tensor image = batch["image"];
    Tensor x = reshape(image, {image.dim(0), -1});
    for (std::size_t i = 0; i <= hidden_.size(); ++i) {
      if (i > 0) x = activation_ == "relu" ? relu(x) : activation_ == "tanh" ? tanh(x) : sigmoid(x);
      x = matmul(x, params["w" + std::to_string(i)]) + params["b" + std::to_string(i)];
    }
    return x;
  }
  /// Features, hidden widths, classes.
  std::vector<std::int64_t> layer_widths() const {
    const Values& examples = dataset_->examples(Split::train);
    const Array image = examples["image"], label = examples["label"];
    for (std::int32_t y : label.values<std::int32_t>())
      if (y < 0 || y >= classes_)
        throw DataError("the dataset has the label " + std::to_string(y) + ", but the task mlp_classifier has " +
                        std::to_string(classes_) + " classes (0 to " + std::to_string(classes_ - 1) + ")");
    std::vector<std::int64_t> widths{static_cast<std::int64_t>(image.size()) / image.shape()[0]};
    widths.insert(widths.end(), hidden_.begin(), hidden_.end());
    widths.push_back(classes_);
    return widths;
  }

  std::vector<std::int64_t> hidden_;
  std::string activation_;
  double initial_scale_, output_bias_;
  int classes_, batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(MlpClassifier, "mlp_classifier", {.summary = "A fully connected network that classifies images"})
