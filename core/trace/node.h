#pragma once
// What a traced program is made of: nodes that apply primitives to other nodes.

#include <lopt/primitive.h>
#include <lopt/tree.h>

#include <functional>
#include <span>
#include <variant>

namespace lopt {

// What a primitive knows beside its inputs.
struct InputName {
  std::string name;
  bool operator==(const InputName&) const = default;
};
struct Constant {
  Array value;
  bool weak = false;  // a number of the host language, which takes the type of what it meets
  bool operator==(const Constant&) const = default;
};
struct Target {
  Shape shape;
  bool operator==(const Target&) const = default;
};
struct Axes {
  std::vector<int> axes;
  bool operator==(const Axes&) const = default;
};
struct Bounds {
  Shape start, stop, stride;
  bool operator==(const Bounds&) const = default;
};
struct Padding {
  Shape before, after;
  bool operator==(const Padding&) const = default;
};
struct Transposed {
  bool a = false, b = false;
  bool operator==(const Transposed&) const = default;
};
/// Windows of [height, width] that slide over images.
struct Sliding {
  Shape kernel{1, 1}, stride{1, 1}, dilation{1, 1}, before{0, 0}, after{0, 0};
  Shape image;        // height and width of the images
  float outside = 0;  // what windows see beyond the images' edges
  bool operator==(const Sliding&) const = default;
};
struct Cumulative {
  int axis = 0;
  bool reverse = false;
  bool operator==(const Cumulative&) const = default;
};
struct ScanBody;  // trace/scan_body.h
struct Loop {
  std::shared_ptr<const ScanBody> body;
  bool operator==(const Loop&) const = default;
};
struct Count {
  std::int64_t count = 0;
  bool operator==(const Count&) const = default;
};
struct HostCall {
  std::shared_ptr<const HostPrimitive> primitive;
  bool operator==(const HostCall&) const = default;
};
using Attributes = std::variant<std::monostate, InputName, Constant, Target, Axes, Bounds, Padding, Transposed, Count,
                                HostCall, DType, Sliding, Cumulative, Loop>;

/// "axes=0,1" and the like; empty where there is nothing to say.
std::string to_text(const Attributes& attributes);

/// What a vector-Jacobian rule works with: y = f(x…), and dy = d loss / dy.
struct Vjp {
  const Tensor& dy;
  const Tensor& y;
  const std::vector<Tensor>& x;
  const Attributes& attributes;
  /// Inputs whose derivative someone asks for; others may be left empty.
  const std::vector<bool>& wanted;
};

/// What a Jacobian-vector rule works with: y = f(x…), and the tangent dx of each input; an empty one is 0.
struct Jvp {
  const std::vector<Tensor>& dx;
  const Tensor& y;
  const std::vector<Tensor>& x;
  const Attributes& attributes;
};

/// One evaluation on memory: row-major arrays of four bytes an element, or of `Real`'s size where they are float32.
struct DirectCall {
  std::span<const void* const> inputs;
  std::span<const Type> types;  // of the inputs
  const Attributes& attributes;
  const Type& type;  // of the result
  void* output = nullptr;
};

/// How the planner may execute a primitive together with others.
enum class Fusion {
  none,         // alone
  leaf,         // an input or constant: nothing to execute
  elementwise,  // element i of the result from the elements i of the inputs
  view,         // the elements of its input in another order or number: broadcast, reshape
  columns,      // rows keep their place, columns move: concatenation, slice and padding along the last dimension
  reduction,    // sums and maxima
  matmul,
  products,  // matrix products, one for each index of leading dimensions
  loop,      // a scan: a program of its own, run step by step
};

class ReferenceCall32;
class ReferenceCall64;

/// One row: everything there is to know about a primitive.
struct Primitive {
  std::string_view name;
  /// The type of the result. Throws ShapeError.
  Type (*type)(std::span<const Type> inputs, const Attributes& attributes) = nullptr;
  /// d loss / dx for each input; an empty tensor where none flows. Null: no gradient flows through the primitive.
  std::vector<Tensor> (*vjp)(const Vjp& v) = nullptr;
  /// The tangent dy = Σ ∂f/∂x · dx, of results of float32. Null: none flows through the primitive.
  Tensor (*jvp)(const Jvp& j) = nullptr;
  Fusion fusion = Fusion::none;
  /// Reference evaluation in xtensor, float32 and float64.
  void (*evaluate32)(ReferenceCall32& call) = nullptr;
  void (*evaluate64)(ReferenceCall64& call) = nullptr;
  /// The same on float32 memory, where that is as fast as can be; null: the planned executor takes the reference.
  void (*direct)(const DirectCall& call) = nullptr;
  /// Elementwise only: n elements of four bytes. `dtype` is the type of the last input, `result` that of the result.
  void (*loop)(DType dtype, DType result, const void* const* inputs, void* output, std::size_t n) = nullptr;
};

/// A value: a primitive applied to inputs.
struct Node {
  const Primitive* primitive = nullptr;
  std::vector<Tensor> inputs;
  Attributes attributes;
  Type type;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();  // not recursive: programs may be long chains
};

/// A new node. Throws ShapeError with the primitive's name.
Tensor apply(const Primitive& primitive, std::vector<Tensor> inputs, Attributes attributes = {});
/// An input of a program.
Tensor make_input(std::string name, Type type);

/// All nodes that the outputs need, each after its inputs; without those of which `known` says true, and what they
/// alone need.
std::vector<Tensor> nodes_in_order(std::span<const Tensor> outputs,
                                   const std::function<bool(const Node*)>& known = nullptr);

/// Inputs of a program shaped like a tree, called NAME/PATH.
Tree inputs_like(const std::string& name, const Types& types);

extern const Primitive input_primitive;
extern const Primitive constant_primitive;
extern const Primitive stop_gradient_primitive;

/// The axis counted from the first dimension. Throws ShapeError in the name of `function`.
int normalized_axis(int axis, int rank, std::string_view function);
/// Shape that a and b broadcast to. Throws ShapeError in the name of `function`.
Shape broadcast_shape(const Shape& a, const Shape& b, std::string_view function);

}  // namespace lopt
