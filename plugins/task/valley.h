#pragma once
// Functions of a point whose least value is known: no data, only a landscape.

#include <lopt/plugin.h>

#include <numbers>

namespace lopt {

/// A task whose parameters are a point x [dimensions], which starts uniformly in [−range, range].
class Valley : public Task {
 public:
  Valley(Settings& s, double range, int least_dimensions)
      : dimensions_(s.integer("dimensions", 2).between(least_dimensions, 100'000'000).doc("numbers of the point")),
        range_(s.real("range", range).above(0).doc("points start uniformly between −range and range")) {}

  Tree init(Key key) const override { return {{"x", uniform(key, {dimensions_}, -range_, range_)}}; }
  Tensor loss(const Tree& params, const Tree&, Key) const override { return value(params["x"]); }

 protected:
  /// The function at x; 0 where it is least.
  virtual Tensor value(const Tensor& x) const = 0;
  int dimensions() const { return dimensions_; }

 private:
  int dimensions_;
  double range_;
};

}  // namespace lopt
