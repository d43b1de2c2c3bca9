#pragma once
// A task whose loss is a function of another task's.

#include <lopt/plugin.h>

namespace lopt {

class ChangedLoss : public TaskWrapper {
 public:
  using TaskWrapper::TaskWrapper;
  Tensor loss(const Tree& params, const Tree& batch, Key key) const final {
    return changed(inner().loss(params, batch, key));
  }
  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const final {
    const TrainingLoss own = inner().training_loss(params, state, batch, key);
    return {changed(own.loss), own.state};
  }
  Tensor evaluation_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const final {
    return changed(inner().evaluation_loss(params, state, batch, key));
  }

 private:
  virtual Tensor changed(const Tensor& loss) const = 0;
};

}  // namespace lopt
