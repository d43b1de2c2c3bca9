#pragma once
// Values of the reference executor: xtensor arrays, with float32 or float64 for real numbers.

#include "trace/node.h"

#include <xtensor/xarray.hpp>

#include <variant>

namespace lopt {

/// bool is kept as uint32, 0 or 1.
template <class Real>
using ReferenceValue = std::variant<xt::xarray<Real>, xt::xarray<std::int32_t>, xt::xarray<std::uint32_t>>;

/// One evaluation of a primitive.
template <class Real>
struct ReferenceArguments {
  std::vector<const ReferenceValue<Real>*> inputs;
  const Attributes& attributes;
  const Type& type;  // of the result
  ReferenceValue<Real> result;

  /// Input i as real numbers.
  const xt::xarray<Real>& real(std::size_t i) const { return std::get<xt::xarray<Real>>(*inputs[i]); }
};
class ReferenceCall32 : public ReferenceArguments<float> {};
class ReferenceCall64 : public ReferenceArguments<double> {};

/// Sets both evaluations of a row from one generic function of ReferenceArguments<Real>&.
template <class Function>
constexpr Primitive with_reference(Primitive row, Function) {
  row.evaluate32 = [](ReferenceCall32& call) { Function{}(static_cast<ReferenceArguments<float>&>(call)); };
  row.evaluate64 = [](ReferenceCall64& call) { Function{}(static_cast<ReferenceArguments<double>&>(call)); };
  return row;
}

/// An xtensor array of a shape.
template <class T>
xt::xarray<T> make_xarray(const Shape& shape) {
  return xt::xarray<T>(typename xt::xarray<T>::shape_type(shape.begin(), shape.end()));
}

}  // namespace lopt
