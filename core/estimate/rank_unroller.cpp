#include "estimate/rank_unroller.h"

#include "estimate/lane_tangent.h"

#include <cstring>
#include <numeric>

namespace lopt {

namespace {
/// Where each rank's part begins among the parts of all.
std::vector<std::size_t> starts_of(const std::vector<std::size_t>& sizes) {
  std::vector<std::size_t> starts(sizes.size(), 0);
  std::partial_sum(sizes.begin(), sizes.end() - 1, starts.begin() + 1);
  return starts;
}
}  // namespace

std::uint32_t RankUnroller::owner_of(std::size_t lane, std::size_t count) const {
  return static_cast<std::uint32_t>(lane * static_cast<std::size_t>(ranks_.size()) / count);
}

std::vector<Lane> RankUnroller::start(std::span<const LaneStart> starts) const {
  std::vector<LaneStart> mine;
  std::vector<Lane> lanes(starts.size());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    lanes[i].stream = starts[i].stream;
    lanes[i].position = starts[i].position;
    lanes[i].key = starts[i].key;
    lanes[i].owner = owner_of(i, starts.size());
    if (is_mine(lanes[i])) mine.push_back(starts[i]);
  }
  std::vector<Lane> started = lanes_.start(mine);
  auto next = started.begin();
  for (Lane& lane : lanes)
    if (is_mine(lane)) {
      next->owner = lane.owner;
      lane = std::move(*next++);
    }
  return lanes;
}

std::vector<Lane> RankUnroller::take_mine(std::vector<Lane>& lanes) const {
  std::vector<Lane> mine;
  for (Lane& lane : lanes)
    if (is_mine(lane)) mine.push_back(std::move(lane));
  return mine;
}

std::vector<float> RankUnroller::exchange(const std::vector<Lane>& lanes, std::span<const float> mine,
                                          std::size_t width) const {
  std::vector<std::size_t> sizes(static_cast<std::size_t>(ranks_.size()), 0);
  for (const Lane& lane : lanes) sizes[lane.owner] += width * sizeof(float);
  const std::vector<std::byte> bytes = ranks_.all_gather(std::as_bytes(mine), sizes);
  std::vector<std::size_t> next = starts_of(sizes);  // where a rank's rows go on
  std::vector<float> rows(lanes.size() * width);
  for (std::size_t i = 0; i < lanes.size() && width > 0; ++i) {
    std::memcpy(&rows[i * width], &bytes[next[lanes[i].owner]], width * sizeof(float));
    next[lanes[i].owner] += width * sizeof(float);
  }
  return rows;
}

Unrolled RankUnroller::put_together(std::vector<Lane> lanes, Unrolled mine, const UnrollOptions& options) const {
  const auto steps = static_cast<std::size_t>(options.steps);
  Unrolled result{std::move(lanes), {}, {}};
  result.losses = exchange(result.lanes, mine.losses, steps);
  result.began.resize(result.losses.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < result.lanes.size(); ++i) {
    if (!is_mine(result.lanes[i])) {
      result.lanes[i].state = Values();
      result.lanes[i].tangents.clear();
      LaneStepper::follow(result.lanes[i], options, &result.began[i * steps]);
      continue;
    }
    std::copy_n(&mine.began[next * steps], steps, &result.began[i * steps]);
    const std::uint32_t owner = result.lanes[i].owner;
    result.lanes[i] = std::move(mine.lanes[next++]);
    result.lanes[i].owner = owner;
  }
  return result;
}

template <class T>
std::vector<T> RankUnroller::of_mine(const std::vector<Lane>& lanes, std::span<const T> all) const {
  std::vector<T> mine;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (is_mine(lanes[i])) mine.push_back(all[i]);
  return mine;
}

Unrolled RankUnroller::unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                              const UnrollOptions& options) const {
  const std::vector<Values> my_thetas = of_mine(lanes, thetas);
  Unrolled mine = lanes_.unroll(take_mine(lanes), my_thetas, options);
  return put_together(std::move(lanes), std::move(mine), options);
}

std::vector<std::vector<Array>> RankUnroller::exchange_trees(const std::vector<Lane>& lanes, const Values& theta,
                                                             const std::vector<std::vector<Array>>& mine) const {
  std::vector<float> rows;
  std::size_t width = 0;
  for (const Array& leaf : theta.leaves()) width += leaf.size();
  for (const std::vector<Array>& leaves : mine)
    for (const Array& leaf : leaves) rows.insert(rows.end(), leaf.values<float>().begin(), leaf.values<float>().end());
  const std::vector<float> all = exchange(lanes, rows, width);
  std::vector<std::vector<Array>> trees;
  const float* at = all.data();
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    trees.emplace_back();
    for (const Array& leaf : theta.leaves()) {
      trees.back().emplace_back(leaf.shape(), std::span(at, leaf.size()));
      at += leaf.size();
    }
  }
  return trees;
}

Unrolled RankUnroller::unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            bool from_start, Values& gradient) const {
  const float weight = 1.0F / static_cast<float>(lanes.size() * static_cast<std::size_t>(options.steps));
  LaneUnroller::GradientRows rows;
  std::vector<Lane> my_lanes = take_mine(lanes);
  const std::vector<Values> thetas(my_lanes.size(), theta);
  Unrolled mine = lanes_.unroll_with_gradients(std::move(my_lanes), thetas, options, from_start, weight, {}, rows);
  std::vector<std::vector<Array>> all = exchange_trees(lanes, theta, rows.of_losses);
  Unrolled result = put_together(std::move(lanes), std::move(mine), options);
  clip_lanes(all, options.most_lane_norm);
  gradient = sum_in_order(gradient, all);
  return result;
}

