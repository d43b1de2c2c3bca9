#pragma once
// Named, ordered, nested collections: parameters, optimizer states and meta-parameters are trees.

#include <lopt/array.h>
#include <lopt/tensor.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

namespace lopt {

/// Two trees that should have the same names, or a name that is not there.
class TreeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Either a leaf or an ordered list of named trees. The path of a leaf is its names joined by '/': "params/w0".
template <class Leaf>
class BasicTree {
 public:
  using Entry = std::pair<std::string, BasicTree>;

  BasicTree() = default;
  BasicTree(Leaf leaf) : content_(std::move(leaf)) {}  // NOLINT(google-explicit-constructor): a leaf is a tree
  BasicTree(std::initializer_list<Entry> entries) : content_(std::vector<Entry>(entries)) {}
  explicit BasicTree(std::vector<Entry> entries) : content_(std::move(entries)) {}
  BasicTree(const BasicTree&);
  BasicTree(BasicTree&&) noexcept;
  BasicTree& operator=(const BasicTree&);
  BasicTree& operator=(BasicTree&&) noexcept;
  ~BasicTree();

  bool is_leaf() const { return std::holds_alternative<Leaf>(content_); }
  /// Throws TreeError if this is no leaf.
  const Leaf& leaf() const;
  Leaf& leaf();
  // theta["w0"] is used as a tensor.
  operator const Leaf&() const { return leaf(); }  // NOLINT(google-explicit-constructor)
  /// The named trees below; empty for a leaf.
  const std::vector<Entry>& entries() const;
  std::vector<Entry>& entries();

  bool contains(std::string_view name) const;
  /// Throws TreeError that lists the names there are.
  const BasicTree& operator[](std::string_view name) const;
  BasicTree& operator[](std::string_view name);
  /// Adds or replaces.
  void set(std::string name, BasicTree tree);

  /// All leaves, depth first, in order.
  std::vector<Leaf> leaves() const;
  /// Their paths.
  std::vector<std::string> paths() const;
  std::size_t leaf_count() const;
  /// f(leaf) of each leaf, in the same order.
  template <class Function>
  void for_leaves(Function f) const;
  template <class Function>
  void for_leaves(Function f);
  /// A tree of this structure with other leaves, in the order of leaves().
  template <class Other>
  BasicTree<Other> with_leaves(std::span<const Other> leaves) const;

 private:
  void collect_paths(const std::string& prefix, std::vector<std::string>& paths) const;
  template <class Other>
  BasicTree<Other> fill(std::span<const Other> leaves, std::size_t& next) const;

