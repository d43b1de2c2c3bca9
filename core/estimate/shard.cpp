#include "estimate/shard.h"

#include "estimate/lane_stepper.h"

#include <lopt/dataset.h>

#include <cstring>

namespace lopt {
namespace {

/// Numbers one after the other in a message. They are sent between like processors.
class MessageWriter {
 public:
  template <class T>
  void put(const T& value) {
    put(std::span(&value, 1));
  }
  template <class T>
  void put(std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};
class MessageReader {
 public:
  explicit MessageReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <class T>
  T get() {
    T value{};
    get(std::span(&value, 1));
    return value;
  }
  template <class T>
  void get(std::span<T> values) {
    if (bytes_.size() < values.size_bytes()) throw DataError("what a meta-step found is cut short, or of another θ");
    std::memcpy(values.data(), bytes_.data(), values.size_bytes());
    bytes_ = bytes_.subspan(values.size_bytes());
  }
  bool ended() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace

ShardSum mean_of(ShardSum sum, int shards) {
  const float share = 1.0F / static_cast<float>(shards);
  sum.gradient = map(
      [share](Array leaf) {
        for (float& x : leaf.mutable_values<float>()) x *= share;
        return leaf;
      },
      sum.gradient);
  sum.loss /= shards;
  return sum;
}

std::vector<std::byte> encoded(const ShardSum& sum) {
  MessageWriter writer;
  for (const Array& leaf : sum.gradient.leaves()) writer.put(leaf.values<float>());
  writer.put(sum.loss);
  for (const std::int64_t number : {sum.diverged, sum.lanes, sum.age, sum.length}) writer.put(number);
  for (const auto& [member, losses] : sum.members) {
    writer.put(member);
    writer.put(losses.total);
    writer.put(losses.count);
  }
  return writer.take();
}

ShardSum decoded(std::span<const std::byte> bytes, const Values& structure) {
  MessageReader reader(bytes);
  ShardSum sum;
  std::vector<Array> leaves = arrays_of(types_of(structure).leaves());
  for (Array& leaf : leaves) reader.get(leaf.mutable_values<float>());
  sum.gradient = structure.with_leaves<Array>(leaves);
  sum.loss = reader.get<double>();
  for (std::int64_t* number : {&sum.diverged, &sum.lanes, &sum.age, &sum.length}) *number = reader.get<std::int64_t>();
  while (!reader.ended()) {
    const auto member = reader.get<std::uint32_t>();
    const auto losses = reader.get<double>();
    sum.members[member] = {losses, reader.get<std::int64_t>()};
  }
  return sum;
}

int ShardLayout::leader_of(int shard) const {
  if (ranks <= shards) return static_cast<int>(((std::int64_t{shard} + 1) * ranks - 1) / shards);
  return static_cast<int>((std::int64_t{shard} * ranks + shards - 1) / shards);
}

int ShardLayout::ranks_of(int shard) const {
  if (ranks <= shards) return 1;
  return (shard + 1 < shards ? leader_of(shard + 1) : ranks) - leader_of(shard);
}

HostKey shard_key(HostKey key, int shard, int shards) {
  return shards == 1 ? key : fold_in(key, static_cast<std::uint32_t>(shard));
}

std::vector<Lane> ShardUnroller::start(std::span<const LaneStart> starts) const {
  std::vector<LaneStart> own;
  for (const LaneStart& start : starts)
    own.push_back({start.theta, start.key, first_stream_ + start.stream, start.position});
  return inner_.start(own);
}

ShardSum& ShardSum::operator+=(const ShardSum& other) {
  add_scaled(gradient, 1, other.gradient);
  loss += other.loss;
  diverged += other.diverged;
  lanes += other.lanes;
  age += other.age;
  length += other.length;
  for (const auto& [member, losses] : other.members) {
    LossSum& sum = members[member];
    sum.total += losses.total;
    sum.count += losses.count;
  }
  return *this;
}

std::vector<std::vector<std::byte>> shards_of_others(Communicator& ranks, const ShardLayout& layout,
                                                     const std::function<std::string(int shard)>& state) {
  // One rank after the other: rank 0 has no more under way than what it keeps.
  // Meanwhile the others wait for it, and give up later (collectives.cpp).
  constexpr double patience = 1.5;
  std::vector<std::vector<std::byte>> all(ranks.rank() == 0 ? static_cast<std::size_t>(layout.shards) : 0);
  for (int shard = 0; shard < layout.shards; ++shard) {
    const int leader = layout.leader_of(shard);
    if (leader == 0) continue;
    if (leader == ranks.rank()) ranks.send(0, bytes_of(state(shard)));
    if (ranks.rank() == 0) all[static_cast<std::size_t>(shard)] = ranks.receive(leader, patience);
  }
  return all;
}

ShardSum mean_of_shards(Communicator* ranks, const ShardLayout& layout, std::vector<ShardSum> own) {
  // The ranks of one shard have all of it already.
  if (layout.shards == 1) return std::move(own[0]);
  if (!ranks)
    return mean_of(sum_by_halves(std::span(own), [](ShardSum& left, const ShardSum& right) { left += right; }),
                   layout.shards);
  const Values structure = own[0].gradient;
  const auto first = static_cast<std::size_t>(layout.first_of(ranks->rank()));
  const DealtParts parts{static_cast<std::size_t>(layout.shards),
                         [&](std::size_t shard) { return layout.leader_of(static_cast<int>(shard)); }};
  const SumRules rules{[&](std::size_t shard) { return encoded(own[shard - first]); },
                       [&](std::vector<std::byte>& left, const std::vector<std::byte>& right) {
                         ShardSum sum = decoded(left, structure);
                         left = encoded(sum += decoded(right, structure));
                       }};
  std::optional<std::vector<std::byte>> sum = sum_in_a_tree(*ranks, parts, rules);
  const std::vector<std::byte> bytes = broadcast(*ranks, sum ? std::move(*sum) : std::vector<std::byte>());
  return mean_of(decoded(bytes, structure), layout.shards);
}

}  // namespace lopt
