#pragma once
// Values of the reference executor: xtensor arrays, with float32 or float64 for real numbers.

#include "trace/node.h"

#include <xtensor/xarray.hpp>

#include <algorithm>
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

/// Elements in memory, four bytes each, as a value.
template <class Real>
ReferenceValue<Real> reference_value(const Type& type, const void* data) {
  auto copied = [&]<class To, class From>(To, const From* from) {
    auto result = make_xarray<To>(type.shape);
    std::copy_n(from, result.size(), result.data());
    return ReferenceValue<Real>(std::move(result));
  };
  if (type.dtype == DType::float32) return copied(Real{}, static_cast<const float*>(data));
  if (type.dtype == DType::int32) return copied(std::int32_t{}, static_cast<const std::int32_t*>(data));
  return copied(std::uint32_t{}, static_cast<const std::uint32_t*>(data));
}

}  // namespace lopt
