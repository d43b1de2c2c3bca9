#pragma once
// Random programs for property tests.

#include "unit/support.h"

#include "gradient/gradient.h"

#include <lopt/networks.h>
#include <lopt/scan.h>

#include <cstdlib>
#include <random>

namespace lopt::test {

/// Another in each run; LOPT_TEST_SEED chooses one.
inline std::uint32_t new_seed() {
  const char* given = std::getenv("LOPT_TEST_SEED");
  return given ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}
/// How many programs a test tries.
inline int program_count() {
  const char* given = std::getenv("LOPT_TEST_PROGRAMS");
  return given ? std::atoi(given) : 500;
}

/// A program made of `length` random choices of a seed. Fewer choices of the same seed make a prefix of it, which is
/// how a failing program is made smaller.
class RandomProgram {
 public:
  RandomProgram(std::uint32_t seed, int length) : random_(seed) {
    // What is near vectors, blocks and tiles, and anything else.
    rows_ = random_() % 2 ? pick({1, 3, 10, 16, 40, 129, 300, 1100}) : between(1, 1100);
    columns_ = random_() % 2 ? pick({1, 2, 3, 8, 17}) : between(1, std::min<std::int64_t>(600, most_elements / rows_));
    for (int i = 0; i < 3; ++i) add_input({DType::float32, random_shape()});
    add_input({DType::int32, {rows_, columns_}});
    for (int i = 0; i < length; ++i) add_step();
    finish();
  }

  const Program& program() const { return program_; }
  const std::vector<Array>& values() const { return values_; }

