#include "../images.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>

#include <cmath>

using namespace lopt;

/// A convolutional network that classifies images: layers of convolution (SAME), [batch norm,] activation, then the
/// mean over the picture and a dense layer; mean softmax cross-entropy over the batch (LeCun et al., 1998). Parameters
/// w0 [kernel, kernel, in, out], b0, …, and w, b of the dense layer; with batch_norm scale0, offset0, …, and running
/// means and variances as the task's state.
class ConvClassifier final : public Task {
 public:
  explicit ConvClassifier(Settings& s)
      : channels_(s.integers("channels", std::vector<std::int64_t>{16, 32})
                      .between(1, 65536)
                      .doc("feature maps of each convolution")),
        strides_(s.integers("strides", std::vector<std::int64_t>{1, 2})
                     .between(1, 1024)
                     .unit("pixels")
                     .doc("of each convolution; the last one holds for those beyond")),
        kernel_(s.integer("kernel", 3).between(1, 1024).unit("pixels").doc("width and height of the windows")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("behind each convolution")),
        batch_norm_(s.boolean("batch_norm", false)
                        .doc("normalize over the batch before the activation; running means judge test examples")),
        initializer_(s.text("initializer", "he").one_of(initializer_names()).doc("of the weights")),
        initial_scale_(s.real("initial_scale", 1).at_least(0).doc("times the initializer's weights")),
        classes_(s.integer("classes", 10).between(2, 65536).doc("number of classes")),
        batch_size_(s.integer("batch_size", 64).between(1, 65536).unit("examples").doc("images a step")),
        dataset_(s.component<Dataset>("dataset", "digits").doc("what is classified")) {}

  Tree init(Key key) const override {
    check_labels(*dataset_, classes_, "conv_classifier");
    const std::vector<Key> keys = split(key, static_cast<int>(channels_.size()) + 1);
    std::int64_t in = image_shape(*dataset_, "conv_classifier")[2];
    Tree params;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      params.set(named("w", i),
                 initial_weights(initializer_, keys[i], {kernel_, kernel_, in, channels_[i]}, initial_scale_));
      params.set(named("b", i), zeros({channels_[i]}));
      in = channels_[i];
      if (!batch_norm_) continue;
      params.set(named("scale", i), ones({in}));
      params.set(named("offset", i), zeros({in}));
    }
    params.set("w", initial_weights(initializer_, keys.back(), {in, classes_}, initial_scale_));
    params.set("b", zeros({classes_}));
    return params;
  }
  Tree init_state(Key) const override {
    Tree state;
    if (batch_norm_)
      for (std::size_t i = 0; i < channels_.size(); ++i) {
        state.set(named("mean", i), zeros({channels_[i]}));
        state.set(named("variance", i), ones({channels_[i]}));
      }
    return state;
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    return cross_entropy(logits(params, batch, nullptr, nullptr), batch["label"]);
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key) const override {
    Tree next = state;
    return {cross_entropy(logits(params, batch, nullptr, &next), batch["label"]), next};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key) const override {
    return cross_entropy(logits(params, batch, &state, nullptr), batch["label"]);
  }
  std::vector<Metric> evaluation_metrics(const Tree& params, const Tree& state, const Tree& batch, Key) const override {
    return {{"accuracy", accuracy(logits(params, batch, &state, nullptr), batch["label"]), true}};
  }
  Tensor normalized(const Tensor& loss) const override { return loss * (1 / std::log(static_cast<double>(classes_))); }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  static std::string named(const char* name, std::size_t layer) { return name + std::to_string(layer); }

  /// By the running statistics, or by those of the batch, which `next` takes up.
  Tensor logits(const Tree& params, const Tree& batch, const Tree* running, Tree* next) const {
    Shape shape = image_shape(*dataset_, "conv_classifier");
    shape.insert(shape.begin(), batch["image"].leaf().dim(0));
    Tensor x = reshape(batch["image"], shape);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      const std::int64_t stride = strides_.empty() ? 1 : strides_[std::min(i, strides_.size() - 1)];
      x = convolution(x, params[named("w", i)], {.stride = {stride, stride}}) + params[named("b", i)];
      if (batch_norm_) {
        const std::string mean = named("mean", i), variance = named("variance", i);
        const BatchStatistics own =
            running ? BatchStatistics{(*running)[mean], (*running)[variance]} : batch_statistics(x);
        if (next) {
          const BatchStatistics now = running_statistics({(*next)[mean], (*next)[variance]}, own);
          next->set(mean, now.mean);
          next->set(variance, now.variance);
        }
        x = batch_norm(x, own, params[named("scale", i)], params[named("offset", i)]);
      }
      x = activation(activation_, x);
    }
    return matmul(mean(x, {1, 2}), params["w"]) + params["b"];
  }

  std::vector<std::int64_t> channels_, strides_;
  int kernel_;
  std::string activation_;
  bool batch_norm_;
  std::string initializer_;
  double initial_scale_;
  int classes_, batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(ConvClassifier, "conv_classifier",
            {.summary = "A convolutional network that classifies images",
             .paper = "LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998"})
