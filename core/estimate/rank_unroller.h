#pragma once
// The lanes of a shard, shared among the ranks that work for it. Each runs the same estimator on the same θ, with the
// same noise from the same keys; but of the lanes it steps its own alone. What travels is the lanes' losses, for exact
// gradients their sum, and each lane's where an estimator asks for it; states never do. Sums are made by halves of all
// lanes, so the results are the same bits for any number of ranks.

#include "estimate/collectives.h"
#include "estimate/lane_unroller.h"

namespace lopt {

class RankUnroller final : public Unroller {
 public:
  RankUnroller(const LaneUnroller& lanes, Communicator& ranks) : lanes_(lanes), ranks_(ranks) {}

  std::vector<Lane> start(std::span<const LaneStart> starts) const override;
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas, const UnrollOptions& options) const override;
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override;
  Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                const TangentOptions& tangents, Slopes& slopes) const override;
  Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                      const UnrollOptions& options, bool from_start, std::span<const HostKey> signs,
                                      LaneGradients& gradients) const override;

  /// Lanes of all ranks that had a loss that was not finite, in the unrolls since this was last asked.
  std::int64_t take_diverged() const;
  /// Rank 0 gets all of all lanes; the others keep what they have.
  void gather(std::vector<Lane>& lanes) const;
  /// Deals lanes out whose states all ranks have: each keeps those of its own.
  void scatter(std::vector<Lane>& lanes) const;

 private:
  std::uint32_t owner_of(std::size_t lane, std::size_t count) const;
  bool is_mine(const Lane& lane) const { return lane.owner == static_cast<std::uint32_t>(ranks_.rank()); }
  /// Of a list with an entry for each lane, those of my lanes.
  template <class T>
  std::vector<T> of_mine(const std::vector<Lane>& lanes, std::span<const T> all) const;
  /// Every lane's tree, structured as `theta`: mine are given leaf by leaf.
  std::vector<std::vector<Array>> exchange_trees(const std::vector<Lane>& lanes, const Values& theta,
                                                 const std::vector<std::vector<Array>>& mine) const;
  /// The sum of every lane's gradient, structured as `theta`: mine are given leaf by leaf. Where lanes lie by rank,
  /// sums travel; else each lane's.
  std::vector<Array> sum_of(const std::vector<Lane>& lanes, const Values& theta,
                            std::vector<std::vector<Array>> mine) const;
  /// My lanes out of all, and what they become put back.
  std::vector<Lane> take_mine(std::vector<Lane>& lanes) const;
  Unrolled put_together(std::vector<Lane> lanes, Unrolled mine, const UnrollOptions& options) const;
  /// Every lane's row of `width` floats: mine are given, the others' come.
  std::vector<float> exchange(const std::vector<Lane>& lanes, std::span<const float> mine, std::size_t width) const;

  const LaneUnroller& lanes_;
  Communicator& ranks_;
};

}  // namespace lopt
