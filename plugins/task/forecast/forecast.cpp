#include "../regression.h"

#include <lopt/scan.h>

using namespace lopt;

/// What comes next in a series, from a window of it: x [n, length, columns] → y [n, targets], by dense layers on the
/// whole window, or by a GRU or LSTM that goes through it and a dense layer on its last state. Parameters of dense
/// layers w0, b0, …; of a cell w [columns + units, 3 or 4 units], b, and w_out, b_out.
class Forecast final : public Task {
 public:
  explicit Forecast(Settings& s)
      : network_(s.text("network", "dense").one_of({"dense", "gru", "lstm"}).doc("what looks at the window")),
        hidden_(s.integers("hidden", std::vector<std::int64_t>{32})
                    .between(1, 65536)
                    .doc("widths of the hidden layers; of a cell its units, one number")),
        activation_(s.text("activation", "relu").one_of(activation_names()).doc("between dense layers")),
        regression_(s, "forecast", "series") {}

  Tree init(Key key) const override {
    const Shape window = regression_.type("x", DType::float32).shape;
    if (window.size() != 2)
      refuse_data(regression_.dataset(),
                  "has an x of shape " + to_text(window) + "; the task forecast wants windows [length, columns]");
    const std::int64_t targets = regression_.targets();
    if (network_ == "dense") {
      std::vector<std::int64_t> widths{window[0] * window[1]};
      widths.insert(widths.end(), hidden_.begin(), hidden_.end());
      widths.push_back(targets);
      return Tree(dense_params(key, widths, "fan_in", 1));
    }
    if (hidden_.size() != 1)
      throw SettingsError("forecast: `hidden` of a " + network_ + " is one number, its units; there are " +
                          std::to_string(hidden_.size()));
    const std::vector<Key> keys = split(key, 2);
    const std::int64_t units = hidden_[0], gates = (network_ == "gru" ? 3 : 4) * units;
    return {{"w", initial_weights("fan_in", keys[0], {window[1] + units, gates})},
            {"b", zeros({gates})},
            {"w_out", initial_weights("fan_in", keys[1], {units, targets})},
            {"b_out", zeros({targets})}};
  }
  Tensor loss(const Tree& params, const Tree& batch, Key) const override {
    return regression_.loss(prediction(params, batch["x"]), batch["y"]);
  }
  std::vector<Metric> metrics(const Tree& params, const Tree& batch, Key) const override {
    return regression_.metrics(prediction(params, batch["x"]), batch["y"]);
  }
  Tensor normalized(const Tensor& loss) const override { return regression_.normalized(loss); }
  Batches batches() const override { return regression_.batches(); }

 private:
  Tensor prediction(const Tree& params, const Tensor& x) const {
    if (network_ == "dense") return dense_of(params, hidden_.size() + 1, activation_, reshape(x, {x.dim(0), -1}));
    const Tensor start = zeros({x.dim(0), hidden_[0]}), w = params["w"], b = params["b"];
    const std::vector<Tensor> through_time{transpose(x, {1, 0, 2})};
    const ScanResult end = network_ == "gru" ? scan(
                                                   [&](const std::vector<Tensor>& h, const std::vector<Tensor>& at) {
                                                     return ScanStep{{gru(at[0], h[0], w, b)}, {}};
                                                   },
                                                   {start}, through_time)
                                             : scan(
                                                   [&](const std::vector<Tensor>& h, const std::vector<Tensor>& at) {
                                                     const RecurrentState state = lstm(at[0], {h[0], h[1]}, w, b);
                                                     return ScanStep{{state.hidden, state.cell}, {}};
                                                   },
                                                   {start, start}, through_time);
    return matmul(end.carry[0], params["w_out"]) + params["b_out"];
  }

  std::string network_;
  std::vector<std::int64_t> hidden_;
  std::string activation_;
  Regression regression_;
};

LOPT_PLUGIN(Forecast, "forecast",
            {.summary = "What comes next in a series: dense layers, a GRU or an LSTM on windows of it"})