 private:
  std::int64_t pick(std::vector<std::int64_t> choices) { return choices[random_() % choices.size()]; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(random_() % static_cast<std::uint32_t>(most - least + 1));
  }
  Shape random_shape() {
    switch (random_() % 8) {
      case 0: return {};
      case 1: return {rows_};
      case 2: return {columns_};
      case 3: return {rows_, 1};
      case 4: return split({rows_, columns_});
      case 5: return split({1, rows_, columns_});
      default: return {rows_, columns_};
    }
  }
  /// The same elements in up to five dimensions.
  Shape split(Shape shape) {
    while (shape.size() < 5 && random_() % 4 != 0) {
      const std::size_t axis = random_() % shape.size();
      const std::int64_t factor = pick({1, 2, 3, 5});
      if (shape[axis] % factor != 0) continue;
      shape[axis] /= factor;
      shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), factor);
    }
    return shape;
  }
  void add_input(const Type& type) {
    inputs_.push_back(make_input("x" + std::to_string(inputs_.size()), type));
    values_.push_back(random_array(random_, type, -1.5, 1.5));
    (type.dtype == DType::float32 ? reals_ : integers_).push_back(inputs_.back());
  }
  const Tensor& real() { return reals_[reals_.size() - 1 - random_() % std::min<std::size_t>(reals_.size(), 6)]; }

  static bool broadcasts(const Tensor& a, const Tensor& b) {
    for (int i = 1; i <= std::min(a.rank(), b.rank()); ++i)
      if (a.dim(-i) != b.dim(-i) && a.dim(-i) != 1 && b.dim(-i) != 1) return false;
    return true;
  }
  /// Keeps values near 1, so that round-off stays comparable.
  void keep(const Tensor& x) {
    if (element_count(x.shape()) <= most_elements) reals_.push_back(random_() % 3 == 0 ? x : tanh(x));
  }

  void add_step() {
    const Tensor a = real(), b = real();
    switch (random_() % 36) {
      case 0: return broadcasts(a, b) ? keep(a + b) : void();
      case 1: return broadcasts(a, b) ? keep(a * b) : void();
      case 2: return broadcasts(a, b) ? keep(a - 0.5 * b) : void();
      case 3: return keep(exp(a * 0.5));
      case 4: return keep(sigmoid(a));
      case 5: return keep(relu(a));
      case 6: return broadcasts(a, b) ? keep(where(a < 0.3712, a, b * 2)) : void();
      case 7: return broadcasts(a, b) ? keep(maximum(a, b)) : void();
      case 8:
        return a.rank() > 0 ? keep(mean(a, {static_cast<int>(random_() % static_cast<unsigned>(a.rank()))})) : void();
      case 9: return a.rank() > 0 ? keep(max(apart(a), {-1})) : void();
      case 10: return keep(mean(a * a));
      case 11: return a.rank() > 0 ? keep(expand_dims(a, -1)) : void();
      case 12: return a.rank() == 2 ? keep(transpose(a)) : void();
      case 13: return add_layer(a);
      case 14: return a.shape() == b.shape() && a.rank() > 0 ? keep(concatenate({a, b}, -1)) : void();
      case 15:
        return a.shape() == b.shape()
                   ? keep(stack({a, b}, static_cast<int>(random_() % static_cast<unsigned>(a.rank() + 1))))
                   : void();
      case 16: return add_slice(a);
      case 17: return a.rank() > 0 ? keep(pad(a, Shape(a.shape().size(), 1), Shape(a.shape().size(), 0))) : void();
      case 18: return keep(reshape(a, {-1}));
      case 19: return add_integer();
      case 20: return keep(tanh(convert(integer(), DType::float32) * 0.3));
      case 21: return broadcasts(integer(), a) ? keep(where(integers_.back() < 1, a, a * 0.5)) : void();
      case 22: return a.rank() > 0 && a.dim(0) > 0 ? keep(gather_rows(a, reshape(integer(), {-1}))) : void();
      case 23: return a.rank() > 0 && a.dim(-1) > 0 ? keep(0.3 * cumulative_sum(a, -1)) : void();
      case 24: return add_products(a);
      case 25: return add_convolution(a);
      case 26: return add_scan(a, b);
      case 27: return a.rank() == 2 ? keep(lower_triangle(a)) : void();
      case 28: return keep(gelu(a));
      case 29: return element_count(a.shape()) > 0 ? keep(a * 0.3 + max(apart(abs(a)))) : void();
      case 30: return keep(sin(a) + cos(2 * a));
      case 31: return keep(erf(a) * power(abs(a) + 0.5, 0.7));
      case 32:
      case 33: return add_rule(a, b);
      case 34: return add_cell(a);
      default: return a.rank() > 0 ? keep(log_softmax(a)) : void();
    }
  }
  /// With steps between the elements: where float32 rounds two of them to one, a maximum has another gradient.
  static Tensor apart(const Tensor& a) {
    std::vector<float> steps(static_cast<std::size_t>(element_count(a.shape())));
    for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = 1e-3F * static_cast<float>(i);
    return a + Tensor(Array(a.shape(), steps));
  }
  const Tensor& integer() { return integers_[random_() % integers_.size()]; }
  void add_integer() {
    const Tensor a = integer(), b = integer();
    switch (random_() % 4) {
      case 0: return integers_.push_back(a * 3 - b);
      case 1: return integers_.push_back(remainder(a, 5) | (b & 6));
      case 2: return integers_.push_back(where((a < b) ^ (b == 1), a, b + 1));
      default:
        return integers_.push_back(maximum(bitcast(shift_right(bitcast(a, DType::uint32), 30), DType::int32), b));
    }
  }
  void add_layer(const Tensor& x) {
    if (x.rank() < 1 || x.dim(-1) == 0) return;
    const std::int64_t width = pick({1, 2, 5, 16, 33});
    const Type weights{DType::float32, {x.dim(-1), width}}, bias{DType::float32, {width}};
    add_input(weights);
    const Tensor w = inputs_.back();
    add_input(bias);
    const Tensor y = matmul(x, w) * (1 / std::sqrt(static_cast<double>(x.dim(-1)))) + inputs_.back();
    keep(random_() % 2 ? relu(y) : y);
  }
  Tensor layer(const Tensor& x, std::int64_t width) {
    add_input({DType::float32, {x.dim(-1), width}});
    const Tensor w = inputs_.back();
    add_input({DType::float32, {width}});
    return matmul(x, w) * (1 / std::sqrt(static_cast<double>(x.dim(-1)))) + inputs_.back();
  }
  Tensor activated(const Tensor& x) {
    switch (random_() % 4) {
      case 0: return tanh(x);
      case 1: return sigmoid(x);
      case 2: return softplus(x);
      default: return relu(x);
    }
  }
  /// A learned rule's update: features of each element, layers, and a step; sums over the tensor among the features.
  void add_rule(const Tensor& a, const Tensor& b) {
    if (a.shape() != b.shape() || a.rank() == 0 || element_count(a.shape()) == 0) return;
    std::vector<Tensor> features{a, b, 0.9 * a + 0.1 * b, a * rsqrt(b * b + 0.1), a * rsqrt(mean(a * a) + 0.1)};
    features.resize(static_cast<std::size_t>(pick({1, 2, 3, 5})));
    Tensor x = stack(features, -1);
    for (std::int64_t layers = pick({1, 2, 3}); layers > 0; --layers) x = activated(layer(x, pick({2, 8, 12, 32, 33})));
    const Tensor out = layer(x, 2);
    keep(a - take(out, 0, -1) * exp(0.1 * take(out, 1, -1)));
  }
  /// Recurrent units of each element.
  void add_cell(const Tensor& a) {
    if (a.rank() == 0 || element_count(a.shape()) == 0 || element_count(a.shape()) > 1100) return;
    const std::int64_t units = pick({3, 8, 16});
    Shape shape = a.shape();
    shape.push_back(units);
    add_input({DType::float32, shape});
    const Tensor state = inputs_.back(), x = expand_dims(a, -1);
    const Tensor gates = layer(concatenate({x, state}, -1), 2 * units);
    const Shape origin(shape.size(), 0), unit(shape.size(), 1);
    Shape middle = origin, end = shape;
    middle.back() = units;
    end.back() = 2 * units;
    const Tensor z = sigmoid(slice(gates, origin, shape, unit)), r = sigmoid(slice(gates, middle, end, unit));
    keep(z * state + (1 - z) * tanh(layer(r * state, units)));
  }
  /// a aᵀ for each of its last two dimensions, or of a part of it.
  void add_products(const Tensor& a) {
    if (a.rank() < 2 || element_count(a.shape()) == 0 || element_count(a.shape()) > 5000) return;
    const Tensor b = reshape(a, {1, -1, a.dim(-2), a.dim(-1)});
    const double scale = 1 / static_cast<double>(a.dim(-2) + a.dim(-1));
    keep(scale * (random_() % 2 ? matmul(b, transpose(b, {0, 1, 3, 2})) : matmul(transpose(b, {0, 1, 3, 2}), b)));
  }
  void add_convolution(const Tensor& a) {
    if (a.rank() != 2 || element_count(a.shape()) == 0 || element_count(a.shape()) > 3000) return;
    const std::int64_t maps = pick({1, 3, 8}), stride = pick({1, 2});
    add_input({DType::float32, {2, 3, 1, maps}});
    const Tensor image = reshape(a, {1, a.dim(0), a.dim(1), 1});
    keep(0.2 * convolution(image, inputs_.back(), {.stride = {stride, 1}}));
  }
  /// A loop over the rows of `a` with a state of its row's shape, and what does not change from outside.
  void add_scan(const Tensor& a, const Tensor& outside) {
    if (a.rank() != 2 || element_count(a.shape()) == 0 || a.dim(0) > 40) return;
    const ScanResult result = scan(
        [&](const std::vector<Tensor>& carry, const std::vector<Tensor>& x) {
          const Tensor next = tanh(carry[0] * 0.5 + x[0] + mean(outside) * carry[0]);
          return ScanStep{{next}, {next * x[0]}};
        },
        {zeros({a.dim(1)})}, {a}, {.reverse = random_() % 2 == 0, .recompute = random_() % 3 == 0});
    keep(result.outputs[0]);
    keep(result.carry[0]);
  }
  void add_slice(const Tensor& x) {
    if (x.rank() < 1) return;
    Shape start(x.shape().size(), 0), stop = x.shape(), stride(x.shape().size(), 1);
    const std::size_t axis = random_() % stop.size();
    if (stop[axis] < 2) return;
    start[axis] = 1;
    stride[axis] = pick({1, 1, 2});
    keep(slice(x, start, stop, stride));
  }

  /// Outputs: the last values, and for every second program a gradient or a gradient of a gradient.
  void finish() {
    std::vector<Tensor> outputs{reals_.back(), real(), real()};
    Tensor loss = mean(reals_.back()) + mean(square(real()));
    if (random_() % 2) {
      const std::vector<Tensor> first = gradient(loss, inputs_reals());
      outputs.insert(outputs.end(), first.begin(), first.end());
      if (random_() % 2) {
        Tensor slope = mean(square(first[0]));
        const std::vector<Tensor> second = gradient(slope, inputs_reals());
        outputs.insert(outputs.end(), second.begin(), second.end());
      }
    }
    program_ = make_program("random", inputs_, outputs);
  }
  std::vector<Tensor> inputs_reals() const {
    std::vector<Tensor> result;
    for (const Tensor& input : inputs_)
      if (input.dtype() == DType::float32) result.push_back(input);
    return result;
  }

  static constexpr std::int64_t most_elements = 20000;
  std::mt19937 random_;
  std::int64_t rows_ = 1, columns_ = 1;
  std::vector<Tensor> inputs_, reals_, integers_;
  std::vector<Array> values_;
  Program program_;
};

}  // namespace lopt::test
