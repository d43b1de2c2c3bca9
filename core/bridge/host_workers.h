#pragma once
// Functions of arrays in another language as steps of a program: each is evaluated by a process of its own, of which
// there are as many as threads want one at a time.

#include "bridge/exchange.h"

#include <lopt/primitive.h>

#include <functional>

namespace lopt {

/// What a program carries of such a step: which function of the component it is, and how long its result is. Result and
/// vector-Jacobian product: of `loss` [1 + n] the loss and its gradient, for n parameters, so that the gradient costs
/// nothing more, and is a constant for whoever differentiates again; of others the result, without a derivative.
class HostFunction final : public HostPrimitive {
 public:
  /// `evaluate` may be empty where the program is only described.
  using Evaluate = std::function<void(std::span<const std::span<const float>> inputs, std::span<float> output)>;
  HostFunction(Json settings, Evaluate evaluate) : settings_(std::move(settings)), evaluate_(std::move(evaluate)) {}

  const Json& settings() const { return settings_; }
  std::string name() const override;
  Shape shape(std::span<const Shape> inputs) const override;
  void evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const override;
  std::vector<Tensor> vjp(const std::vector<Tensor>& x, const Tensor& y, const Tensor& dy) const override;

 private:
  Json settings_;  // {"component": …, "function": "loss", "size": 1 + n}
  Evaluate evaluate_;
};

/// The processes that evaluate functions of one component.
class HostWorkers {
 public:
  HostWorkers(std::shared_ptr<Exchange> exchange, Json component);
  ~HostWorkers();
  /// By a process that is free, or a new one. One that ends is replaced, and the value computed again; its end is told
  /// on stderr with its last words. Throws PluginError where the function raises, or three processes end over one
  /// value.
  void evaluate(const Json& settings, std::span<const std::span<const float>> inputs, std::span<float> output);

 private:
  struct Worker;
  std::unique_ptr<Worker> taken();

  std::shared_ptr<Exchange> exchange_;
  Json component_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> free_;
};

}  // namespace lopt
