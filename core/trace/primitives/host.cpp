// Primitives that plugins bring: one row, whose attribute is the plugin's object.
#include "registry/guard.h"
#include "trace/primitives/elementwise.h"

#include <fmt/format.h>

#include <lopt/primitive.h>

namespace lopt {
namespace {

const HostPrimitive& primitive_of(const Attributes& attributes) { return *std::get<HostCall>(attributes).primitive; }

Type host_type(std::span<const Type> inputs, const Attributes& attributes) {
  std::vector<Shape> shapes;
  for (const Type& type : inputs) shapes.push_back(type.shape);
  return {DType::float32, primitive_of(attributes).shape(shapes)};
}

std::vector<Tensor> host_vjp(const Vjp& v) {
  const HostPrimitive& primitive = primitive_of(v.attributes);
  std::vector<Tensor> dx = primitive.vjp(v.x, v.y, v.dy);
  if (dx.size() != v.x.size())
    throw ShapeError(fmt::format("the vector-Jacobian product of the primitive '{}' gives {} gradients for {} inputs",
                                 primitive.name(), dx.size(), v.x.size()));
  for (std::size_t i = 0; i < dx.size(); ++i)
    if (dx[i] && dx[i].type() != v.x[i].type())
      throw ShapeError(
          fmt::format("the vector-Jacobian product of the primitive '{}' gives {} for input {}, which is {}",
                      primitive.name(), to_text(dx[i].type()), i, to_text(v.x[i].type())));
  return dx;
}

/// The vector-Jacobian product Jᵀu is linear in u, so J dx is the gradient of ⟨Jᵀu, dx⟩ there.
Tensor host_jvp(const Jvp& j) {
  const Tensor u = zeros_like(j.y);
  const std::vector<Tensor> products = host_vjp({u, j.y, j.x, j.attributes, std::vector<bool>(j.x.size(), true)});
  Tensor inner = Tensor(0.0);
  for (std::size_t i = 0; i < products.size(); ++i)
    if (j.dx[i] && products[i]) inner = inner + sum(products[i] * j.dx[i]);
  return gradient(inner, std::vector<Tensor>{u})[0];
}

void call_host(const HostPrimitive& primitive, std::span<const std::span<const float>> inputs,
               std::span<float> output) {
  const std::string text = fmt::format("the primitive '{}'", primitive.name());
  const PluginCall running(text, "evaluate()");
  try {
    primitive.evaluate(inputs, output);
  } catch (const std::exception& error) {
    throw PluginError(fmt::format("the primitive '{}' failed in evaluate(): {}", primitive.name(), error.what()));
  }
}

/// On memory as it is.
void call_host_directly(const DirectCall& call) {
  std::vector<std::span<const float>> inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    inputs.emplace_back(static_cast<const float*>(call.inputs[i]),
                        static_cast<std::size_t>(element_count(call.types[i].shape)));
  call_host(primitive_of(call.attributes), inputs,
            {static_cast<float*>(call.output), static_cast<std::size_t>(element_count(call.type.shape))});
}

const Primitive host_row =
    with_reference({.name = "host", .type = host_type, .vjp = host_vjp, .jvp = host_jvp, .direct = call_host_directly},
                   []<class R>(ReferenceArguments<R>& call) {
                     std::vector<std::vector<float>> inputs;
                     for (std::size_t i = 0; i < call.inputs.size(); ++i)
                       inputs.emplace_back(call.real(i).begin(), call.real(i).end());
                     const std::vector<std::span<const float>> spans(inputs.begin(), inputs.end());
                     std::vector<float> output(static_cast<std::size_t>(element_count(call.type.shape)));
                     call_host(primitive_of(call.attributes), spans, output);
                     auto result = make_xarray<R>(call.type.shape);
                     std::copy(output.begin(), output.end(), result.data());
                     call.result = std::move(result);
                   });

}  // namespace

std::vector<Tensor> HostPrimitive::vjp(const std::vector<Tensor>&, const Tensor&, const Tensor&) const {
  throw ShapeError(fmt::format(
      "the primitive '{}' has no vector-Jacobian product; an estimator by evolution strategies needs none for θ",
      name()));
}

Tensor apply(std::shared_ptr<const HostPrimitive> primitive, std::vector<Tensor> inputs) {
  for (const Tensor& input : inputs)
    if (input.dtype() != DType::float32)
      throw ShapeError(fmt::format("{}: {}: float32 was expected", primitive->name(), to_text(input.type())));
  return apply(host_row, std::move(inputs), HostCall{std::move(primitive)});
}

}  // namespace lopt
