#include "../images.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>

using namespace lopt;

/// A fully connected network that gives its input back through a narrow layer: mean squared error over batch and pixels
/// (Hinton and Salakhutdinov, 2006). Parameters w0, b0, w1, b1, …; biases start at 0.
class MlpAutoencoder final : public Task {
 public:
  explicit MlpAutoencoder(Settings& s)
      : hidden_(s.integers("hidden", std::vector<std::int64_t>{128, 32, 128})
                    .between(1, 65536)
                    .doc("widths of the hidden layers; the narrowest is the code")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("between the layers")),
        initializer_(s.text("initializer", "fan_in").one_of(initializer_names()).doc("of the weights")),
        initial_scale_(s.real("initial_scale", 1).at_least(0).doc("times the initializer's weights")),
        batch_size_(s.integer("batch_size", 128).between(1, 65536).unit("examples").doc("images a step")),
        dataset_(s.component<Dataset>("dataset", "digits").doc("what is given back")) {}

  Tree init(Key key) const override {
    std::vector<std::int64_t> widths{pixels_of(*dataset_, "mlp_autoencoder")};
    widths.insert(widths.end(), hidden_.begin(), hidden_.end());
    widths.push_back(widths.front());
    const std::vector<Key> keys = split(key, static_cast<int>(widths.size()) - 1);
    Tree params;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      params.set("w" + std::to_string(i),
                 initial_weights(initializer_, keys[i], {widths[i], widths[i + 1]}, initial_scale_));
      params.set("b" + std::to_string(i), zeros({widths[i + 1]}));
    }
    return params;
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    const Tensor image = reshape(batch["image"], {batch["image"].leaf().dim(0), -1});
    return mean(square(dense_network(image, params, activation_) - image));
  }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  std::vector<std::int64_t> hidden_;
  std::string activation_, initializer_;
  double initial_scale_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(
    MlpAutoencoder, "mlp_autoencoder",
    {.summary = "A fully connected network that gives images back through a narrow layer",
     .paper = "Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 2006"})
