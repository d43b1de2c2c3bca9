#include "embed/layout.h"

#include "execute/single.h"
#include "plan/views.h"

namespace lopt {
namespace {

/// The permuted shape, as a window on memory of `shape`.
View permuted_view(const Shape& shape, std::span<const std::size_t> axes) {
  const View from = whole(0, shape);
  View view{0, 0, {}, {}};
  for (const std::size_t axis : axes) {
    view.shape.push_back(from.shape[axis]);
    view.strides.push_back(from.strides[axis]);
  }
  return view;
}

const std::uint32_t* words(const float* values) { return reinterpret_cast<const std::uint32_t*>(values); }
std::uint32_t* words(float* values) { return reinterpret_cast<std::uint32_t*>(values); }

}  // namespace

Shape permuted(const Shape& shape, std::span<const std::size_t> axes) {
  return axes.empty() ? shape : permuted_view(shape, axes).shape;
}

void copy_permuted(const Shape& shape, std::span<const std::size_t> axes, const float* from, float* to,
                   BlockTeam* team) {
  const View view = permuted_view(shape, axes);
  run_copy(copy_between(view, whole(0, view.shape)), words(from), words(to), team);
}

void copy_back(const Shape& shape, std::span<const std::size_t> axes, const float* from, float* to, BlockTeam* team) {
  const View view = permuted_view(shape, axes);
  run_copy(copy_between(whole(0, view.shape), view), words(from), words(to), team);
}

}  // namespace lopt
