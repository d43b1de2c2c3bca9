#include "trace/primitives/tangents.h"

namespace lopt {

Tensor sum_of_tangents(const Tensor& a, const Tensor& b) { return a && b ? a + b : a ? a : b; }

Tensor diagonal_tangent(const Jvp& j) {
  Tensor dy;
  for (std::size_t i = 0; i < j.dx.size(); ++i) {
    if (!j.dx[i]) continue;
    std::vector<bool> wanted(j.dx.size(), false);
    wanted[i] = true;
    dy = sum_of_tangents(dy, j.y.node()->primitive->vjp({j.dx[i], j.y, j.x, j.attributes, wanted})[i]);
  }
  return dy;
}

Tensor linear_tangent(const Jvp& j) {
  std::vector<Tensor> inputs = j.x;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].dtype() == DType::float32) inputs[i] = j.dx[i] ? j.dx[i] : zeros_like(inputs[i]);
  return apply(*j.y.node()->primitive, std::move(inputs), j.attributes);
}

}  // namespace lopt
