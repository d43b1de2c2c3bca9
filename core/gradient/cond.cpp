// One of two branches: loops of one step each, which runs or does not.
#include "gradient/scan_derivatives.h"

#include <lopt/scan.h>

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

std::vector<Type> types_of(const std::vector<Tensor>& values) {
  std::vector<Type> types;
  for (const Tensor& value : values) types.push_back(value.type());
  return types;
}
void require_same(const std::vector<Type>& a, const std::vector<Type>& b) {
  if (a != b) throw ShapeError("cond: the branches give results of different number, shape or type");
}

/// What a loop carries is float32, which the reference executor computes in doubles: whole numbers are the halves of
/// their bits, which are exact in both.
Tensor as_carry(const Tensor& x) {
  if (x.dtype() == DType::float32) return x;
  const Tensor word = x.dtype() == DType::int32 ? bitcast(x, DType::uint32) : convert(x, DType::uint32);
  const Tensor low = word & full(x.shape(), 0xffff, DType::uint32), high = shift_right(word, 16);
  return convert(concatenate({expand_dims(high, 0), expand_dims(low, 0)}, 0), DType::float32);
}
Tensor as_was(const Tensor& carry, DType dtype) {
  if (dtype == DType::float32) return carry;
  const Tensor halves = convert(carry, DType::uint32);
  const Tensor word = shift_left(at_time(halves, 0), 16) | at_time(halves, 1);
  return dtype == DType::int32 ? bitcast(word, DType::int32) : convert(word, dtype);
}
std::vector<Tensor> as_carries(std::vector<Tensor> values) {
  for (Tensor& x : values) x = as_carry(x);
  return values;
}

/// Whether a branch gives what it gets, and computes nothing.
bool are_among(const std::vector<Tensor>& results, const std::vector<Tensor>& operands) {
  return std::all_of(results.begin(), results.end(), [&](const Tensor& result) {
    return std::any_of(operands.begin(), operands.end(), [&](const Tensor& x) { return x.node() == result.node(); });
  });
}

/// `results`, or what a step of a loop makes of the operands where `count` is not 0.
std::vector<Tensor> run_if(const Tensor& count, const Branch& branch, const std::vector<Tensor>& results,
                           const std::vector<Tensor>& operands) {
  BoundBody bound{.body = {}, .carry = as_carries(results), .sequences = {}, .constants = {}, .count = count};
  ScanBody& body = bound.body;
  for (const Tensor& x : operands) {  // as sequences of one element: what depends on these is computed inside
    bound.sequences.push_back(expand_dims(x, 0));
    body.slices.push_back(make_input("x", x.type()));
  }
  body.carry = inputs_like("result", bound.carry);
  const std::vector<Tensor> made = branch(body.slices);
  require_same(types_of(made), types_of(results));
  body.next = as_carries(made);
  const AppliedLoop applied = apply_loop(std::move(bound));
  std::vector<Tensor> after;
  for (std::size_t i = 0; i < results.size(); ++i)
    after.push_back(as_was(at_time(applied.parts.states[i], 1), results[i].dtype()));
  return after;
}

}  // namespace

std::vector<Tensor> cond(const Tensor& condition, const Branch& if_true, const Branch& if_false,
                         const std::vector<Tensor>& operands) {
  if (condition.dtype() != DType::boolean || condition.rank() != 0)
    throw ShapeError(fmt::format("cond: the condition is {}, not a bool scalar", to_text(condition.type())));
  const std::vector<Type> types = types_of(if_true(operands));
  const Tensor runs = convert(condition, DType::int32);
  const std::vector<Tensor> others = if_false(operands);
  require_same(types_of(others), types);
  if (are_among(others, operands)) return run_if(runs, if_true, others, operands);
  std::vector<Tensor> blank;
  for (const Type& type : types) blank.push_back(zeros(type.shape, type.dtype));
  return run_if(1 - runs, if_false, run_if(runs, if_true, blank, operands), operands);
}

}  // namespace lopt
