#include "embed/row_order.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace lopt {
namespace {

/// What a value has to do with the elements of a tensor.
struct Rows {
  const Shape* of = nullptr;  // it has a row for each element of such a tensor, in their order; null: it has not
  std::int64_t alike = 1;     // it has not: into how many equal parts it can be cut, one after the other
};

bool is_one(const Type& type) { return element_count(type.shape) == 1; }

class Analysis {
 public:
  Analysis(const Program& program, const std::vector<Shape>& shapes) : program_(program), shapes_(shapes) {}

  bool run() {
    for (const Operation& op : program_.operations) {
      const std::optional<Rows> rows = rows_of(op);
      if (!rows) return false;
      rows_.push_back(*rows);
    }
    return true;
  }

 private:
  const Type& type(ValueId value) const { return program_.type(value); }

  /// Of an operation's result; none where places count.
  std::optional<Rows> rows_of(const Operation& op) const {
    if (op.primitive->fusion == Fusion::leaf) return of_leaf(op);
    const Shape* of = nullptr;
    for (const ValueId input : op.inputs) {
      if (rows_[input].of && of && rows_[input].of != of) return std::nullopt;
      if (rows_[input].of) of = rows_[input].of;
    }
    if (!of) return Rows{nullptr, alike(op)};
    if (is_summed_up(op)) return Rows{};
    if (keeps_rows(op, *of)) return Rows{of};
    return std::nullopt;
  }

  Rows of_leaf(const Operation& op) const {
    if (const auto* constant = std::get_if<Constant>(&op.attributes)) {
      const auto words = std::span(static_cast<const std::uint32_t*>(constant->value.data()), constant->value.size());
      const bool same = std::adjacent_find(words.begin(), words.end(), std::not_equal_to<>()) == words.end();
      return {nullptr, same ? element_count(op.type.shape) : 1};
    }
    for (const Shape& shape : shapes_)
      if (shape.size() <= op.type.shape.size() && std::equal(shape.begin(), shape.end(), op.type.shape.begin()))
        return {&shape};
    return {};
  }

  /// Of a value that has no rows.
  std::int64_t alike(const Operation& op) const {
    if (op.primitive->fusion == Fusion::elementwise) {
      std::int64_t parts = 0;
      for (const ValueId input : op.inputs)
        if (!is_one(type(input))) parts = std::gcd(parts, rows_[input].alike);
      return std::max<std::int64_t>(parts, 1);
    }
    if (op.primitive->name == "reshape") return rows_[op.inputs[0]].alike;
    if (op.primitive->name != "broadcast") return 1;
    const Shape &from = type(op.inputs[0]).shape, &to = op.type.shape;
    std::int64_t parts = 1;
    for (std::size_t i = 0; i < to.size(); parts *= to[i++])
      if (const std::size_t added = to.size() - from.size(); i >= added && from[i - added] != 1) break;
    return parts;
  }

  /// How many first dimensions go over the elements of a tensor; none where they do not.
  static std::optional<std::size_t> dimensions_of_rows(const Shape& shape, const Shape& of) {
    std::int64_t rows = 1;
    for (std::size_t i = 0; i <= shape.size(); rows *= shape[i++]) {
      if (rows == element_count(of)) return i;
      if (i == shape.size()) break;
    }
    return std::nullopt;
  }

  /// A sum or maximum over all rows.
  bool is_summed_up(const Operation& op) const {
    if (op.primitive->fusion != Fusion::reduction) return false;
    const auto dimensions = dimensions_of_rows(type(op.inputs[0]).shape, *rows_[op.inputs[0]].of);
    const std::vector<int>& axes = std::get<Axes>(op.attributes).axes;
    for (std::size_t i = 0; i < dimensions.value_or(0); ++i)
      if (std::find(axes.begin(), axes.end(), static_cast<int>(i)) == axes.end()) return false;
    return dimensions.has_value();
  }

  bool keeps_rows(const Operation& op, const Shape& of) const {
    const std::string_view name = op.primitive->name;
    const auto dimensions = dimensions_of_rows(op.type.shape, of);
    if (!dimensions) return false;
    const std::size_t first = *dimensions;  // of those within a row
    if (op.primitive->fusion == Fusion::elementwise)
      return std::all_of(op.inputs.begin(), op.inputs.end(), [&](ValueId input) {
        return is_one(type(input)) || (type(input).shape == op.type.shape && is_alike_in_rows(input, of));
      });
    if (name == "concatenate")
      return std::get<Axes>(op.attributes).axes[0] >= static_cast<int>(first) &&
             std::all_of(op.inputs.begin(), op.inputs.end(),
                         [&](ValueId input) { return is_alike_in_rows(input, of); });
    if (op.primitive->fusion == Fusion::matmul)
      return !std::get<Transposed>(op.attributes).a && !rows_[op.inputs[1]].of && first == 1;
    const Shape& from = type(op.inputs[0]).shape;
    if (name == "reshape" || name == "stop_gradient") return dimensions_of_rows(from, of).has_value();
    // What is left must leave the first dimensions alone.
    if (from.size() < first ||
        !std::equal(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(first), op.type.shape.begin()))
      return false;
    if (op.primitive->fusion == Fusion::reduction || name == "slice" || name == "pad") return true;
    if (name == "broadcast") return from.size() == op.type.shape.size();
    if (name == "transpose") {
      const std::vector<int>& axes = std::get<Axes>(op.attributes).axes;
      for (std::size_t i = 0; i < first; ++i)
        if (axes[i] != static_cast<int>(i)) return false;
      return true;
    }
    return false;
  }
  /// A row for each element, or the same for all.
  bool is_alike_in_rows(ValueId value, const Shape& of) const {
    return rows_[value].of || rows_[value].alike % element_count(of) == 0;
  }

  const Program& program_;
  const std::vector<Shape>& shapes_;
  std::vector<Rows> rows_;  // by value
};

}  // namespace

bool any_order_will_do(const Program& program, const std::vector<Shape>& shapes) {
  return Analysis(program, shapes).run();
}

bool same_but_for_shapes(const Program& a, const Program& b) {
  const auto same_constant = [](const Operation& x, const Operation& y) {
    const auto *one = std::get_if<Constant>(&x.attributes), *other = std::get_if<Constant>(&y.attributes);
    if (!one || !other) return !one && !other;
    return one->value.size() == other->value.size() && one->value.reshaped(other->value.shape()) == other->value;
  };
  return a.inputs == b.inputs && a.outputs == b.outputs &&
         std::equal(a.operations.begin(), a.operations.end(), b.operations.begin(), b.operations.end(),
                    [&](const Operation& x, const Operation& y) {
                      return x.primitive == y.primitive && x.inputs == y.inputs && same_constant(x, y);
                    });
}

}  // namespace lopt
