#pragma once
// Whether it matters to a program in which order the elements of its tensors lie.

#include "program/program.h"

namespace lopt {

/// True where the elements of a tensor of one of `shapes`, and what is made of each, are never told from each other by
/// their places: they are worked on one by one, by a network on each too, or summed over all. In another order of the
/// elements the program then gives the same in that order, but for the rounding of sums. Inputs whose shapes begin with
/// one of these are taken for such tensors, with a row of numbers for each element.
bool any_order_will_do(const Program& program, const std::vector<Shape>& shapes);

/// True where two programs do the same with values whose shapes may differ: the same operations on the same values,
/// with the same constants.
bool same_but_for_shapes(const Program& a, const Program& b);

}  // namespace lopt
