#pragma once
// Loss curves as a picture.

#include <string>
#include <vector>

namespace lopt {

struct Curve {
  std::string label;
  std::vector<float> values;               // those that are not finite, or far above where it began, count as diverged
  int first = 0, every = 1;                // the step of the first value, and how many steps lie between two
  std::vector<float> low = {}, high = {};  // the spread around the values, where there is one
  double step(std::size_t index) const { return first + static_cast<double>(index) * every; }
};

/// SVG with axes, units and a legend. A curve of many values is drawn faint under its running mean; its spread is
/// shaded. One that diverges ends with a cross, and its legend says at which step. `log`: of the losses, where all are
/// above 0.
std::string curves_svg(const std::string& title, const std::string& x_label, const std::string& y_label,
                       const std::vector<Curve>& curves, bool log = false);

}  // namespace lopt
