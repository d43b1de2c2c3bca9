#pragma once
// The rate at which an optimizer does best, found by trying: how every `tuned` is tuned.

#include <cstddef>
#include <limits>
#include <optional>

namespace lopt {

/// The rate of least loss of those that were tried. One whose loss is not finite is the best only while there is none
/// before it.
struct BestRate {
  double rate = 0, loss = std::numeric_limits<double>::infinity();
  /// Whether this one is the best so far.
  bool add(double another, double its_loss);
};

/// Half-decades from 10⁻⁴ to 1, and on beyond them, as far as 10⁻¹⁰ and 10⁶, while the best of them is the last on its
/// side; `refined`, then two between the best of them and each of its neighbours.
///   while (const auto rate = search.next()) search.add(loss_at(*rate));
class RateSearch {
 public:
  enum class Precision { half_decades, refined };
  explicit RateSearch(Precision precision) : precision_(precision) {}

  /// What is to be tried next; none where the best is found.
  std::optional<double> next() const;
  /// The loss at next().
  void add(double loss);
  const BestRate& best() const { return best_; }
  /// How many rates were tried.
  int tried() const { return tried_; }
  /// Whether the best lies outside of 10⁻⁴ to 1.
  bool is_beyond() const;

 private:
  std::optional<int> next_half_decade() const;

  Precision precision_;
  BestRate best_;
  std::optional<int> best_half_decade_;  // 10^(k / 2)
  int lowest_ = 0, highest_ = 0;         // half-decades that were tried: all from the one to the other
  int tried_ = 0;
  std::size_t between_ = 0;  // of them rates between half-decades that were tried
};

}  // namespace lopt