Unrolled RankUnroller::unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            const TangentOptions& tangents, Slopes& slopes) const {
  const std::size_t count = direction_count(theta, tangents);
  const std::vector<LaneDirections> my_directions = of_mine(lanes, tangents.directions);
  TangentOptions my_tangents = tangents;
  my_tangents.directions = my_directions;
  Slopes my_slopes;
  Unrolled mine = lanes_.unroll_with_tangents(take_mine(lanes), theta, options, my_tangents, my_slopes);
  slopes.losses = exchange(lanes, my_slopes.losses, static_cast<std::size_t>(options.steps) * count);
  slopes.norms = exchange(lanes, my_slopes.norms, count);
  return put_together(std::move(lanes), std::move(mine), options);
}

Unrolled RankUnroller::unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                                  const UnrollOptions& options, bool from_start,
                                                  std::span<const HostKey> signs, LaneGradients& gradients) const {
  const std::vector<Values> my_thetas = of_mine(lanes, thetas);
  const std::vector<HostKey> my_signs = of_mine(lanes, signs);
  LaneUnroller::GradientRows rows;
  Unrolled mine = lanes_.unroll_with_gradients(take_mine(lanes), my_thetas, options, from_start,
                                               1.0F / static_cast<float>(std::max(1, options.steps)), my_signs, rows);
  gradients = {};
  const auto trees = [&](const std::vector<std::vector<Array>>& of_mine) {
    std::vector<Values> result;
    for (const std::vector<Array>& leaves : exchange_trees(lanes, thetas[0], of_mine))
      result.push_back(thetas[0].with_leaves<Array>(leaves));
    return result;
  };
  gradients.of_losses = trees(rows.of_losses);
  if (!signs.empty()) {
    gradients.of_states = trees(rows.of_states);
    gradients.sign_norms = exchange(lanes, rows.sign_norms, 1);
  }
  return put_together(std::move(lanes), std::move(mine), options);
}

std::int64_t RankUnroller::take_diverged() const {
  const float mine = static_cast<float>(lanes_.take_diverged());
  const std::vector<std::size_t> sizes(static_cast<std::size_t>(ranks_.size()), sizeof mine);
  const std::vector<std::byte> bytes = ranks_.all_gather(std::as_bytes(std::span(&mine, 1)), sizes);
  std::int64_t total = 0;
  for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
    float count = 0;
    std::memcpy(&count, &bytes[rank * sizeof count], sizeof count);
    total += static_cast<std::int64_t>(count);
  }
  return total;
}

void RankUnroller::gather(std::vector<Lane>& lanes) const {
  // What a lane's task is, and so what its state is made of, its owner knows, and which losses it had.
  constexpr std::size_t facts = 4;
  std::vector<float> known;
  for (const Lane& lane : lanes)
    if (is_mine(lane))
      known.insert(known.end(), {static_cast<float>(lane.task), lane.first_loss, lane.least_loss,
                                 static_cast<float>(lane.tangents.size())});
  const std::vector<float> of_all = exchange(lanes, known, facts);
  const auto trees_of = [&](std::size_t lane) { return 1 + static_cast<std::size_t>(of_all[lane * facts + 3]); };
  std::vector<std::size_t> sizes(static_cast<std::size_t>(ranks_.size()), 0);
  std::vector<std::byte> mine;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].task = static_cast<std::uint32_t>(of_all[i * facts]);
    lanes[i].first_loss = of_all[i * facts + 1];
    lanes[i].least_loss = of_all[i * facts + 2];
    for (const Type& type : lanes_.problem(lanes[i].task).state_types().leaves())
      sizes[lanes[i].owner] += 4 * trees_of(i) * static_cast<std::size_t>(element_count(type.shape));
    if (!is_mine(lanes[i])) continue;
    std::vector<const Values*> trees{&lanes[i].state};
    for (const Values& tangent : lanes[i].tangents) trees.push_back(&tangent);
    for (const Values* tree : trees)
      for (const Array& leaf : tree->leaves()) {
        const auto* bytes = static_cast<const std::byte*>(leaf.data());
        mine.insert(mine.end(), bytes, bytes + leaf.size() * 4);
      }
  }
  const std::vector<std::byte> all = ranks_.gather(mine, sizes);
  if (ranks_.rank() != 0) return;
  std::vector<std::size_t> next = starts_of(sizes);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    Lane& lane = lanes[i];
    const Types& types = lanes_.problem(lane.task).state_types();
    for (std::size_t tree = 0; tree < trees_of(i); ++tree) {
      std::vector<Array> leaves = arrays_of(types.leaves());
      for (Array& leaf : leaves) {
        std::memcpy(leaf.mutable_data(), &all[next[lane.owner]], leaf.size() * 4);
        next[lane.owner] += leaf.size() * 4;
      }
      if (is_mine(lane)) continue;
      Values values = types.with_leaves<Array>(leaves);
      if (tree == 0)
        lane.state = std::move(values);
      else
        lane.tangents.push_back(std::move(values));
    }
  }
}

void RankUnroller::scatter(std::vector<Lane>& lanes) const {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].owner = owner_of(i, lanes.size());
    if (is_mine(lanes[i])) continue;
    lanes[i].state = Values();
    lanes[i].tangents.clear();
  }
}

}  // namespace lopt
