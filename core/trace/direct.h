#pragma once
// Primitives whose rule is a loop over memory: one function makes both reference evaluations and the planned executor's
// kernel.

#include "trace/primitives/elementwise.h"

namespace lopt {

/// Elements of input i, of the C++ type that stands for it.
template <class T>
const T* input_of(const DirectCall& call, std::size_t i) {
  return static_cast<const T*>(call.inputs[i]);
}
template <class T>
T* output_of(const DirectCall& call) {
  return static_cast<T*>(call.output);
}

/// Sets the evaluations of a row from Function{}.operator()<Real>(call), where Real stands for float32.
template <class Function>
constexpr Primitive with_direct(Primitive row, Function) {
  row.direct = [](const DirectCall& call) { Function{}.template operator()<float>(call); };
  return with_reference(row, []<class R>(ReferenceArguments<R>& call) {
    std::vector<const void*> inputs;
    std::vector<Type> types;
    for (const ReferenceValue<R>* input : call.inputs)
      std::visit(
          [&](const auto& x) {
            using T = typename std::decay_t<decltype(x)>::value_type;
            inputs.push_back(x.data());
            types.push_back({std::is_same_v<T, R>              ? DType::float32
                             : std::is_same_v<T, std::int32_t> ? DType::int32
                                                               : DType::uint32,
                             Shape(x.shape().begin(), x.shape().end())});
          },
          *input);
    with_type<R>(call.type.dtype, [&](auto zero) {
      auto result = make_xarray<decltype(zero)>(call.type.shape);
      Function{}.template operator()<R>(DirectCall{inputs, types, call.attributes, call.type, result.data()});
      call.result = std::move(result);
    });
  });
}

}  // namespace lopt
