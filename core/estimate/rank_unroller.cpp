#include "estimate/rank_unroller.h"

#include "estimate/lane_rows.h"
#include "estimate/lane_tangent.h"

#include <algorithm>
#include <cstring>

namespace lopt {

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
  const std::vector<std::vector<std::byte>> parts = all_gather(ranks_, std::as_bytes(mine));
  std::vector<std::size_t> next(parts.size(), 0);  // where a rank's rows go on
  std::vector<float> rows(lanes.size() * width);
  for (std::size_t i = 0; i < lanes.size() && width > 0; ++i) {
    std::size_t& at = next[lanes[i].owner];
    std::memcpy(&rows[i * width], &parts[lanes[i].owner][at], width * sizeof(float));
    at += width * sizeof(float);
  }
  return rows;
}

Unrolled RankUnroller::put_together(std::vector<Lane> lanes, Unrolled mine, const UnrollOptions& options) const {
  const auto steps = static_cast<std::size_t>(options.steps);
  // What travels of a lane: its losses, and which task it has by now.
  std::vector<float> rows;
  for (std::size_t i = 0; i < mine.lanes.size(); ++i) {
    const auto losses = std::span(mine.losses).subspan(i * steps, steps);
    rows.insert(rows.end(), losses.begin(), losses.end());
    rows.push_back(static_cast<float>(mine.lanes[i].task));
  }
  rows = exchange(lanes, rows, steps + 1);
  Unrolled result{std::move(lanes), {}, {}};
  result.losses.reserve(result.lanes.size() * steps);
  result.began.resize(result.lanes.size() * steps);
  std::size_t next = 0;
  for (std::size_t i = 0; i < result.lanes.size(); ++i) {
    Lane& lane = result.lanes[i];
    const float* row = &rows[i * (steps + 1)];
    result.losses.insert(result.losses.end(), row, row + steps);
    if (!is_mine(lane)) {
      lane.state = Values();
      lane.tangents.clear();
      LaneStepper::follow(lane, options, result.began.data() + i * steps);
      lane.task = static_cast<std::uint32_t>(row[steps]);
      continue;
    }
    std::copy_n(mine.began.data() + next * steps, steps, result.began.data() + i * steps);
    const std::uint32_t owner = lane.owner;
    lane = std::move(mine.lanes[next++]);
    lane.owner = owner;
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

namespace {
std::vector<std::byte> flat(const std::vector<Array>& leaves) {
  std::vector<std::byte> bytes;
  for (const Array& leaf : leaves) {
    const auto part = std::as_bytes(leaf.values<float>());
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}
std::vector<Array> unflat(std::span<const std::byte> bytes, const Values& structure) {
  std::vector<Array> leaves = lopt::arrays_of(types_of(structure).leaves());
  for (Array& leaf : leaves) {
    std::memcpy(leaf.mutable_data(), bytes.data(), 4 * leaf.size());
    bytes = bytes.subspan(4 * leaf.size());
  }
  return leaves;
}
}  // namespace

std::vector<Array> RankUnroller::sum_of(const std::vector<Lane>& lanes, const Values& theta,
                                        std::vector<std::vector<Array>> mine) const {
  const auto owner = [&](std::size_t lane) { return static_cast<int>(lanes[lane].owner); };
  if (lanes.empty()) return zeros_like(theta).leaves();
  if (lanes[0].owner != 0 || !std::ranges::is_sorted(lanes, {}, &Lane::owner)) {
    std::vector<std::vector<Array>> all = exchange_trees(lanes, theta, mine);
    return sum_by_halves(std::span(all), add_leaves);
  }
  std::size_t first = 0;  // of mine
  while (first < lanes.size() && !is_mine(lanes[first])) ++first;
  std::optional<std::vector<std::byte>> sum =
      sum_in_a_tree(ranks_, {lanes.size(), owner},
                    {[&](std::size_t lane) { return flat(mine[lane - first]); },
                     [&](std::vector<std::byte>& left, const std::vector<std::byte>& right) {
                       std::vector<Array> total = unflat(left, theta);
                       add_leaves(total, unflat(right, theta));
                       left = flat(total);
                     }});
  return unflat(broadcast(ranks_, sum ? std::move(*sum) : std::vector<std::byte>()), theta);
}

Unrolled RankUnroller::unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            bool from_start, Values& gradient) const {
  const float weight = 1.0F / static_cast<float>(lanes.size() * static_cast<std::size_t>(options.steps));
  LaneUnroller::GradientRows rows;
  std::vector<Lane> my_lanes = take_mine(lanes);
  const std::vector<Values> thetas(my_lanes.size(), theta);
  Unrolled mine = lanes_.unroll_with_gradients(std::move(my_lanes), thetas, options, from_start, weight, {}, rows);
  clip_lanes(rows.of_losses, lanes.size(), options.most_lane_norm);
  const std::vector<Array> sum = sum_of(lanes, theta, std::move(rows.of_losses));
  Unrolled result = put_together(std::move(lanes), std::move(mine), options);
  add_scaled(gradient, 1, gradient.with_leaves<Array>(sum));
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

std::int64_t RankUnroller::take_diverged() const { return total(ranks_, lanes_.take_diverged()); }

void RankUnroller::gather(std::vector<Lane>& lanes) const {
  std::vector<Lane> mine;
  for (const Lane& lane : lanes)
    if (is_mine(lane)) mine.push_back(lane);
  const std::string own = encoded(EstimatorState{std::move(mine), Values(std::vector<Values::Entry>{})});
  const std::vector<std::vector<std::byte>> parts = lopt::gather(ranks_, bytes_of(own));
  if (ranks_.rank() != 0) return;
  std::vector<std::vector<Lane>> by_rank;
  for (const std::vector<std::byte>& part : parts) by_rank.push_back(decoded_state(part).lanes);
  std::vector<std::size_t> next(by_rank.size(), 0);
  for (Lane& lane : lanes) {
    const std::uint32_t owner = lane.owner;
    lane = std::move(by_rank[owner][next[owner]++]);
    lane.owner = owner;
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
