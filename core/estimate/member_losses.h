#pragma once
#include <lopt/estimator.h>

#include <map>
#include <utility>

namespace lopt {

/// Losses of a member: their sum, and how many they are.
struct LossSum {
  double total = 0;
  std::int64_t count = 0;
};

/// An unroller that remembers which members of a family had which losses.
class MemberLosses final : public Unroller {
 public:
  explicit MemberLosses(const Unroller& inner) : inner_(inner) {}

  std::vector<Lane> start(std::span<const LaneStart> starts) const override { return inner_.start(starts); }
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                  const UnrollOptions& options) const override {
    return noted(inner_.unroll(std::move(lanes), thetas, options), options.steps);
  }
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override {
    return noted(inner_.unroll_with_gradient(std::move(lanes), theta, options, from_start, gradient), options.steps);
  }
  Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                const TangentOptions& tangents, Slopes& slopes) const override {
    return noted(inner_.unroll_with_tangents(std::move(lanes), theta, options, tangents, slopes), options.steps);
  }
  Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                      const UnrollOptions& options, bool from_start, std::span<const HostKey> signs,
                                      LaneGradients& gradients) const override {
    return noted(inner_.unroll_with_lane_gradients(std::move(lanes), thetas, options, from_start, signs, gradients),
                 options.steps);
  }

  /// Each member's losses since this was last asked; those that took no part are left out.
  std::map<std::uint32_t, LossSum> take() const { return std::exchange(sums_, {}); }

 private:
  Unrolled noted(Unrolled unrolled, int steps) const;

  const Unroller& inner_;
  mutable std::map<std::uint32_t, LossSum> sums_;
};

}  // namespace lopt
