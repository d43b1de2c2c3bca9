#pragma once
// A plan: kernels in the order in which they run, and where in memory each value lies. Data only; core/execute runs it.
//
// Rows: a region executes a group of operations on `rows` rows at a time in tiles that stay in the cache. Inside a tile
// a value is kept column by column (structure of arrays): a column is one float, integer or bool for each row.

#include "program/program.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace lopt {

using BufferId = std::uint32_t;

/// Where a materialised value lies.
struct Buffer {
  enum class Place : std::uint8_t { input, output, constant, arena };
  Place place = Place::arena;
  std::uint32_t index = 0;  // of the input, output or constant
  std::size_t size = 0;     // elements
  std::size_t offset = 0;   // bytes, in the arena
};

/// A strided window on a buffer, in elements. Broadcast dimensions have stride 0.
struct View {
  BufferId buffer = 0;
  std::int64_t offset = 0;
  Shape shape, strides;

  bool contiguous() const;
};

/// Row r of a tile operand lies at Σ index_i(r) · stride_i, where the rows run over `lengths` in row-major order.
struct RowPattern {
  Shape lengths, strides;
};

/// What a tile instruction reads.
struct TileOperand {
  enum class Kind : std::uint8_t {
    tile,      // `columns` of scratch, from column `first`, `step` columns apart
    uniform,   // the same for all rows: element `first` + column · `step` of a buffer
    stream,    // rows that lie contiguously in a buffer: element `first` + column · `step` + row
    previous,  // what the elementwise instruction before made, in registers
  };
  Kind kind = Kind::tile;
  std::uint32_t group = 0;  // tile: which group of scratch columns
  BufferId buffer = 0;      // uniform, stream
  std::int64_t first = 0, step = 0;
};

inline bool is_in_buffer(const TileOperand& operand) {
  return operand.kind == TileOperand::Kind::uniform || operand.kind == TileOperand::Kind::stream;
}

/// Two-layer networks and single dense layers: out = [W1ᵀ] act(W0ᵀ in + b0) [+ b1].
struct DenseLayer {
  BufferId weights = 0;
  std::int64_t offset = 0, row_stride = 0, column_stride = 0;  // weight (i, j) in elements
  std::int64_t inputs = 0, outputs = 0;
  bool has_bias = false, relu = false;
  TileOperand bias;  // uniform
};

struct TileInstruction {
  enum class Kind : std::uint8_t {
    load,         // result columns from memory by `rows`, column j at element offsets[j]
    store,        // operand 0 to memory, row-major: `columns` elements a row
    elementwise,  // `primitive`
    copy,         // operand 0 to the result columns
    zero,
    dense,             // layers[0]; 0 where `right`, if there is any, is not above 0
    chain,             // layers[0], then layers[1], the columns between in registers
    column_reduction,  // over groups of `inner` columns of operand 0: sum or max
    row_sum,           // adds the rows of operand 0 to memory
    row_max,           // the larger of them and what stands in memory
    hidden_backward,   // kernels::HiddenBackward: layers x → h, dy → dh, dh → dx
    outer,             // adds aᵀ b over rows to memory, [inner, columns] row-major
  };
  Kind kind = Kind::copy;
  const Primitive* primitive = nullptr;
  DType dtype = DType::float32;  // of the last operand
  DType result_dtype = DType::float32;
  /// Of dense, chain, outer and hidden_backward: the columns of x (of outer: of a), one operand with all or one for
  /// each.
  std::vector<TileOperand> operands;
  std::vector<TileOperand> right;  // the columns of outer's b, hidden_backward's dy or dense's gate, in the same way
  std::uint32_t group = 0;         // result: group of scratch columns
  std::int64_t columns = 1;        // of the result
  std::int64_t inner = 1;
  /// What hidden_backward adds to: dW [inputs, hidden], db and dU [hidden, outputs], each wanted or not.
  struct Sum {
    bool wanted = false;
    BufferId buffer = 0;
    std::int64_t row_stride = 0, column_stride = 0;
  };
  Sum input_weights, bias, output_weights;
  bool to_memory = false;             // the result goes to `buffer` instead of a group: one column
  bool goes_on = false;               // elementwise: it runs strip by strip with the one before
  bool kept = true;                   // elementwise: its result goes to its group, for others than the next to read
  BufferId buffer = 0;                // load, store, row_sum, row_max, outer
  std::vector<std::int64_t> offsets;  // load
  RowPattern rows;                    // load
  std::vector<DenseLayer> layers;
};

/// True for instructions whose result is a group of scratch columns.
bool writes_group(const TileInstruction& instruction);
/// f(operand) for each that an instruction reads.
template <class Instruction, class Function>
void for_operands(Instruction& instruction, Function f) {
  for (auto& operand : instruction.operands) f(operand);
  for (auto& operand : instruction.right) f(operand);
}
/// The buffers that an instruction adds to, which begin as zeros; of row_max, as −∞.
std::vector<BufferId> sums_of(const TileInstruction& instruction);

