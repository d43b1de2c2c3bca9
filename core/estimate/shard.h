#pragma once
// Shards of a meta-training: its estimator, as often as the spec says, each time with problems, noise and batches of
// its own. The meta-gradient is the mean of theirs. A shard knows nothing of the others, so whoever works for it needs
// nothing of them: ranks share shards, and what travels is sums of meta-gradients. Where there are more ranks than
// shards, those of a shard share its lanes (RankUnroller).

#include "estimate/collectives.h"
#include "estimate/member_losses.h"

#include <algorithm>

namespace lopt {

/// Streams of neighbouring shards are so far apart.
constexpr std::uint32_t streams_a_shard = 1U << 18;
constexpr int most_shards = 1 << 13;

/// Which rank works for which shards.
struct ShardLayout {
  int shards = 1, ranks = 1;

  /// A rank's shards are [first_of(rank), first_of(rank + 1)), or, where ranks are more, first_of(rank) alone.
  int first_of(int rank) const { return static_cast<int>(std::int64_t{rank} * shards / ranks); }
  int last_of(int rank) const { return std::max(first_of(rank + 1), first_of(rank) + 1); }
  /// The first of the ranks that work for a shard: it speaks for it.
  int leader_of(int shard) const;
  /// How many work for it.
  int ranks_of(int shard) const;
};

/// The randomness of a shard: where there is one alone, the key as it is.
HostKey shard_key(HostKey key, int shard, int shards);

/// What an estimator sees that works for a shard: the problems that it starts see batches of their own.
class ShardUnroller final : public Unroller {
 public:
  ShardUnroller(const Unroller& inner, int shard)
      : inner_(inner), first_stream_(static_cast<std::uint32_t>(shard) * streams_a_shard) {}

  std::vector<Lane> start(std::span<const LaneStart> starts) const override;
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                  const UnrollOptions& options) const override {
    return inner_.unroll(std::move(lanes), thetas, options);
  }
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override {
    return inner_.unroll_with_gradient(std::move(lanes), theta, options, from_start, gradient);
  }
  Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                const TangentOptions& tangents, Slopes& slopes) const override {
    return inner_.unroll_with_tangents(std::move(lanes), theta, options, tangents, slopes);
  }
  Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                      const UnrollOptions& options, bool from_start, std::span<const HostKey> signs,
                                      LaneGradients& gradients) const override {
    return inner_.unroll_with_lane_gradients(std::move(lanes), thetas, options, from_start, signs, gradients);
  }

 private:
  const Unroller& inner_;
  std::uint32_t first_stream_;
};

/// What shards found in a meta-step, summed up: an estimate, and what a report wants to know.
struct ShardSum {
  Values gradient;
  double loss = 0;
  std::int64_t diverged = 0;                    // lanes that had a loss that was not finite
  std::int64_t lanes = 0, age = 0, length = 0;  // problems under way; their steps until now, and in all
  std::map<std::uint32_t, LossSum> members;

  ShardSum& operator+=(const ShardSum& other);
};

/// As bytes, and back: `structure` is structured as the gradient.
std::vector<std::byte> encoded(const ShardSum& sum);
ShardSum decoded(std::span<const std::byte> bytes, const Values& structure);

/// The mean over all shards of gradient and loss, and the sum of the rest, at every rank, with the same bits for any
/// number of ranks. `own`: of my shards, one after the other. `ranks`: null where there is one; else all must call it.
ShardSum mean_of_shards(Communicator* ranks, const ShardLayout& layout, std::vector<ShardSum> own);

/// Gradient and loss of so many shards as a mean, where they are a sum.
ShardSum mean_of(ShardSum sum, int shards);

/// What other ranks keep of their shards, at rank 0, shard after shard; nothing for those that it leads itself, and
/// nothing at all elsewhere. `state`: the bytes of a shard that this rank leads. All ranks must call it.
std::vector<std::vector<std::byte>> shards_of_others(Communicator& ranks, const ShardLayout& layout,
                                                     const std::function<std::string(int shard)>& state);

}  // namespace lopt
