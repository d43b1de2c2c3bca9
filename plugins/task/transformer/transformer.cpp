#include "../characters.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>

using namespace lopt;

/// A decoder that predicts the next character: embeddings of characters and places, blocks of causal attention and a
/// feed-forward layer (gelu), each behind a layer norm and added to what it got, a last norm and a dense layer; mean
/// softmax cross-entropy over batch and time, in nats a character.
/// Parameters embedding [alphabet, width], places [length, width]; block0/…: scale0, offset0, qkv [width, 3 width],
/// out [width, width], scale1, offset1, w0 [width, feed_forward], b0, w1, b1; scale, offset, head [width, alphabet].
class Transformer final : public Task {
 public:
  explicit Transformer(Settings& s)
      : blocks_(s.integer("blocks", 2).between(1, 1000).doc("attention and feed-forward layers")),
        width_(s.integer("width", 64).between(1, 65536).doc("numbers that stand for a character")),
        heads_(s.integer("heads", 4).between(1, 65536).doc("of the attention; they divide the width")),
        feed_forward_(s.integer("feed_forward", 256).between(1, 262144).doc("units of the feed-forward layers")),
        dropout_(s.real("dropout", 0)
                     .at_least(0)
                     .below(1)
                     .doc("share of what a block adds that a training step leaves out")),
        batch_size_(s.integer("batch_size", 16).between(1, 65536).unit("sequences").doc("a step")),
        dataset_(s.component<Dataset>("dataset", "text").doc("what is read")) {}

  Tree init(Key key) const override {
    const std::int64_t alphabet = alphabet_of(*dataset_), length = length_of(*dataset_), width = width_;
    std::uint32_t next = 0;
    const auto weights = [&](std::int64_t in, std::int64_t out) {
      return initial_weights("fan_in", fold_in(key, next++), {in, out});
    };
    Tree params{{"embedding", normal(fold_in(key, next++), {alphabet, width}) * 0.1},
                {"places", normal(fold_in(key, next++), {length, width}) * 0.1}};
    for (int i = 0; i < blocks_; ++i)
      params.set("block" + std::to_string(i), {{"scale0", ones({width})},
                                               {"offset0", zeros({width})},
                                               {"qkv", weights(width, 3 * width)},
                                               {"out", weights(width, width)},
                                               {"scale1", ones({width})},
                                               {"offset1", zeros({width})},
                                               {"w0", weights(width, feed_forward_)},
                                               {"b0", zeros({feed_forward_})},
                                               {"w1", weights(feed_forward_, width)},
                                               {"b1", zeros({width})}});
    params.set("scale", ones({width}));
    params.set("offset", zeros({width}));
    params.set("head", weights(width, alphabet));
    return params;
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override { return loss_of(params, batch, nullptr); }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    return {loss_of(params, batch, &key), state};
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key key) const override {
    return {bits_a_character(loss(params, batch, key))};
  }
  Tensor normalized(const Tensor& loss) const override {
    return loss * (1 / std::log(static_cast<double>(alphabet_of(*dataset_))));
  }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  Tensor loss_of(const Tree& params, const Tree& batch, const Key* dropout_key) const {
    const auto [read, next] = read_and_next(batch);
    const std::int64_t width = width_;
    std::uint32_t drops = 0;
    const auto dropped = [&](const Tensor& x) {
      return dropout_key ? dropout(fold_in(*dropout_key, drops++), x, dropout_) : x;
    };
    Tensor x = embedding(params["embedding"], read) + params["places"];
    for (int i = 0; i < blocks_; ++i) {
      const Tree& block = params["block" + std::to_string(i)];
      const Tensor all = matmul(layer_norm(x, block["scale0"], block["offset0"]), block["qkv"]);
      const auto part = [&](std::int64_t index) {
        return slice(all, {0, 0, index * width}, {all.dim(0), all.dim(1), (index + 1) * width});
      };
      x = x + dropped(matmul(multi_head_attention(part(0), part(1), part(2), heads_, true), block["out"]));
      const Tensor hidden = gelu(matmul(layer_norm(x, block["scale1"], block["offset1"]), block["w0"]) + block["b0"]);
      x = x + dropped(matmul(hidden, block["w1"]) + block["b1"]);
    }
    return cross_entropy(matmul(layer_norm(x, params["scale"], params["offset"]), params["head"]), next);
  }

  int blocks_, width_, heads_, feed_forward_;
  double dropout_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(Transformer, "transformer",
            {.summary = "A decoder with attention that predicts the next character of a text",
             .paper = "Vaswani et al., Attention is all you need, NeurIPS 2017",
             .url = "https://arxiv.org/abs/1706.03762"})