  std::variant<std::vector<Entry>, Leaf> content_;
};

/// A tree of a program's values.
using Tree = BasicTree<Tensor>;
/// A tree of arrays.
using Values = BasicTree<Array>;
/// A tree of types: the structure of a Tree or of Values.
using Types = BasicTree<Type>;

/// f of each leaf; of the leaves of two trees of one structure.
template <class Leaf, class Function>
auto map(Function f, const BasicTree<Leaf>& tree);
template <class Leaf, class Other, class Function>
auto map(Function f, const BasicTree<Leaf>& a, const BasicTree<Other>& b);
/// f(leaf of a, leaf of b) for the leaves of two trees of one structure. Throws TreeError where they are not.
template <class Leaf, class Other, class Function>
void for_leaves(Function f, BasicTree<Leaf>& a, const BasicTree<Other>& b);

// Arithmetic on each leaf. A tensor is a tree of one leaf.
Tree operator+(const Tree& a, const Tree& b);
Tree operator-(const Tree& a, const Tree& b);
Tree operator*(const Tree& a, const Tree& b);
Tree operator/(const Tree& a, const Tree& b);
Tree operator+(const Tree& a, const Tensor& b);
Tree operator-(const Tree& a, const Tensor& b);
Tree operator*(const Tree& a, const Tensor& b);
Tree operator/(const Tree& a, const Tensor& b);
Tree operator+(const Tensor& a, const Tree& b);
Tree operator-(const Tensor& a, const Tree& b);
Tree operator*(const Tensor& a, const Tree& b);
Tree operator/(const Tensor& a, const Tree& b);
Tree zeros_like(const Tree& tree);
Tree square(const Tree& tree);
Tree sqrt(const Tree& tree);
/// d loss / d leaf, for each leaf.
Tree gradient(const Tensor& loss, const Tree& with_respect_to);

Types types_of(const Tree& tree);
Types types_of(const Values& values);

// Implementation.

// Not in the class, so that they are among what the core has for all.
template <class Leaf>
BasicTree<Leaf>::BasicTree(const BasicTree&) = default;
template <class Leaf>
BasicTree<Leaf>::BasicTree(BasicTree&&) noexcept = default;
template <class Leaf>
BasicTree<Leaf>& BasicTree<Leaf>::operator=(const BasicTree&) = default;
template <class Leaf>
BasicTree<Leaf>& BasicTree<Leaf>::operator=(BasicTree&&) noexcept = default;
template <class Leaf>
BasicTree<Leaf>::~BasicTree() = default;

template <class Leaf>
const Leaf& BasicTree<Leaf>::leaf() const {
  if (!is_leaf()) throw TreeError("a tree of names where a single value was expected");
  return std::get<Leaf>(content_);
}
template <class Leaf>
Leaf& BasicTree<Leaf>::leaf() {
  return const_cast<Leaf&>(std::as_const(*this).leaf());
}
template <class Leaf>
const std::vector<typename BasicTree<Leaf>::Entry>& BasicTree<Leaf>::entries() const {
  static const std::vector<Entry> none;
  return is_leaf() ? none : std::get<std::vector<Entry>>(content_);
}
template <class Leaf>
std::vector<typename BasicTree<Leaf>::Entry>& BasicTree<Leaf>::entries() {
  if (is_leaf()) throw TreeError("a single value where a tree of names was expected");
  return std::get<std::vector<Entry>>(content_);
}
template <class Leaf>
bool BasicTree<Leaf>::contains(std::string_view name) const {
  for (const auto& [key, tree] : entries())
    if (key == name) return true;
  return false;
}
template <class Leaf>
const BasicTree<Leaf>& BasicTree<Leaf>::operator[](std::string_view name) const {
  std::string there;
  for (const auto& [key, tree] : entries()) {
    if (key == name) return tree;
    there += (there.empty() ? "" : ", ") + key;
  }
  throw TreeError("there is no '" + std::string(name) +
                  "' in this tree; it has: " + (there.empty() ? "nothing" : there));
}
template <class Leaf>
BasicTree<Leaf>& BasicTree<Leaf>::operator[](std::string_view name) {
  return const_cast<BasicTree&>(std::as_const(*this)[name]);
}
template <class Leaf>
void BasicTree<Leaf>::set(std::string name, BasicTree tree) {
  for (auto& [key, old] : entries())
    if (key == name) {
      old = std::move(tree);
      return;
    }
  entries().emplace_back(std::move(name), std::move(tree));
}
template <class Leaf>
template <class Function>
void BasicTree<Leaf>::for_leaves(Function f) const {
  if (is_leaf()) return static_cast<void>(f(leaf()));
  for (const auto& [key, tree] : entries()) tree.template for_leaves<Function&>(f);
}
template <class Leaf>
template <class Function>
void BasicTree<Leaf>::for_leaves(Function f) {
  if (is_leaf()) return static_cast<void>(f(leaf()));
  for (auto& [key, tree] : entries()) tree.template for_leaves<Function&>(f);
}
template <class Leaf>
std::vector<Leaf> BasicTree<Leaf>::leaves() const {
  std::vector<Leaf> result;
  result.reserve(leaf_count());
  for_leaves([&](const Leaf& leaf) { result.push_back(leaf); });
  return result;
}
template <class Leaf>
void BasicTree<Leaf>::collect_paths(const std::string& prefix, std::vector<std::string>& paths) const {
  if (is_leaf()) return paths.push_back(prefix);
  for (const auto& [key, tree] : entries()) tree.collect_paths(prefix.empty() ? key : prefix + "/" + key, paths);
}
template <class Leaf>
std::vector<std::string> BasicTree<Leaf>::paths() const {
  std::vector<std::string> result;
  collect_paths({}, result);
  return result;
}
template <class Leaf>
std::size_t BasicTree<Leaf>::leaf_count() const {
  if (is_leaf()) return 1;
  std::size_t count = 0;
  for (const auto& [key, tree] : entries()) count += tree.leaf_count();
  return count;
}
template <class Leaf>
template <class Other>
BasicTree<Other> BasicTree<Leaf>::fill(std::span<const Other> leaves, std::size_t& next) const {
  if (is_leaf()) return BasicTree<Other>(leaves[next++]);
  std::vector<typename BasicTree<Other>::Entry> result;
  for (const auto& [key, tree] : entries()) result.emplace_back(key, tree.template fill<Other>(leaves, next));
  return BasicTree<Other>(std::move(result));
}
template <class Leaf>
template <class Other>
BasicTree<Other> BasicTree<Leaf>::with_leaves(std::span<const Other> leaves) const {
  if (leaves.size() != leaf_count())
    throw TreeError(std::to_string(leaves.size()) + " leaves for a tree of " + std::to_string(leaf_count()));
  std::size_t next = 0;
  return fill<Other>(leaves, next);
}

template <class Leaf, class Function>
auto map(Function f, const BasicTree<Leaf>& tree) {
  using Result = std::decay_t<decltype(f(std::declval<const Leaf&>()))>;
  if (tree.is_leaf()) return BasicTree<Result>(f(tree.leaf()));
  std::vector<typename BasicTree<Result>::Entry> result;
  result.reserve(tree.entries().size());
  for (const auto& [key, below] : tree.entries()) result.emplace_back(key, map<Leaf, Function&>(f, below));
  return BasicTree<Result>(std::move(result));
}

/// Whether two trees have the same names in the same places.
template <class Leaf, class Other>
bool same_structure(const BasicTree<Leaf>& a, const BasicTree<Other>& b) {
  if (a.is_leaf() || b.is_leaf()) return a.is_leaf() && b.is_leaf();
  return std::equal(
      a.entries().begin(), a.entries().end(), b.entries().begin(), b.entries().end(),
      [](const auto& x, const auto& y) { return x.first == y.first && same_structure(x.second, y.second); });
}
template <class Leaf, class Other>
void require_same_structure(const BasicTree<Leaf>& a, const BasicTree<Other>& b) {
  if (same_structure(a, b) || a.paths() == b.paths()) return;  // trees without leaves do not count
  auto list = [](const std::vector<std::string>& paths) {
    std::string text;
    for (const std::string& path : paths) text += (text.empty() ? "" : ", ") + path;
    return "{" + text + "}";
  };
  throw TreeError("two trees of different structure: " + list(a.paths()) + " and " + list(b.paths()));
}

template <class Leaf>
std::vector<const Leaf*> leaf_addresses(const BasicTree<Leaf>& tree) {
  std::vector<const Leaf*> result;
  tree.for_leaves([&](const Leaf& leaf) { result.push_back(&leaf); });
  return result;
}

template <class Leaf, class Other, class Function>
auto map(Function f, const BasicTree<Leaf>& a, const BasicTree<Other>& b) {
  require_same_structure(a, b);
  const std::vector<const Other*> right = leaf_addresses(b);
  std::size_t next = 0;
  return map([&](const Leaf& left) { return f(left, *right[next++]); }, a);
}
template <class Leaf, class Other, class Function>
void for_leaves(Function f, BasicTree<Leaf>& a, const BasicTree<Other>& b) {
  require_same_structure(a, b);
  const std::vector<const Other*> right = leaf_addresses(b);
  std::size_t next = 0;
  a.for_leaves([&](Leaf& left) { f(left, *right[next++]); });
}

// The core has these: a file that uses trees need not make them anew.
extern template class BasicTree<Tensor>;
extern template class BasicTree<Array>;
extern template class BasicTree<Type>;

}  // namespace lopt
