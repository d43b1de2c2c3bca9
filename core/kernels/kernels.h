#pragma once
// Kernels: the innermost loops, compiled once for each SIMD level and chosen when the program starts.
// Row counts are multiples of 16 unless said otherwise; memory behind the last row is readable for 64 bytes.

#include <lopt/array.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lopt::kernels {

/// Where a step of a sequence finds an operand.
enum class Source : std::uint8_t {
  previous,  // what the step before made, in registers
  column,    // a column of rows
  same,      // one element for all rows
};
/// One elementwise function. Column j of operand k lies at in[k] + j · stride[k], in elements of four bytes, and that
/// of the result goes to out + j · out_stride, or nowhere where `out` is null: the next step has it in registers.
struct ElementwiseStep {
  using Function = void (*)();  // of a SIMD level, for a strip of rows; its arguments are the level's business
  Function strip = nullptr, half = nullptr, few = nullptr;
  std::array<const void*, 3> in{};
  std::array<std::ptrdiff_t, 3> stride{};
  void* out = nullptr;
  std::ptrdiff_t out_stride = 0;
  bool streams = false;  // past the caches, as stream() does, where `out` is aligned to vectors
};
/// Functions for `step`: an elementwise primitive for operands and a result of these types. False: there are none.
bool find_elementwise(ElementwiseStep& step, std::string_view primitive, DType dtype, DType result,
                      std::span<const Source> sources);
/// Whether there are any; the same at every level.
bool has_elementwise(std::string_view primitive, DType dtype, DType result);
/// The functions of the step behind the last.
void end_sequence(ElementwiseStep& step);
/// Steps up to the end, for `columns` columns. They run strip by strip of rows, so that what a step makes is in
/// registers for the next. Where all columns, of operands and results, lie `pitch` elements apart, and that is how many
/// rows there are, they are one.
struct Sequence {
  const ElementwiseStep* steps = nullptr;
  std::size_t columns = 1;
  std::ptrdiff_t pitch = 0;
};
void run_sequence(const Sequence& sequence, std::size_t rows);

/// Random bits of a key's two words: element i from threefry(key, i). Any count below 2³².
void random_bits(std::uint32_t key0, std::uint32_t key1, std::uint32_t* out, std::size_t count);
/// Standard normal numbers from the same bits.
void random_normal(std::uint32_t key0, std::uint32_t key1, float* out, std::size_t count);

/// A random order of the numbers below n: a Feistel permutation of the next power of two, at least 4, asked again until
/// it says a number below n (cycle walking).
struct RandomOrder {
  std::uint32_t n = 0;
  int low_bits = 0, high_bits = 0;  // of a number: the power of two is theirs together
  std::array<std::uint32_t, 4> round_keys{};
};
/// out[i] = what stands in place first + i.
void random_order(const RandomOrder& order, std::uint32_t first, std::int32_t* out, std::size_t count);

struct Layer {
  const float* weights = nullptr;
  std::ptrdiff_t row_stride = 0, column_stride = 0;  // weight (i, j) at i · row_stride + j · column_stride
  std::size_t inputs = 0, outputs = 0;
  const float* bias = nullptr;  // null: none
  std::ptrdiff_t bias_stride = 0;
  bool relu = false;
  const float* const* gate = nullptr;  // of each output a column: where it is not above 0, the output is 0; null: none
};

/// Backward through h = relu(x W + b), y = h U, given dy, for `rows` rows (any number):
///   dh = where h > 0: dy Uᵀ;  dx = dh Wᵀ;  dW += xᵀ dh;  db += Σ dh;  dU += hᵀ dy.
/// Between 1 and 4 inputs, 1 or 2 outputs.
struct HiddenBackward {
  const float *const *x = nullptr, *const *dy = nullptr;  // where each column lies
  float* dx = nullptr;
  std::ptrdiff_t dx_stride = 0;
  Layer hidden, back, to_inputs;     // x → h, dy → dh, dh → dx
  float* d_input_weights = nullptr;  // dW, db, dU; null: not wanted
  std::ptrdiff_t d_input_row = 0, d_input_column = 0;
  float* d_bias = nullptr;
  float* d_output_weights = nullptr;
  std::ptrdiff_t d_output_row = 0, d_output_column = 0;
};
void hidden_backward(const HiddenBackward& h, std::size_t rows);

