#pragma once
// The reference executor: one primitive after the other in xtensor. Slow and evident; the oracle for the planned
// executor.

#include "program/program.h"

namespace lopt {

enum class Precision { float32, float64 };

/// Evaluates a program. In float64 the results are rounded to float32 at the end. Throws std::invalid_argument if an
/// input has not the type that the program expects.
std::vector<Array> evaluate_reference(const Program& program, std::span<const Array> inputs,
                                      Precision precision = Precision::float32);

/// The same in float64, with the results of real numbers unrounded, element by element.
std::vector<std::vector<double>> evaluate_float64(const Program& program, std::span<const std::vector<double>> inputs);

/// One operation on float32 values in memory: what the planned executor falls back to.
void evaluate_operation(const Operation& operation, std::span<const Type> types, std::span<const void* const> inputs,
                        void* output);

}  // namespace lopt
