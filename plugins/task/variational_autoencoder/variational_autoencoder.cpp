#include "../images.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>

using namespace lopt;

/// A variational autoencoder of images with values from 0 to 1: an encoder gives mean μ and log variance v of a code
/// z ~ N(μ, eᵛ), a decoder the logits of the pixels. The loss is the negative evidence bound in nats a pixel,
///   [−log p(x | z) + ½ Σ (μ² + eᵛ − v − 1)] / pixels,  z = μ + e^(v/2) · ε.
/// Parameters encoder/w0, b0, … and decoder/w0, b0, …; biases start at 0.
class VariationalAutoencoder final : public Task {
 public:
  explicit VariationalAutoencoder(Settings& s)
      : hidden_(s.integers("hidden", std::vector<std::int64_t>{128})
                    .between(1, 65536)
                    .doc("widths of the encoder's hidden layers; the decoder has them in turn")),
        code_(s.integer("code", 16).between(1, 65536).doc("numbers of a code")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("between the layers")),
        batch_size_(s.integer("batch_size", 128).between(1, 65536).unit("examples").doc("images a step")),
        dataset_(s.component<Dataset>("dataset", "digits").doc("what is given back")) {}

  Tree init(Key key) const override {
    const std::int64_t pixels = pixels_of(*dataset_, "variational_autoencoder");
    std::vector<std::int64_t> down{pixels}, up{code_};
    down.insert(down.end(), hidden_.begin(), hidden_.end());
    up.insert(up.end(), hidden_.rbegin(), hidden_.rend());
    down.push_back(2 * static_cast<std::int64_t>(code_));
    up.push_back(pixels);
    return {{"encoder", dense_weights(fold_in(key, 0), down)}, {"decoder", dense_weights(fold_in(key, 1), up)}};
  }

  Tensor loss(const Tree& params, const Tree& batch, Key key) const override {
    const Parts parts = parts_of(params, batch, key);
    return parts.reconstruction + parts.divergence;
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key key) const override {
    const Parts parts = parts_of(params, batch, key);
    return {{"reconstruction", parts.reconstruction}, {"divergence", parts.divergence}};
  }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  struct Parts {
    Tensor reconstruction, divergence;  // nats a pixel
  };
  Parts parts_of(const Tree& params, const Tree& batch, const Key& key) const {
    const Tensor x = reshape(batch["image"], {batch["image"].leaf().dim(0), -1});
    const Tensor code = dense_network(x, params["encoder"], activation_);
    const std::int64_t n = x.dim(0);
    const Tensor mu = slice(code, {0, 0}, {n, code_}), v = slice(code, {0, code_}, {n, 2 * std::int64_t{code_}});
    const Tensor z = mu + exp(0.5 * v) * normal(key, mu.shape());
    const Tensor logits = dense_network(z, params["decoder"], activation_);
    const double scale = 1 / static_cast<double>(x.dim(1));
    return {mean(softplus(logits) - x * logits), mean(sum(square(mu) + exp(v) - v - 1, {1})) * (0.5 * scale)};
  }

  std::vector<std::int64_t> hidden_;
  int code_;
  std::string activation_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(VariationalAutoencoder, "variational_autoencoder",
            {.summary = "A variational autoencoder of images",
             .paper = "Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014",
             .url = "https://arxiv.org/abs/1312.6114"})
