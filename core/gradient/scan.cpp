// Loops over time: one row, whose attribute is a program of its own.
#include "gradient/gradient.h"
#include "gradient/scan_derivatives.h"
#include "trace/reference.h"

#include <lopt/scan.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace lopt {
namespace {

/// Values of a body's outputs, by the rows' reference evaluations.
template <class R>
std::vector<ReferenceValue<R>> evaluate_body(const std::vector<Tensor>& order, const std::vector<Tensor>& outputs,
                                             std::unordered_map<const Node*, ReferenceValue<R>> values) {
  using Call = std::conditional_t<std::is_same_v<R, float>, ReferenceCall32, ReferenceCall64>;
  for (const Tensor& tensor : order) {
    const Node& node = *tensor.node();
    if (values.contains(&node)) continue;
    if (const auto* constant = std::get_if<Constant>(&node.attributes)) {
      values.emplace(&node, reference_value<R>(node.type, constant->value.data()));
      continue;
    }
    Call call{{{}, node.attributes, node.type, {}}};
    for (const Tensor& input : node.inputs) call.inputs.push_back(&values.at(input.node().get()));
    if constexpr (std::is_same_v<R, float>)
      node.primitive->evaluate32(call);
    else
      node.primitive->evaluate64(call);
    values.emplace(&node, std::move(call.result));
  }
  std::vector<ReferenceValue<R>> results;
  for (const Tensor& output : outputs) results.push_back(values.at(output.node().get()));
  return results;
}

/// Element t of a sequence.
template <class R>
ReferenceValue<R> element(const ReferenceValue<R>& sequence, std::int64_t t, const Shape& shape) {
  return std::visit(
      [&](const auto& x) -> ReferenceValue<R> {
        auto result = make_xarray<typename std::decay_t<decltype(x)>::value_type>(shape);
        std::copy_n(x.data() + static_cast<std::size_t>(t) * result.size(), result.size(), result.data());
        return result;
      },
      sequence);
}

const Primitive scan_row = with_reference(
    {.name = "scan",
     .type =
         [](std::span<const Type>, const Attributes& attributes) {
           return Type{DType::float32, {ScanLayout(*std::get<Loop>(attributes).body).size}};
         },
     .vjp = scan_vjp,
     .jvp = scan_jvp,
     .fusion = Fusion::loop},
    []<class R>(ReferenceArguments<R>& call) {
      const ScanBody& body = *std::get<Loop>(call.attributes).body;
      const ScanLayout layout(body);
      auto flat = make_xarray<R>(call.type.shape);
      flat.fill(0);
      const std::vector<Tensor> outputs = body.outputs(), order = nodes_in_order(outputs);
      const std::size_t carries = body.carry.size(), sequences = body.slices.size(), stacked = body.stacked.size();
      auto put = [&](const ReferenceValue<R>& value, std::int64_t first, std::int64_t place) {
        const auto& x = std::get<xt::xarray<R>>(value);
        std::copy_n(x.data(), x.size(), flat.data() + first + place * static_cast<std::int64_t>(x.size()));
      };
      std::vector<ReferenceValue<R>> carry;
      for (std::size_t i = 0; i < carries; ++i) {
        carry.push_back(*call.inputs[i]);
        put(carry.back(), layout.states[i], body.reverse ? body.length : 0);
      }
      const std::int64_t count =
          body.counted ? std::get<xt::xarray<std::int32_t>>(*call.inputs.back()).data()[0] : body.length;
      for (std::int64_t step = 0; step < body.length; ++step) {
        const std::int64_t t = body.reverse ? body.length - 1 - step : step;
        if (t >= count) {
          for (std::size_t i = 0; i < carries; ++i) put(carry[i], layout.states[i], body.reverse ? t : t + 1);
          continue;
        }
        std::unordered_map<const Node*, ReferenceValue<R>> values;
        for (std::size_t i = 0; i < carries; ++i) values.emplace(body.carry[i].node().get(), carry[i]);
        for (std::size_t i = 0; i < sequences; ++i)
          values.emplace(body.slices[i].node().get(), element<R>(*call.inputs[carries + i], t, body.slices[i].shape()));
        for (std::size_t i = 0; i < body.constants.size(); ++i)
          values.emplace(body.constants[i].node().get(), *call.inputs[carries + sequences + i]);
        const std::vector<ReferenceValue<R>> results = evaluate_body<R>(order, outputs, std::move(values));
        for (std::size_t i = 0; i < results.size(); ++i) {
          if (i < carries) {
            carry[i] = results[i];
            put(results[i], layout.states[i], body.reverse ? t : t + 1);
          } else if (i < carries + stacked) {
            put(results[i], layout.stacked[i - carries], t);
          } else {
            const auto& x = std::get<xt::xarray<R>>(results[i]);
            R* total = flat.data() + layout.summed[i - carries - stacked];
            for (std::size_t k = 0; k < x.size(); ++k) total[k] += x.data()[k];
          }
        }
      }
      call.result = std::move(flat);
    });

void check_step(const ScanStep& result, const std::vector<Tensor>& carry) {
  if (result.carry.size() != carry.size())
    throw ShapeError(
        fmt::format("scan: {} carries went into a step, and {} came out", carry.size(), result.carry.size()));
  for (std::size_t i = 0; i < carry.size(); ++i)
    if (result.carry[i].type() != carry[i].type())
      throw ShapeError(fmt::format("scan: carry {} is {} before a step and {} after it", i, to_text(carry[i].type()),
                                   to_text(result.carry[i].type())));
  for (const Tensor& output : result.outputs)
    if (output.dtype() != DType::float32)
      throw ShapeError(fmt::format("scan: outputs are float32, not {}", to_text(output.type())));
}

/// A loop over segments, in each of which the steps run as a loop of their own; a gradient computes each again.
ScanResult scan_in_segments(const ScanFunction& step, std::vector<Tensor> carry, const std::vector<Tensor>& sequences,
                            const ScanOptions& options, std::int64_t length) {
  const auto segment = static_cast<std::int64_t>(std::max(1.0, std::round(std::sqrt(static_cast<double>(length)))));
  const std::int64_t segments = length / segment, rest = length - segments * segment;
  const bool reverse = options.reverse;
  ScanResult result, tail;
  // What does not fill a segment is at the end of time.
  auto run_rest = [&] {
    if (rest == 0) return;
    std::vector<Tensor> parts;
    for (const Tensor& x : sequences) parts.push_back(times(x, length - rest, length));
    tail = scan(step, carry, parts, {.reverse = reverse, .length = rest});
    carry = tail.carry;
  };
  if (reverse) run_rest();
  std::vector<Tensor> grouped;
  for (const Tensor& x : sequences) {
    Shape shape = x.shape();
    shape[0] = segment;
    shape.insert(shape.begin(), segments);
    grouped.push_back(reshape(times(x, 0, segments * segment), shape));
  }
  result = scan(
      [&](const std::vector<Tensor>& at, const std::vector<Tensor>& x) {
        ScanResult inner = scan(step, at, x, {.reverse = reverse, .length = segment});
        return ScanStep{inner.carry, inner.outputs};
      },
      carry, grouped, {.reverse = reverse, .length = segments});
  carry = result.carry;
  if (!reverse) run_rest();
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    Tensor& output = result.outputs[i];
    Shape shape(output.shape().begin() + 1, output.shape().end());
    shape[0] = segments * segment;
    output = reshape(output, shape);
    if (rest > 0) output = concatenate({output, tail.outputs[i]}, 0);
  }
  return {carry, result.outputs};
}

}  // namespace

