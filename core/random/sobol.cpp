#include "random/erf_inv.h"

#include <lopt/random.h>

#include <boost/random/sobol.hpp>

#include <cmath>
#include <stdexcept>

namespace lopt {

// The tables are those of Joe and Kuo, Constructing Sobol sequences with better two-dimensional projections, 2008.
Array quasi_normal(HostKey key, std::int64_t count, std::int64_t dimensions) {
  if (dimensions < 1 || dimensions > most_quasi_dimensions)
    throw std::invalid_argument("Sobol's sequence has 1 to " + std::to_string(most_quasi_dimensions) +
                                " dimensions, not " + std::to_string(dimensions));
  const Array shifts = random_bits(key, {dimensions});
  const auto turned_by = shifts.values<std::uint32_t>();
  boost::random::sobol_engine<std::uint32_t, 32> sequence(static_cast<std::size_t>(dimensions));
  Array result(DType::float32, {count, dimensions});
  const auto to = result.mutable_values<float>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::uint32_t bits = sequence() ^ turned_by[i % turned_by.size()];
    // The middle of the interval that the bits stand for: never 0 or 1.
    const double uniform = (static_cast<double>(bits) + 0.5) / 4294967296.0;
    to[i] = static_cast<float>(std::sqrt(2.0) * erf_inverse(2 * uniform - 1));
  }
  return result;
}

}  // namespace lopt
