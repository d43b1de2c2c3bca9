#include "../characters.h"

#include <lopt/networks.h>
#include <lopt/plugin.h>
#include <lopt/scan.h>

using namespace lopt;

/// A recurrent network that predicts the next character: embedding, GRU or LSTM, dense; mean softmax cross-entropy over
/// batch and time, in nats a character. The GRU's reset stands behind the product (as in cuDNN and PyTorch), so that a
/// step has one product:
///   z, r = σ(a_z + h·u_z), σ(a_r + h·u_r), h ← (1 − z)·h + z·tanh(a_c + r·(h·u_c)), a = x·w + b.
/// Parameters embedding [alphabet, embedding], w [embedding, 3 or 4 hidden], u [hidden, 3 or 4 hidden], b, and w_out,
/// b_out of the dense layer.
class CharRnn final : public Task {
 public:
  explicit CharRnn(Settings& s)
      : embedding_(s.integer("embedding", 32).between(1, 65536).doc("numbers that stand for a character")),
        hidden_(s.integer("hidden", 64).between(1, 65536).doc("units of the cell")),
        cell_(s.text("cell", "gru").one_of({"gru", "lstm"}).doc("what goes through time")),
        recompute_(s.boolean("recompute", false).doc("keep few states for the gradient, and compute the rest again")),
        batch_size_(s.integer("batch_size", 32).between(1, 65536).unit("sequences").doc("a step")),
        dataset_(s.component<Dataset>("dataset", "text").doc("what is read")) {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key, 4);
    const std::int64_t alphabet = alphabet_of(*dataset_), gates = (cell_ == "gru" ? 3 : 4) * std::int64_t{hidden_};
    return {{"embedding", normal(keys[0], {alphabet, embedding_})},
            {"w", initial_weights("fan_in", keys[1], {embedding_, gates})},
            {"u", initial_weights("fan_in", keys[2], {hidden_, gates})},
            {"b", zeros({gates})},
            {"w_out", initial_weights("fan_in", keys[3], {hidden_, alphabet})},
            {"b_out", zeros({alphabet})}};
  }

  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    const auto [read, next] = read_and_next(batch);
    const Tensor characters = embedding(params["embedding"], transpose(read)), start = zeros({read.dim(0), hidden_});
    // What comes from the characters, for all times in one product: [time, n, hidden] for each gate. Gates are apart,
    // so that a step neither cuts nor joins.
    std::vector<Tensor> gates, u;
    for (std::int64_t i = 0; i < (cell_ == "gru" ? 3 : 4); ++i) {
      const Tensor bias = slice(params["b"], {i * hidden_}, {(i + 1) * hidden_});
      gates.push_back(matmul(characters, part(params["w"], i)) + bias);
      u.push_back(part(params["u"], i));
    }
    const ScanOptions options{.recompute = recompute_};
    const ScanResult states = cell_ == "gru" ? scan(
                                                   [&](const std::vector<Tensor>& h, const std::vector<Tensor>& a) {
                                                     const Tensor next_state = gru_step(a, h[0], u);
                                                     return ScanStep{{next_state}, {next_state}};
                                                   },
                                                   {start}, gates, options)
                                             : scan(
                                                   [&](const std::vector<Tensor>& h, const std::vector<Tensor>& a) {
                                                     const RecurrentState state = lstm_step(a, {h[0], h[1]}, u);
                                                     return ScanStep{{state.hidden, state.cell}, {state.hidden}};
                                                   },
                                                   {start, start}, gates, options);
    const Tensor logits = matmul(states.outputs[0], params["w_out"]) + params["b_out"];
    return cross_entropy(logits, transpose(next));
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key key) const override {
    return {bits_a_character(loss(params, batch, key))};
  }
  Tensor normalized(const Tensor& loss) const override {
    return loss * (1 / std::log(static_cast<double>(alphabet_of(*dataset_))));
  }
  Batches batches() const override { return {dataset_, batch_size_}; }

 private:
  /// The columns of a gate.
  Tensor part(const Tensor& weights, std::int64_t gate) const {
    return slice(weights, {0, gate * hidden_}, {weights.dim(0), (gate + 1) * hidden_});
  }
  static Tensor gru_step(const std::vector<Tensor>& a, const Tensor& h, const std::vector<Tensor>& u) {
    const Tensor update = sigmoid(a[0] + matmul(h, u[0])), reset = sigmoid(a[1] + matmul(h, u[1]));
    return (1 - update) * h + update * tanh(a[2] + reset * matmul(h, u[2]));
  }
  static RecurrentState lstm_step(const std::vector<Tensor>& a, const RecurrentState& state,
                                  const std::vector<Tensor>& u) {
    const auto gate = [&](std::size_t i) { return a[i] + matmul(state.hidden, u[i]); };
    const Tensor cell = sigmoid(gate(2) + 1) * state.cell + sigmoid(gate(0)) * tanh(gate(1));
    return {sigmoid(gate(3)) * tanh(cell), cell};
  }

  int embedding_, hidden_;
  std::string cell_;
  bool recompute_;
  int batch_size_;
  std::shared_ptr<const Dataset> dataset_;
};

LOPT_PLUGIN(CharRnn, "char_rnn",
            {.summary = "A GRU or LSTM that predicts the next character of a text",
             .paper = "Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014",
             .url = "https://arxiv.org/abs/1406.1078"})
