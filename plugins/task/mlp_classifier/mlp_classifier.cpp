#include "../images.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// A fully connected network that classifies images: mean softmax cross-entropy over the batch.
/// Parameters w0, b0, w1, b1, …: weights by the initializer times initial_scale, hidden biases 0, output biases
/// output_bias; with layer_norm, scale0 and offset0 of the first hidden layer, and so on.
class MlpClassifier final : public Task {
 public:
  explicit MlpClassifier(Settings& s)
      : hidden_(
            s.integers("hidden", std::vector<std::int64_t>{128}).between(1, 65536).doc("widths of the hidden layers")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("between the layers")),
        layer_norm_(s.boolean("layer_norm", false).doc("normalize each hidden layer before its activation")),
        dropout_(
            s.real("dropout", 0).at_least(0).below(1).doc("share of hidden units that a training step leaves out")),
        initializer_(s.text("initializer", "normal").one_of(initializer_names()).doc("of the weights")),
        initial_scale_(s.real("initial_scale", 0.02).at_least(0).doc("times the initializer's weights")),
        output_bias_(s.real("output_bias", 1).doc("initial value of the last layer's biases")),
        classes_(s.integer("classes", 10).between(2, 65536).doc("number of classes")),
        batch_size_(s.integer("batch_size", 128).between(1, 65536).unit("examples").doc("images a step")),
        dataset_(s.component<Dataset>("dataset", "digits").doc("what is classified")) {}

  Tree init(Key key) const override {
    check_labels(*dataset_, classes_, "mlp_classifier");
    std::vector<std::int64_t> widths{pixels_of(*dataset_, "mlp_classifier")};
    widths.insert(widths.end(), hidden_.begin(), hidden_.end());
    widths.push_back(classes_);
    const std::vector<Key> keys = split(key, static_cast<int>(widths.size()) - 1);
    std::vector<Tree::Entry> params;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      const bool last = i + 2 == widths.size();
      params.emplace_back(named("w", i),
                          initial_weights(initializer_, keys[i], {widths[i], widths[i + 1]}, initial_scale_));
      params.emplace_back(named("b", i), full({widths[i + 1]}, last ? output_bias_ : 0));
      if (!layer_norm_ || last) continue;
      params.emplace_back(named("scale", i), ones({widths[i + 1]}));
      params.emplace_back(named("offset", i), zeros({widths[i + 1]}));
    }
    return Tree(std::move(params));
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    return cross_entropy(logits(params, batch["image"], nullptr), batch["label"]);
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return {cross_entropy(logits(params, batch["image"], &key), batch["label"]), state};
  }

  /// Accuracy: the share of images whose own class has the largest logit.
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    return {{"accuracy", accuracy(logits(params, batch["image"], nullptr), batch["label"]), true}};
  }
  Tensor normalized(const Tensor& loss) const override { return loss * (1 / std::log(static_cast<double>(classes_))); }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  static std::string named(const char* name, std::size_t layer) { return name + std::to_string(layer); }

  /// `dropout`: the key that says which units are left out; null: none is.
  Tensor logits(const Tree& params, const Tensor& image, const Key* dropout_key) const {
    Tensor x = reshape(image, {image.dim(0), -1});
    for (std::size_t i = 0; i <= hidden_.size(); ++i) {
      x = matmul(x, params[named("w", i)]) + params[named("b", i)];
      if (i == hidden_.size()) break;
      if (layer_norm_) x = layer_norm(x, params[named("scale", i)], params[named("offset", i)]);
      x = activation(activation_, x);
      if (dropout_key) x = dropout(fold_in(*dropout_key, static_cast<std::uint32_t>(i)), x, dropout_);
    }
    return x;
  }

  std::vector<std::int64_t> hidden_;
  std::string activation_;
  bool layer_norm_;
  double dropout_;
  std::string initializer_;
  double initial_scale_, output_bias_;
  int classes_, batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(MlpClassifier, "mlp_classifier", {.summary = "A fully connected network that classifies images"})