/// Bytes that a chunk's part of a sum takes.
inline std::size_t partial_size(const Buffer& buffer) { return (buffer.size * 4 + 63) / 64 * 64; }

/// Chunks of a region at most.
inline constexpr std::size_t max_chunks = 8;

/// A region runs its instructions on tiles of rows; those on wide values, [blocks_begin, blocks_end), on blocks of the
/// rows of a tile, one block after the other, so that what is wide stays in the first cache while what is narrow still
/// runs on many rows at once.
struct Region {
  /// Where a group of columns lies: one after the other, each with room for a tile's rows, or a block's where only
  /// instructions of blocks use it.
  struct Place {
    std::int64_t start = -1;  // words, in the scratch
    std::int64_t rows = 0;
  };
  std::int64_t rows = 0;
  std::int64_t chunks = 1;  // of whole tiles, which may run in parallel and sum up by themselves; of the shape alone
  std::int64_t tile_rows = 0, block_rows = 0;  // multiples of 16
  std::int64_t tile_columns = 0, block_columns = 0;
  std::size_t blocks_begin = 0, blocks_end = 0;
  std::vector<Place> groups;
  std::vector<TileInstruction> instructions;
  std::vector<ValueId> operations;  // what it computes, for reports

  /// Behind the groups three columns of a tile follow, for operands of primitives that run through their loop.
  std::int64_t loop_scratch() const { return tile_columns * tile_rows + block_columns * block_rows; }
  std::int64_t scratch_words() const { return loop_scratch() + 3 * tile_rows; }
  bool in_blocks(std::size_t instruction) const { return instruction >= blocks_begin && instruction < blocks_end; }
};
/// Whether what a region stores is larger than caches keep until it is read again.
inline bool is_streamed(const Region& region) { return region.rows >= (std::int64_t{1} << 20U); }

struct Gemm {
  View a, b;  // [m, k], [k, n]
  /// One product for each index of leading dimensions; the results lie one after the other.
  Shape batch, a_batch, b_batch;  // lengths, and how far a and b go on, in elements
  BufferId c = 0;
  bool symmetric = false;  // b is a, transposed: c is symmetric, to the bit
  bool has_bias = false, relu = false;
  View bias;                 // [n], contiguous
  std::optional<View> gate;  // [m, n], contiguous: where it is not above 0, the result is 0
};
/// out[o, i] = over r of in[o, r, i].
struct Reduction {
  bool maximum = false;
  DType dtype = DType::float32;
  BufferId from = 0, to = 0;
  std::int64_t outer = 1, reduced = 1, inner = 1;
};
/// Copies one after the other, from views to views of the same shape.
struct Copies {
  struct Copy {
    View from, to;
    std::int64_t elements = 0;
    bool contiguous = false;  // both are
  };
  std::vector<Copy> list;
};
struct Fill {  // zeros
  BufferId to = 0;
};
struct RandomBits {
  View key;
  BufferId to = 0;
};
struct Plan;
/// A plan that runs once for each step of a loop.
struct Scan {
  std::shared_ptr<const Plan> body{};  // (carry…, element of each sequence…, constants…) → carry…, stacked…, summed…
  std::vector<View> inputs{};  // contiguous
  BufferId to = 0;
  BufferId partial = 0;  // what a step adds to the sums
  std::size_t carries = 0, sequences = 0, stacked = 0;
  std::vector<std::int64_t> starts{};  // where in `to` the first part of each output begins
  std::vector<std::int64_t> sizes{};   // elements of each input, and of one element of a sequence; then of each output
  std::int64_t length = 0;
  bool reverse = false;
  bool counted = false;  // one input more says how many steps run
};
/// The primitive's own loop over memory, or the reference executor's rule where it has none.
struct Fallback {
  Operation operation;
  std::vector<Type> types;
  std::vector<BufferId> inputs;
  BufferId to = 0;
};
using Kernel = std::variant<Region, Gemm, Reduction, Copies, Fill, RandomBits, Scan, Fallback>;

struct Plan {
  std::string name;
  std::vector<Type> input_types, output_types;
  std::vector<Buffer> buffers;
  std::vector<Array> constants;
  std::vector<Kernel> kernels;
  std::size_t arena_bytes = 0;    // values, without a region's scratch
  std::size_t scratch_bytes = 0;  // of the largest region, for one chunk at a time
  std::size_t partial_bytes = 0;  // sums of all chunks of a region, of the one that needs most
};

struct PlanOptions {
  /// Of each output, whether behind more than one element are 64 bytes that may be written to, as behind arrays: whole
  /// vectors go there, and nothing is copied. Empty: none has.
  std::vector<bool> outputs_with_room;
};
/// Plans a program. The plan does not refer to the program afterwards.
Plan make_plan(const Program& program, const PlanOptions& options = {});

}  // namespace lopt
