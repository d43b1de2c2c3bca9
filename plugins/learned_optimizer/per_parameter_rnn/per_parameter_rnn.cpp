#include "../step_size.h"

using namespace lopt;

namespace {

struct Form {
  Features features;
  bool is_lstm;
  std::int64_t hidden;
  StepMultipliers multipliers;
};

/// h ← cell(features, h) for each parameter;  (o0, o1) = h·w1 + b1;  p ← p − o0 · step_multiplier · e^(exp_multiplier ·
/// o1).
class Update final : public Optimizer {
 public:
  Update(Tree theta, Form form) : theta_(std::move(theta)), form_(std::move(form)) {}

  Tree init(const Tree& params, const InitContext&) const override {
    const Tree hidden = map(
        [&](const Tensor& p) {
          Shape shape = p.shape();
          shape.push_back(form_.hidden);
          return zeros(shape);
        },
        params);
    Tree state{{"params", params}, {"accumulators", form_.features.start(params)}, {"hidden", hidden}};
    if (form_.is_lstm) state.set("cell", hidden);
    return state;
  }

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    const Tree accumulators = form_.features.next(state["accumulators"], grads, context);
    const auto features = form_.features.of(state["params"], grads, accumulators, context);
    const std::vector<Tensor> p = state["params"].leaves(), hidden = state["hidden"].leaves();
    const std::vector<Tensor> cells = form_.is_lstm ? state["cell"].leaves() : hidden;
    std::vector<Tensor> next_p, next_hidden, next_cell;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const RecurrentState next = stepped(features[i], {hidden[i], cells[i]});
      const Tensor out = matmul(next.hidden, theta_["w1"]) + theta_["b1"];
      next_p.push_back(p[i] - form_.multipliers.step_of(out));
      next_hidden.push_back(next.hidden);
      next_cell.push_back(next.cell);
    }
    Tree result{{"params", grads.with_leaves<Tensor>(next_p)},
                {"accumulators", accumulators},
                {"hidden", grads.with_leaves<Tensor>(next_hidden)}};
    if (form_.is_lstm) result.set("cell", grads.with_leaves<Tensor>(next_cell));
    return result;
  }

  Tree params(const Tree& state) const override { return state["params"]; }

 private:
  RecurrentState stepped(const Features::OfTensor& features, const RecurrentState& state) const {
    Tensor x = clamp(stack(features.own, -1), -most_feature, most_feature);
    if (features.shared) {
      Shape shape = x.shape();
      shape.back() = features.shared.dim(0);
      x = concatenate({x, broadcast_to(features.shared, shape)}, -1);
    }
    if (form_.is_lstm) return lstm(x, state, theta_["w0"], theta_["b0"]);
    return {gru(x, state.hidden, theta_["w0"], theta_["b0"]), {}};
  }

  Tree theta_;
  Form form_;
};

}  // namespace

/// A recurrent network for each parameter, with one set of weights for all (Andrychowicz et al., 2016): it remembers
/// what it has seen of its parameter.
class PerParameterRnn final : public LearnedOptimizer {
 public:
  explicit PerParameterRnn(Settings& s)
      : form_{Features(s, {"normalized parameter", "normalized momentum", "normalized gradient"}),
              std::string(s.text("cell", "gru").one_of({"gru", "lstm"}).doc("the recurrent cell")) == "lstm",
              s.integer("hidden", 16).between(1, 1024).doc("units that each parameter has"), StepMultipliers(s)} {}

  Tree init(Key key) const override {
    const std::vector<Key> keys = split(key, 2);
    const std::int64_t gates = (form_.is_lstm ? 4 : 3) * form_.hidden;
    return {{"w0", fan_in_weights(keys[0], form_.features.count() + form_.hidden, gates)},
            {"b0", zeros({gates})},
            {"w1", fan_in_weights(keys[1], form_.hidden, 2)},
            {"b1", zeros({2})}};
  }

  std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const override { return std::make_unique<Update>(theta, form_); }

 private:
  Form form_;
};

LOPT_PLUGIN(PerParameterRnn, "per_parameter_rnn",
            {.summary = "A GRU or LSTM for each parameter, with the same weights for all",
             .paper = "Andrychowicz et al., Learning to learn by gradient descent by gradient descent, NeurIPS 2016",
             .url = "https://arxiv.org/abs/1606.04474"})
