#include "execute/reference.h"

#include "trace/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace lopt {
namespace {

template <class Real>
void to_memory(const ReferenceValue<Real>& value, const Type& type, void* data) {
  std::visit(
      [&](const auto& x) {
        using T = typename std::decay_t<decltype(x)>::value_type;
        using Stored = std::conditional_t<std::is_floating_point_v<T>, float, T>;
        if (static_cast<std::int64_t>(x.size()) != element_count(type.shape))
          throw std::logic_error("the reference executor made a value of another shape");
        std::transform(x.data(), x.data() + x.size(), static_cast<Stored*>(data),
                       [](T e) { return static_cast<Stored>(e); });
      },
      value);
}

template <class Real>
ReferenceValue<Real> evaluate(const Operation& operation, std::vector<const ReferenceValue<Real>*> inputs) {
  using Call = std::conditional_t<std::is_same_v<Real, float>, ReferenceCall32, ReferenceCall64>;
  Call call{{std::move(inputs), operation.attributes, operation.type, {}}};
  auto rule = [&] {
    if constexpr (std::is_same_v<Real, float>)
      return operation.primitive->evaluate32;
    else
      return operation.primitive->evaluate64;
  }();
  rule(call);
  return std::move(call.result);
}

/// Values of a program, each dropped after its last use.
template <class Real>
std::vector<ReferenceValue<Real>> run(const Program& program, std::vector<ReferenceValue<Real>> inputs) {
  std::vector<ReferenceValue<Real>> values(program.operations.size());
  std::vector<std::size_t> uses(values.size(), 0);
  for (const Operation& operation : program.operations)
    for (ValueId input : operation.inputs) ++uses[input];
  for (ValueId output : program.outputs) ++uses[output];
  for (std::size_t i = 0; i < inputs.size(); ++i) values[program.inputs[i]] = std::move(inputs[i]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Operation& operation = program.operations[i];
    if (operation.primitive == &input_primitive) continue;
    if (const auto* constant = std::get_if<Constant>(&operation.attributes)) {
      values[i] = reference_value<Real>(operation.type, constant->value.data());
      continue;
    }
    std::vector<const ReferenceValue<Real>*> arguments;
    for (ValueId input : operation.inputs) arguments.push_back(&values[input]);
    values[i] = evaluate<Real>(operation, std::move(arguments));
    for (ValueId input : operation.inputs)
      if (--uses[input] == 0) values[input] = xt::xarray<Real>();
  }
  std::vector<ReferenceValue<Real>> results;
  for (ValueId output : program.outputs) results.push_back(values[output]);
  return results;
}

template <class Real>
std::vector<Array> evaluate_program(const Program& program, std::span<const Array> inputs) {
  std::vector<ReferenceValue<Real>> values;
  for (const Array& input : inputs) values.push_back(reference_value<Real>(input.type(), input.data()));
  std::vector<ReferenceValue<Real>> results = run<Real>(program, std::move(values));
  std::vector<Array> arrays;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Type& type = program.type(program.outputs[i]);
    arrays.emplace_back(type);
    to_memory<Real>(results[i], type, arrays.back().mutable_data());
  }
  return arrays;
}

void check_count(const Program& program, std::size_t count) {
  if (count != program.inputs.size())
    throw std::invalid_argument(fmt::format("{} takes {} inputs, not {}", program.name, program.inputs.size(), count));
}

}  // namespace

std::vector<Array> evaluate_reference(const Program& program, std::span<const Array> inputs, Precision precision) {
  check_count(program, inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].type() != program.type(program.inputs[i]))
      throw std::invalid_argument(fmt::format("{}: input {} is {}, not {}", program.name, i, to_text(inputs[i].type()),
                                              to_text(program.type(program.inputs[i]))));
  return precision == Precision::float32 ? evaluate_program<float>(program, inputs)
                                         : evaluate_program<double>(program, inputs);
}

std::vector<std::vector<double>> evaluate_float64(const Program& program, std::span<const std::vector<double>> inputs) {
  check_count(program, inputs.size());
  std::vector<ReferenceValue<double>> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Type& type = program.type(program.inputs[i]);
    auto converted = [&]<class T>(T) {
      auto array = make_xarray<T>(type.shape);
      std::transform(inputs[i].begin(), inputs[i].end(), array.data(), [](double x) { return static_cast<T>(x); });
      return ReferenceValue<double>(std::move(array));
    };
    values.push_back(type.dtype == DType::float32 ? converted(double{})
                     : type.dtype == DType::int32 ? converted(std::int32_t{})
                                                  : converted(std::uint32_t{}));
  }
  std::vector<std::vector<double>> results;
  for (const ReferenceValue<double>& value : run<double>(program, std::move(values)))
    std::visit([&](const auto& x) { results.emplace_back(x.begin(), x.end()); }, value);
  return results;
}

void evaluate_operation(const Operation& operation, std::span<const Type> types, std::span<const void* const> inputs,
                        void* output) {
  std::vector<ReferenceValue<float>> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) values.push_back(reference_value<float>(types[i], inputs[i]));
  std::vector<const ReferenceValue<float>*> arguments;
  for (const auto& value : values) arguments.push_back(&value);
  to_memory<float>(evaluate<float>(operation, std::move(arguments)), operation.type, output);
}

}  // namespace lopt