const Primitive& scan_primitive() { return scan_row; }

ScanResult scan(const ScanFunction& step, const std::vector<Tensor>& carry, const std::vector<Tensor>& sequences,
                const ScanOptions& options) {
  std::int64_t length = options.length;
  for (const Tensor& x : sequences) {
    if (x.rank() < 1) throw ShapeError("scan: a scalar is no sequence");
    if (length == 0) length = x.dim(0);
    if (x.dim(0) != length) throw ShapeError(fmt::format("scan: sequences of {} and {} steps", length, x.dim(0)));
  }
  if (length < 1) throw ShapeError("scan: there is no step to take");
  for (const Tensor& x : carry)
    if (x.dtype() != DType::float32)
      throw ShapeError(fmt::format("scan: carries are float32, not {}", to_text(x.type())));
  if (options.recompute && length > 3) return scan_in_segments(step, carry, sequences, options, length);

  BoundBody bound{.body = {}, .carry = carry, .sequences = sequences, .constants = {}};
  ScanBody& body = bound.body;
  body.length = length;
  body.reverse = options.reverse;
  body.carry = inputs_like("carry", carry);
  for (const Tensor& x : sequences)
    body.slices.push_back(make_input("x", {x.dtype(), Shape(x.shape().begin() + 1, x.shape().end())}));
  ScanStep result = step(body.carry, body.slices);
  check_step(result, carry);
  body.next = std::move(result.carry);
  const std::size_t outputs = result.outputs.size();
  body.stacked = std::move(result.outputs);

  const AppliedLoop applied = apply_loop(std::move(bound));
  ScanResult all;
  for (const Tensor& states : applied.parts.states) all.carry.push_back(at_time(states, options.reverse ? 0 : length));
  all.outputs.assign(applied.parts.stacked.begin(),
                     applied.parts.stacked.begin() + static_cast<std::ptrdiff_t>(outputs));
  return all;
}

}  // namespace lopt
