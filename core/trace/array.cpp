#include "trace/large_memory.h"

#include <lopt/array.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <cstring>

namespace lopt {

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float32";
    case DType::int32: return "int32";
    case DType::uint32: return "uint32";
    default: return "bool";
  }
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (std::int64_t length : shape) {
    if (length < 0) throw std::length_error("the shape " + to_text(shape) + " has a negative length");
    if (length > 0 && count > 2147483647 / length)
      throw std::length_error("the shape " + to_text(shape) + " has more than 2147483647 elements");
    count *= length;
  }
  return count;
}

std::string to_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }
std::string to_text(const Type& type) { return std::string(name_of(type.dtype)) + to_text(type.shape); }

Array::Array() : Array(DType::float32, Shape{}) {}

Array::Array(Type type)
    : type_(std::move(type)),
      size_(static_cast<std::size_t>(element_count(type_.shape))),
      storage_(allocate_for_vectors(4 * size_)) {
  std::memset(storage_.get(), 0, 4 * size_);
}

void* Array::mutable_data() {
  const std::shared_ptr<std::byte> shared = storage_.use_count() > 1 ? storage_ : nullptr;
  void* const data = overwritten_data();
  if (shared) std::memcpy(data, shared.get(), 4 * size_);
  return data;
}

void* Array::overwritten_data() {
  if (storage_.use_count() > 1) {
    storage_ = allocate_for_vectors(4 * size_);
  } else {
    // Another thread may have let go of the elements just now: what it read of them, it reads before they are written
    // to.
    std::atomic_thread_fence(std::memory_order_acquire);
#if defined(__SANITIZE_THREAD__)
    const std::shared_ptr<std::byte> seen = storage_;  // ThreadSanitizer does not see fences, but it sees counts
#endif
  }
  return storage_.get();
}

void Array::require(std::size_t element_size, DType dtype) const {
  const bool same = dtype == type_.dtype || (dtype == DType::uint32 && type_.dtype == DType::boolean);
  if (!same || element_size != 4)
    throw std::invalid_argument("an array of " + std::string(name_of(type_.dtype)) + " read as " +
                                std::string(name_of(dtype)));
}

void Array::require_one() const {
  if (size_ != 1)
    throw std::invalid_argument("an array of shape " + to_text(type_.shape) + " where one element was expected");
}

Array Array::reshaped(Shape shape) const {
  if (element_count(shape) != static_cast<std::int64_t>(size_))
    throw std::invalid_argument("cannot reshape " + to_text(type_.shape) + " to " + to_text(shape));
  Array result = *this;
  result.type_.shape = std::move(shape);
  return result;
}

Array Array::row(std::size_t index) const {
  if (type_.shape.empty() || index >= static_cast<std::size_t>(type_.shape[0]))
    throw std::invalid_argument("row " + std::to_string(index) + " of an array of shape " + to_text(type_.shape));
  Array result(type_.dtype, Shape(type_.shape.begin() + 1, type_.shape.end()));
  std::memcpy(result.mutable_data(), storage_.get() + 4 * index * result.size_, 4 * result.size_);
  return result;
}

bool Array::operator==(const Array& other) const {
  return type_ == other.type_ && std::memcmp(data(), other.data(), 4 * size_) == 0;
}

Array stack_arrays(std::span<const Array> arrays) {
  if (arrays.empty()) throw std::invalid_argument("no arrays to stack");
  Shape shape = arrays[0].shape();
  shape.insert(shape.begin(), static_cast<std::int64_t>(arrays.size()));
  Array result(arrays[0].dtype(), std::move(shape));
  auto* to = static_cast<std::byte*>(result.mutable_data());
  for (const Array& array : arrays) {
    if (array.type() != arrays[0].type())
      throw std::invalid_argument("arrays of " + to_text(array.type()) + " and " + to_text(arrays[0].type()) +
                                  " cannot be stacked");
    std::memcpy(to, array.data(), 4 * array.size());
    to += 4 * array.size();
  }
  return result;
}

}  // namespace lopt
