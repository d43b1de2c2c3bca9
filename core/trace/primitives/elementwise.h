#pragma once
// Elementwise primitives come from one scalar function each: it makes the reference evaluation and the planned
// executor's loop, which a SIMD kernel of the same name may replace.

#include "trace/primitives/tangents.h"
#include "trace/reference.h"

#include <concepts>
#include <cstring>

namespace lopt {

template <class T>
concept Real = std::floating_point<T>;
template <class T>
concept Integer = std::integral<T>;

/// Calls f with a value of the C++ type that stands for dtype.
template <class RealType, class Function>
void with_type(DType dtype, Function f) {
  if (dtype == DType::float32)
    f(RealType{});
  else if (dtype == DType::int32)
    f(std::int32_t{});
  else
    f(std::uint32_t{});
}

template <class F, class T, std::size_t... i>
auto call_on(F f, const T* const* inputs, std::size_t at, std::index_sequence<i...>) {
  return f(inputs[i][at]...);
}

template <class F, std::size_t arity, class T>
inline constexpr bool takes = []<std::size_t... i>(std::index_sequence<i...>) {
  return std::is_invocable_v<F, decltype((void)i, T{})...>;
}
(std::make_index_sequence<arity>{});

/// out[k] = f(inputs[k]…), where a bool result is stored as uint32.
template <class F, std::size_t arity, class T, class Out>
void apply_elementwise(const void* const* inputs, Out* out, std::size_t n) {
  const T* typed[arity];
  for (std::size_t i = 0; i < arity; ++i) typed[i] = static_cast<const T*>(inputs[i]);
  for (std::size_t k = 0; k < n; ++k)
    out[k] = static_cast<Out>(call_on(F{}, typed, k, std::make_index_sequence<arity>{}));
}

template <class F, class T, std::size_t... i>
auto element_result(std::index_sequence<i...>) {
  using R = std::invoke_result_t<F, decltype((void)i, T{})...>;
  return std::conditional_t<std::is_same_v<R, bool>, std::uint32_t, R>{};
}
template <class F, std::size_t arity, class T>
using ElementwiseResult = decltype(element_result<F, T>(std::make_index_sequence<arity>{}));

template <class F, std::size_t arity>
void elementwise_loop(DType dtype, DType, const void* const* inputs, void* out, std::size_t n) {
  with_type<float>(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (takes<F, arity, T>)
      apply_elementwise<F, arity, T>(inputs, static_cast<ElementwiseResult<F, arity, T>*>(out), n);
  });
}

template <class F, std::size_t arity>
struct ElementwiseReference {
  template <class R>
  void operator()(ReferenceArguments<R>& call) const {
    std::visit(
        [&](const auto& last) {
          using T = typename std::decay_t<decltype(last)>::value_type;
          if constexpr (takes<F, arity, T>) {
            using Out = ElementwiseResult<F, arity, T>;
            const void* inputs[arity];
            for (std::size_t i = 0; i < arity; ++i) inputs[i] = std::get<xt::xarray<T>>(*call.inputs[i]).data();
            auto result = make_xarray<Out>(call.type.shape);
            apply_elementwise<F, arity, T>(inputs, result.data(), result.size());
            call.result = std::move(result);
          }
        },
        *call.inputs.back());
  }
};

using TypeRule = Type (*)(std::span<const Type>, const Attributes&);
using VjpRule = std::vector<Tensor> (*)(const Vjp&);

/// The row of an elementwise primitive of `arity` inputs of one type.
template <std::size_t arity, class F>
constexpr Primitive elementwise(std::string_view name, TypeRule type, VjpRule vjp, F) {
  Primitive row{
      .name = name, .type = type, .vjp = vjp, .jvp = vjp ? diagonal_tangent : nullptr, .fusion = Fusion::elementwise};
  row.loop = &elementwise_loop<F, arity>;
  return with_reference(row, ElementwiseReference<F, arity>{});
}

}  // namespace lopt
