#pragma once
#include <lopt/plugin.h>

/// A task that is right: what some of the plugins of this folder are made of.
class Bowl : public lopt::Task {
 public:
  Bowl() = default;
  explicit Bowl(lopt::Settings&) {}
  lopt::Tree init(lopt::Key key) const override { return {{"p", normal(key, {4})}}; }
  lopt::Tensor loss(const lopt::Tree& params, const lopt::Tree&, lopt::Key) const override {
    return sum(square(params["p"] - 1.0));
  }
};
