#pragma once
// Values that exist now, in memory: what goes into a program and what comes out of it.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lopt {

/// Element types. Each takes four bytes in memory; a boolean is the 32-bit integer 0 or 1.
enum class DType : std::uint8_t { float32, int32, uint32, boolean };

/// "float32", "int32", "uint32" or "bool", as NumPy names them.
std::string_view name_of(DType dtype);

/// Lengths of the dimensions, outermost first. Empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the lengths: 1 for a scalar. Throws std::length_error if it exceeds 2³¹ − 1.
std::int64_t element_count(const Shape& shape);

/// "[64, 128]".
std::string to_text(const Shape& shape);

/// What a value is: the type of its elements and its shape.
struct Type {
  DType dtype = DType::float32;
  Shape shape;
  bool operator==(const Type&) const = default;
};

/// "float32[64, 128]".
std::string to_text(const Type& type);

template <class T>
inline constexpr DType dtype_of = DType::float32;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::int32;
template <>
inline constexpr DType dtype_of<std::uint32_t> = DType::uint32;

/// A dense row-major array. Copies share their elements until one of them is written to.
class Array {
 public:
  /// A float32 scalar, 0.
  Array();
  /// All elements zero.
  explicit Array(Type type);
  Array(DType dtype, Shape shape) : Array(Type{dtype, std::move(shape)}) {}
  /// Takes the elements in row-major order; their number must be that of the shape (std::invalid_argument).
  template <class T>
  Array(Shape shape, std::span<const T> elements);
  template <class T>
  Array(Shape shape, const std::vector<T>& elements) : Array(std::move(shape), std::span<const T>(elements)) {}
  template <class T>
  static Array scalar(T value) {
    return Array(Shape{}, std::span<const T>(&value, 1));
  }

  const Type& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  /// Number of elements.
  std::size_t size() const { return size_; }

  /// The elements as T: float, std::int32_t or std::uint32_t (also for bool). Throws std::invalid_argument for another.
  template <class T>
  std::span<const T> values() const {
    require(sizeof(T), dtype_of<T>);
    return {static_cast<const T*>(data()), size_};
  }
  /// The same to write to; copies the elements first where they are shared.
  template <class T>
  std::span<T> mutable_values() {
    require(sizeof(T), dtype_of<T>);
    return {static_cast<T*>(mutable_data()), size_};
  }
  /// The one element of a scalar or of an array of one element.
  template <class T>
  T item() const {
    require_one();
    return values<T>()[0];
  }

  /// Aligned to 64 bytes.
  const void* data() const { return storage_.get(); }
  void* mutable_data();
  /// The same for who writes all elements: where they are shared, this array gets others, whose values nobody knows.
  void* overwritten_data();
  /// The same elements in another shape of as many elements.
  Array reshaped(Shape shape) const;
  /// Row `index` of the first dimension, as an array of one dimension less.
  Array row(std::size_t index) const;
  /// Same type and same bits.
  bool operator==(const Array& other) const;

 private:
  void require(std::size_t element_size, DType dtype) const;
  void require_one() const;

  Type type_;
  std::size_t size_ = 1;
  std::shared_ptr<std::byte> storage_;
};

/// Arrays of one type, put below each other along a new first dimension.
Array stack_arrays(std::span<const Array> arrays);

template <class T>
Array::Array(Shape shape, std::span<const T> elements) : Array(Type{dtype_of<T>, std::move(shape)}) {
  if (elements.size() != size_)
    throw std::invalid_argument("an array of shape " + to_text(type_.shape) + " from " +
                                std::to_string(elements.size()) + " elements");
  T* to = static_cast<T*>(mutable_data());
  for (std::size_t i = 0; i < size_; ++i) to[i] = elements[i];
}

}  // namespace lopt
