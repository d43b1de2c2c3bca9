#include <lopt/plugin.h>

#include <string>

using namespace lopt;

namespace {

/// A network with two hidden layers of one width that classifies a dataset's images.
class Network final : public Task {
 public:
  Network(std::int64_t width, std::string activation, int batch_size, std::shared_ptr<const Dataset> dataset)
      : width_(width), activation_(std::move(activation)), batch_size_(batch_size), dataset_(std::move(dataset)) {}

  Tree init(Key key) const override {
    const Array image = dataset_->examples(Split::train)["image"];
    const std::int64_t widths[] = {static_cast<std::int64_t>(image.size()) / image.shape()[0], width_, width_, 10};
    const std::vector<Key> keys = split(key, 3);
    Tree params;
    for (std::size_t i = 0; i < 3; ++i) {
      params.set("w" + std::to_string(i),
                 normal(keys[i], {widths[i], widths[i + 1]}) / sqrt(Tensor(static_cast<double>(widths[i]))));
      params.set("b" + std::to_string(i), zeros({widths[i + 1]}));
    }
    return params;
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    const Tensor image = batch["image"];
    Tensor x = reshape(image, {image.dim(0), -1});
    for (const char* layer : {"0", "1", "2"}) {
      if (layer[0] != '0') x = activation_ == "relu" ? relu(x) : tanh(x);
      x = matmul(x, params["w" + std::string(layer)]) + params["b" + std::string(layer)];
    }
    return mean(-sum(one_hot(batch["label"], 10) * log_softmax(x), {-1}));
  }

  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  std::int64_t width_;
  std::string activation_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

}  // namespace

/// Networks of each width with each activation. An optimizer that is meta-trained on all of them meets parameters of
/// many shapes and gradients of many sizes.
class MlpFamily final : public TaskFamily {
 public:
  explicit MlpFamily(Settings& s) {
    const std::vector<std::int64_t> widths =
        s.integers("widths", std::vector<std::int64_t>{8, 16, 32}).between(1, 65536).doc("of the two hidden layers");
    const int batch_size = s.integer("batch_size", 64).between(1, 65536).unit("examples").doc("images a step");
    const std::shared_ptr<const Dataset> dataset =
        s.component<Dataset>("dataset", "digits").doc("what is classified, into ten classes");
    for (std::int64_t width : widths)
      for (const char* activation : {"relu", "tanh"}) networks_.emplace_back(width, activation, batch_size, dataset);
    if (networks_.empty()) throw std::invalid_argument("`widths` must have at least one width");
  }

  std::size_t size() const override { return networks_.size(); }
  const Task& task(std::size_t index) const override { return networks_[index]; }

 private:
  std::vector<Network> networks_;
};

LOPT_PLUGIN(MlpFamily, "mlp_family", {.summary = "Classifiers of different widths and activations"})
