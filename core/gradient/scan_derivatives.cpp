#include "gradient/scan_derivatives.h"

#include "gradient/gradient.h"

#include <algorithm>
#include <utility>

namespace lopt {
namespace {

void append(std::vector<Tensor>& to, const std::vector<Tensor>& more) { to.insert(to.end(), more.begin(), more.end()); }

/// What the loop forth stacked of its products, so that derivatives need not compute them again.
std::vector<Tensor> kept_products(const ScanBody& forth) {
  return {forth.stacked.end() - static_cast<std::ptrdiff_t>(forth.products), forth.stacked.end()};
}

}  // namespace

AppliedLoop apply_loop(BoundBody loop) {
  close_body(loop);
  std::vector<Tensor> inputs = loop.carry;
  append(inputs, loop.sequences);
  append(inputs, loop.constants);
  loop.body.counted = static_cast<bool>(loop.count);
  if (loop.count) inputs.push_back(loop.count);
  const auto body = std::make_shared<const ScanBody>(loop.body);
  const Tensor flat = apply(scan_primitive(), inputs, Loop{body});
  return {*body, flat, parts_of(*body, flat)};
}

Tensor at_time(const Tensor& x, std::int64_t t) { return take(x, t, 0); }

Tensor times(const Tensor& x, std::int64_t first, std::int64_t end) {
  Shape start(x.shape().size(), 0), stop = x.shape();
  start[0] = first;
  stop[0] = end;
  return slice(x, start, stop);
}

std::vector<Tensor> inputs_like(std::string_view name, const std::vector<Tensor>& values) {
  std::vector<Tensor> result;
  for (const Tensor& value : values) result.push_back(make_input(std::string(name), value.type()));
  return result;
}

namespace {

/// With (s', y, z) = step(s, x, c) the loop back carries ds' = d loss / d s', and at each time computes
///   (ds, dx, dc) = (ds', dy, dz)ᵀ ∂step(s, x, c), ds += the cotangent that the state s got from outside;
/// dx are stacked, dc summed. States and products come from the loop forth.
class LoopBack {
 public:
  explicit LoopBack(const Vjp& v)
      : v_(v),
        forth_(*std::get<Loop>(v.attributes).body),
        carries_(forth_.carry.size()),
        sequences_(forth_.slices.size()),
        d_state_(inputs_like("d_state", forth_.next)),
        d_stacked_(inputs_like("d_stacked", forth_.stacked)),
        d_summed_(inputs_like("d_summed", forth_.summed)),
        kept_(kept_products(forth_)),
        products_(inputs_like("product", kept_)) {
    back_.body.length = forth_.length;
    back_.body.reverse = !forth_.reverse;
    back_.body.carry = inputs_like("d_next", forth_.next);
  }

  /// What the loop computes at each time.
  void differentiate() {
    ScanBody& body = back_.body;
    std::vector<Tensor> outgoing = body.carry, wanted = forth_.carry;
    append(outgoing, d_stacked_);
    append(outgoing, d_summed_);
    std::vector<std::size_t> which_slices, which_constants;
    for (std::size_t i = 0; i < sequences_ + forth_.constants.size(); ++i) {
      const Tensor& x = i < sequences_ ? forth_.slices[i] : forth_.constants[i - sequences_];
      if (x.dtype() != DType::float32 || !v_.wanted[carries_ + i]) continue;
      (i < sequences_ ? which_slices : which_constants).push_back(i);
      wanted.push_back(x);
    }
    std::vector<Tensor> slopes = vector_jacobian(forth_.outputs(), outgoing, wanted);
    auto slope = slopes.begin();
    for (std::size_t i = 0; i < carries_; ++i, ++slope)
      body.next.push_back(*slope ? *slope + d_state_[i] : d_state_[i]);
    for (const std::size_t i : which_slices)
      if (const Tensor& d = *slope++) {
        stacked_.emplace_back(carries_ + i, body.stacked.size());
        body.stacked.push_back(d);
      }
    for (const std::size_t i : which_constants)
      if (const Tensor& d = *slope++) {
        summed_.emplace_back(carries_ + i, body.summed.size());
        body.summed.push_back(d);
      }
    // Products of the loop forth are read, not computed again.
    std::unordered_map<const Node*, Tensor> with;
    std::vector<Tensor> inputs = forth_.inputs();
    append(inputs, body.carry);
    append(inputs, d_state_);
    append(inputs, d_stacked_);
    append(inputs, d_summed_);
    for (const Tensor& input : inputs) with.emplace(input.node().get(), input);
    for (std::size_t i = 0; i < kept_.size(); ++i) with.emplace(kept_[i].node().get(), products_[i]);
    substitute_outputs(body, std::move(with));
  }