struct MatrixProduct {
  std::size_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  std::ptrdiff_t a_row = 0, a_column = 0;
  const float* b = nullptr;
  std::ptrdiff_t b_row = 0, b_column = 1;
  float* c = nullptr;           // row-major
  std::size_t c_row = 0;        // from row to row
  const float* bias = nullptr;  // [n], added to each row; null: none
  bool relu = false;            // of what comes out
  const float* gate = nullptr;  // [m, n], as c: where it is not above 0, what comes out is 0; null: none
  bool accumulate = false;      // begin with what is in c, not with the bias
  /// Of rows and columns that begin at the diagonal of a symmetric matrix, only what is on it and above is wanted.
  bool upper = false;
};

/// Layers on rows.
struct LayerKernels {
  /// out = act(x W + b), column by column; x[i] is where column i of x lies.
  void (*dense)(const float* const* x, const Layer& layer, float* out, std::ptrdiff_t out_stride, std::size_t rows);
  /// Two layers, the hidden columns in registers. first.inputs ≤ 3, second.outputs ≤ 4.
  void (*chain)(const float* const* x, const Layer& first, const Layer& second, float* out, std::ptrdiff_t out_stride,
                std::size_t rows);
};
const LayerKernels& layers();

/// Sums and maxima.
struct SumKernels {
  /// out[i, j] += Σ over rows of a_i b_j, out [inner, columns] row-major; any number of rows.
  void (*outer)(const float* const* a, std::size_t inner, const float* const* b, std::size_t columns, float* out,
                std::size_t rows);
  /// out[j] += Σ over rows of x_j; any number of rows.
  void (*row_sum)(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows);
  /// out[j] = the larger of it and of x_j's rows; NaN wins.
  void (*row_max)(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows);
  void (*column_sum)(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows);
  void (*column_max)(const float* x, std::ptrdiff_t x_stride, std::size_t columns, float* out, std::size_t rows);
  /// to[o, i] = Σ or max over r of from[o, r, i].
  void (*reduce_sum)(const float* from, float* to, std::size_t outer, std::size_t reduced, std::size_t inner);
  void (*reduce_max)(const float* from, float* to, std::size_t outer, std::size_t reduced, std::size_t inner);
  /// to[i] += from[i].
  void (*add)(const float* from, float* to, std::size_t count);
};
const SumKernels& sums();

/// to[c · to_row + r] = from[r · from_row + c], for any number of rows and columns.
void transpose(const std::uint32_t* from, std::ptrdiff_t from_row, std::uint32_t* to, std::ptrdiff_t to_row,
               std::size_t rows, std::size_t columns);
/// Runs of `length` elements, one after the other, `rows` elements in all, the first of them from its element `start`
/// on: run k is a copy of what lies at from + k · stride, or, `repeated`, that one element again and again.
void fill_runs(const std::uint32_t* from, std::ptrdiff_t stride, std::size_t length, std::size_t start, bool repeated,
               std::uint32_t* to, std::size_t rows);
/// Copies n elements past the caches, for what is not read again before it has left them; others see them after
/// finish_streams() on the same thread.
void stream(const std::uint32_t* from, std::uint32_t* to, std::size_t n);
void finish_streams();

/// C = A B + bias.
void multiply_matrices(const MatrixProduct& product);
/// Rows first … end − 1 of a symmetric matrix [n, n], below its diagonal: what is above it.
void copy_below_diagonal(float* c, std::size_t n, std::size_t first, std::size_t end);

/// "AVX3" and the like: the level whose kernels are used.
const char* simd_level();
/// Floating-point operations a second of one thread that does nothing but multiply and add, measured now (about 20 ms).
double measured_peak_flops();

}  // namespace lopt::kernels
