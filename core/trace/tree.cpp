#include <lopt/tree.h>

namespace lopt {

Tree operator+(const Tree& a, const Tree& b) {
  return map([](const Tensor& x, const Tensor& y) { return x + y; }, a, b);
}
Tree operator-(const Tree& a, const Tree& b) {
  return map([](const Tensor& x, const Tensor& y) { return x - y; }, a, b);
}
Tree operator*(const Tree& a, const Tree& b) {
  return map([](const Tensor& x, const Tensor& y) { return x * y; }, a, b);
}
Tree operator/(const Tree& a, const Tree& b) {
  return map([](const Tensor& x, const Tensor& y) { return x / y; }, a, b);
}
Tree operator+(const Tree& a, const Tensor& b) {
  return map([&](const Tensor& x) { return x + b; }, a);
}
Tree operator-(const Tree& a, const Tensor& b) {
  return map([&](const Tensor& x) { return x - b; }, a);
}
Tree operator*(const Tree& a, const Tensor& b) {
  return map([&](const Tensor& x) { return x * b; }, a);
}
Tree operator+(const Tensor& a, const Tree& b) {
  return map([&](const Tensor& x) { return a + x; }, b);
}
Tree operator-(const Tensor& a, const Tree& b) {
  return map([&](const Tensor& x) { return a - x; }, b);
}
Tree operator*(const Tensor& a, const Tree& b) {
  return map([&](const Tensor& x) { return a * x; }, b);
}
Tree operator/(const Tensor& a, const Tree& b) {
  return map([&](const Tensor& x) { return a / x; }, b);
}
Tree operator/(const Tree& a, const Tensor& b) {
  return map([&](const Tensor& x) { return x / b; }, a);
}
Tree zeros_like(const Tree& tree) {
  return map([](const Tensor& x) { return zeros_like(x); }, tree);
}
Tree square(const Tree& tree) {
  return map([](const Tensor& x) { return square(x); }, tree);
}
Tree sqrt(const Tree& tree) {
  return map([](const Tensor& x) { return sqrt(x); }, tree);
}

Tree gradient(const Tensor& loss, const Tree& with_respect_to) {
  return with_respect_to.with_leaves<Tensor>(gradient(loss, with_respect_to.leaves()));
}

Types types_of(const Tree& tree) {
  return map([](const Tensor& x) { return x.type(); }, tree);
}
Types types_of(const Values& values) {
  return map([](const Array& x) { return x.type(); }, values);
}

}  // namespace lopt