  /// What it reads: of the loop forth its inputs, states and products, and the cotangents of its results.
  void read() {
    const ScanParts values = parts_of(forth_, v_.y), cotangents = parts_of(forth_, v_.dy);
    const std::int64_t length = forth_.length, before = forth_.reverse ? 1 : 0;
    ScanBody& body = back_.body;
    body.slices = forth_.carry;
    append(body.slices, forth_.slices);
    append(body.slices, d_state_);
    append(body.slices, d_stacked_);
    append(body.slices, products_);
    for (const Tensor& states : values.states) back_.sequences.push_back(times(states, before, before + length));
    for (std::size_t i = 0; i < sequences_; ++i) back_.sequences.push_back(v_.x[carries_ + i]);
    for (const Tensor& d : cotangents.states) back_.sequences.push_back(times(d, before, before + length));
    append(back_.sequences, cotangents.stacked);
    for (std::size_t i = forth_.stacked.size() - kept_.size(); i < forth_.stacked.size(); ++i)
      back_.sequences.push_back(values.stacked[i]);
    body.constants = forth_.constants;
    append(body.constants, d_summed_);
    back_.constants.assign(v_.x.begin() + static_cast<std::ptrdiff_t>(carries_ + sequences_),
                           v_.x.end() - (forth_.counted ? 1 : 0));
    if (forth_.counted) back_.count = v_.x.back();
    append(back_.constants, cotangents.summed);
    for (const Tensor& d : cotangents.states) back_.carry.push_back(at_time(d, forth_.reverse ? 0 : length));
  }

  /// The cotangents of the loop forth's inputs; none where none is wanted or there is no slope.
  std::vector<Tensor> run() && {
    const AppliedLoop applied = apply_loop(std::move(back_));
    std::vector<Tensor> results(v_.x.size());
    for (std::size_t i = 0; i < carries_; ++i)
      results[i] = at_time(applied.parts.states[i], forth_.reverse ? forth_.length : 0);
    for (const auto& [input, output] : stacked_) results[input] = applied.parts.stacked[output];
    for (const auto& [input, output] : summed_) results[input] = applied.parts.summed[output];
    return results;
  }

 private:
  const Vjp& v_;
  const ScanBody& forth_;
  std::size_t carries_, sequences_;
  std::vector<Tensor> d_state_, d_stacked_, d_summed_;  // cotangents from outside, as the body sees them
  std::vector<Tensor> kept_, products_;                 // of the loop forth, and as the body sees them
  BoundBody back_;
  std::vector<std::pair<std::size_t, std::size_t>> stacked_, summed_;  // input of the loop forth, output of this one
};

}  // namespace

std::vector<Tensor> scan_vjp(const Vjp& v) {
  LoopBack back(v);
  back.differentiate();
  back.read();
  return std::move(back).run();
}

/// With (s', y, z) = step(s, x, c) the loop carries ds, and at each time computes (ds', dy, dz) = ∂step(s, x, c)
/// (ds, dx, dc). States and products come from the loop forth, and what comes out lies as its results do.
Tensor scan_jvp(const Jvp& j) {
  const ScanBody& forth = *std::get<Loop>(j.attributes).body;
  const ScanParts values = parts_of(forth, j.y);
  const std::int64_t length = forth.length, before = forth.reverse ? 1 : 0;
  const std::size_t carries = forth.carry.size(), sequences = forth.slices.size();
  const std::vector<Tensor> kept = kept_products(forth), products = inputs_like("product", kept);

  BoundBody tangent{.body = {}, .carry = {}, .sequences = {}, .constants = {}, .keeps_products = false};
  ScanBody& body = tangent.body;
  body.length = length;
  body.reverse = forth.reverse;
  body.carry = inputs_like("d_carry", forth.carry);
  body.slices = forth.carry;
  append(body.slices, forth.slices);
  append(body.slices, products);
  body.constants = forth.constants;
  for (std::size_t i = 0; i < carries; ++i) tangent.carry.push_back(j.dx[i] ? j.dx[i] : zeros_like(j.x[i]));
  for (const Tensor& states : values.states) tangent.sequences.push_back(times(states, before, before + length));
  const auto sequence = j.x.begin() + static_cast<std::ptrdiff_t>(carries),
             constant = sequence + static_cast<std::ptrdiff_t>(sequences);
  tangent.sequences.insert(tangent.sequences.end(), sequence, constant);
  tangent.sequences.insert(tangent.sequences.end(), values.stacked.end() - static_cast<std::ptrdiff_t>(kept.size()),
                           values.stacked.end());
  tangent.constants.assign(constant, j.x.end() - (forth.counted ? 1 : 0));
  if (forth.counted) tangent.count = j.x.back();

  std::vector<Tensor> moving = forth.carry, tangents = body.carry;
  for (std::size_t i = 0; i < sequences + forth.constants.size(); ++i) {
    const Tensor& dx = j.dx[carries + i];
    if (!dx) continue;
    const bool is_sequence = i < sequences;
    const Tensor& x = is_sequence ? forth.slices[i] : forth.constants[i - sequences];
    moving.push_back(x);
    tangents.push_back(make_input("d", x.type()));
    (is_sequence ? body.slices : body.constants).push_back(tangents.back());
    (is_sequence ? tangent.sequences : tangent.constants).push_back(dx);
  }
  std::vector<Tensor> outgoing = jacobian_vector(forth.outputs(), moving, tangents);
  auto next = outgoing.begin();
  const auto take_like = [&](const std::vector<Tensor>& outputs) {
    std::vector<Tensor> result;
    for (const Tensor& output : outputs) {
      result.push_back(*next ? *next : zeros_like(output));
      ++next;
    }
    return result;
  };
  body.next = take_like(forth.next);
  body.stacked = take_like(forth.stacked);
  body.summed = take_like(forth.summed);
  std::unordered_map<const Node*, Tensor> with;
  for (std::size_t i = 0; i < kept.size(); ++i) with.emplace(kept[i].node().get(), products[i]);
  substitute_outputs(body, std::move(with));
  return apply_loop(std::move(tangent)).flat;
}

}  // namespace lopt
