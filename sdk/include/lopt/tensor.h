#pragma once
// Values of a program that is being traced. Names, broadcasting and conversion follow NumPy and JAX.
// A shape or type that does not fit throws lopt::ShapeError with a sentence that names the function and both shapes.

#include <lopt/array.h>

#include <stdexcept>

namespace lopt {

struct Node;  // a step of a program; defined by the core

/// Shapes or element types that do not go together.
class ShapeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A handle on a value of a program: its type is known, its elements are not yet.
class Tensor {
 public:
  Tensor() = default;
  /// A scalar constant that takes the element type of what it meets, as Python's numbers do.
  Tensor(double value);  // NOLINT(google-explicit-constructor): `0.9 * m` is the point
  Tensor(int value) : Tensor(static_cast<double>(value)) {}  // NOLINT(google-explicit-constructor)
  /// A constant.
  explicit Tensor(const Array& value);
  explicit Tensor(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

  const Type& type() const;
  DType dtype() const { return type().dtype; }
  const Shape& shape() const { return type().shape; }
  /// Length of dimension `axis`; negative axes count from the last.
  std::int64_t dim(int axis) const;
  int rank() const { return static_cast<int>(shape().size()); }

  /// False for a default-constructed handle.
  explicit operator bool() const { return node_ != nullptr; }
  const std::shared_ptr<const Node>& node() const { return node_; }

 private:
  std::shared_ptr<const Node> node_;
};

// Arithmetic, element by element, with broadcasting.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor power(const Tensor& base, const Tensor& exponent);
/// x, at least `low` and at most `high`; NaN stays. The derivative is 1 between them, and 0 at and beyond them.
Tensor clamp(const Tensor& x, double low, double high);
/// A cotangent times a derivative, and 0 where the cotangent is exactly 0, however infinite the derivative is: what the
/// vector-Jacobian products of sqrt, log, division and the like give. `product` is what came out of the multiplication.
Tensor strong_zero(const Tensor& cotangent, const Tensor& product);
/// a·b + c, rounded once.
Tensor multiply_add(const Tensor& a, const Tensor& b, const Tensor& c);
/// Of integers, with the sign of the dividend.
Tensor remainder(const Tensor& a, const Tensor& b);
/// Of integers, rounded towards zero; 0 where b is 0, and the least integer over −1 is itself.
Tensor quotient(const Tensor& a, const Tensor& b);

// Functions of one float32 tensor.
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor expm1(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// 1 / √x.
Tensor rsqrt(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
/// 1 / (1 + e⁻ˣ).
Tensor sigmoid(const Tensor& x);
/// Inverse of the error function on (−1, 1).
Tensor erf_inv(const Tensor& x);
/// The error function 2/√π ∫₀ˣ exp(−t²) dt.
Tensor erf(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor abs(const Tensor& x);
/// −1, 0 or 1.
Tensor sign(const Tensor& x);
Tensor square(const Tensor& x);
/// max(x, 0), with derivative 0 at 0.
Tensor relu(const Tensor& x);

// Comparisons give bool; & | ^ work on bool and integers, logical_not on bool.
Tensor operator==(const Tensor& a, const Tensor& b);
Tensor operator!=(const Tensor& a, const Tensor& b);
Tensor operator<(const Tensor& a, const Tensor& b);
Tensor operator<=(const Tensor& a, const Tensor& b);
Tensor operator>(const Tensor& a, const Tensor& b);
Tensor operator>=(const Tensor& a, const Tensor& b);
Tensor operator&(const Tensor& a, const Tensor& b);
Tensor operator|(const Tensor& a, const Tensor& b);
Tensor operator^(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& a);
Tensor shift_left(const Tensor& a, const Tensor& bits);
Tensor shift_right(const Tensor& a, const Tensor& bits);
Tensor is_nan(const Tensor& x);
/// a where the condition holds, b elsewhere.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// x where the condition is above 0, and 0 elsewhere: the derivative of relu, in one step.
Tensor where_positive(const Tensor& condition, const Tensor& x);
Tensor convert(const Tensor& x, DType dtype);
/// The same 32 bits read as another type.
Tensor bitcast(const Tensor& x, DType dtype);

// Shapes.
Tensor reshape(const Tensor& x, const Shape& shape);  // one length may be −1: what is left
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// A new dimension of length 1 at `axis`.
Tensor expand_dims(const Tensor& x, int axis);
/// Dimensions in the order of `axes`; without axes, reversed.
Tensor transpose(const Tensor& x, std::vector<int> axes = {});
/// Elements start, start + stride, … before stop, in each dimension.
Tensor slice(const Tensor& x, const Shape& start, const Shape& stop, const Shape& stride = {});
/// Element `index` along `axis`, which disappears.
Tensor take(const Tensor& x, std::int64_t index, int axis);
/// Zeros before and after, in each dimension.
Tensor pad(const Tensor& x, const Shape& before, const Shape& after);
Tensor concatenate(const std::vector<Tensor>& tensors, int axis);
/// Tensors of one shape along a new dimension at `axis`.
Tensor stack(const std::vector<Tensor>& tensors, int axis);
/// Rows of the first dimension of x, by an int32 tensor of one dimension. Indices outside are clamped.
Tensor gather_rows(const Tensor& x, const Tensor& indices);
/// Zeros of `rows` rows to which the rows of x are added at their indices: what undoes gather_rows in a gradient.
Tensor scatter_add_rows(const Tensor& x, const Tensor& indices, std::int64_t rows);

/// Slices of x along `axis` by int32 indices of any shape, which takes that axis' place. Indices outside are clamped.
Tensor gather(const Tensor& x, const Tensor& indices, int axis);
/// Zeros of `length` along `axis` to which the slices of x are added at their indices, int32 of one dimension.
Tensor scatter_add(const Tensor& x, const Tensor& indices, std::int64_t length, int axis);
/// One element of each row of x [..., n]: the one at its int32 index [...]. Indices outside are clamped.
Tensor take_along(const Tensor& x, const Tensor& indices);
/// Of the two last dimensions, the elements on the diagonal `diagonal` and below it (lower) or above it (upper); 0
/// elsewhere.
Tensor lower_triangle(const Tensor& x, int diagonal = 0);
Tensor upper_triangle(const Tensor& x, int diagonal = 0);

// Reductions over the axes given (all, without any), which disappear.
Tensor sum(const Tensor& x, const std::vector<int>& axes = {});
Tensor mean(const Tensor& x, const std::vector<int>& axes = {});
Tensor max(const Tensor& x, const std::vector<int>& axes = {});
Tensor min(const Tensor& x, const std::vector<int>& axes = {});
Tensor prod(const Tensor& x, const std::vector<int>& axes = {});
/// The mean of (x − mean)².
Tensor variance(const Tensor& x, const std::vector<int>& axes = {});
/// log Σ eˣ, without overflow.
Tensor log_sum_exp(const Tensor& x, const std::vector<int>& axes = {});
/// int32 place of the first of the largest elements along `axis`, which disappears; of the first NaN where there is
/// one.
Tensor argmax(const Tensor& x, int axis = -1);
/// x₀, x₀ + x₁, … along `axis`.
Tensor cumulative_sum(const Tensor& x, int axis);
/// The same with maximum, and with products.
Tensor cumulative_max(const Tensor& x, int axis);
Tensor cumulative_prod(const Tensor& x, int axis);

// Order along an axis: equal elements stay in their order, and NaN comes last.
/// int32 places of the elements from the least to the largest, or the other way; of the shape of x.
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
Tensor sort(const Tensor& x, int axis = -1, bool descending = false);
/// The k largest along the last axis, and their int32 places: [..., k].
struct TopK {
  Tensor values, places;
};
TopK top_k(const Tensor& x, std::int64_t k);
/// From the last element to the first.
Tensor reversed(const Tensor& x, int axis);
// Lengths, right from the smallest to the largest numbers, whose squares are none. Their derivatives are 0 at 0.
/// √(Σ x²).
Tensor norm(const Tensor& x, const std::vector<int>& axes = {});
/// √(mean of x²).
Tensor rms(const Tensor& x, const std::vector<int>& axes = {});
/// x / norm, of the shape of x; 0 where the norm is.
Tensor normalize(const Tensor& x, const std::vector<int>& axes = {});

/// [..., m, k] × [..., k, n] → [..., m, n], where leading dimensions broadcast; [k] × [..., k, n] → [..., n].
Tensor matmul(const Tensor& a, const Tensor& b);

// Constants.
Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape);
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
Tensor zeros_like(const Tensor& x);
/// int32 0, 1, … n − 1.
Tensor arange(std::int64_t n);

// What networks are made of.
Tensor log_softmax(const Tensor& logits);  // over the last dimension
Tensor softmax(const Tensor& logits);      // over the last dimension
/// int32 labels [...] → float32 [..., classes]; a label outside gives a row of zeros.
Tensor one_hot(const Tensor& labels, std::int64_t classes);

/// x, through which no gradient flows.
Tensor stop_gradient(const Tensor& x);
/// d loss / d x for each x, of the shape of x; loss is a scalar. Gradients are tensors: they can be differentiated
/// again.
std::vector<Tensor> gradient(const Tensor& loss, const std::vector<Tensor>& with_respect_to);

}  // namespace lopt
