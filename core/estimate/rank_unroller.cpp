#include "estimate/rank_unroller.h"

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

Unrolled RankUnroller::unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                              const UnrollOptions& options) const {
  std::vector<Values> my_thetas;
  for (std::size_t i = 0; i < lanes.size(); ++i)
    if (is_mine(lanes[i])) my_thetas.push_back(thetas[i]);
  Unrolled mine = lanes_.unroll(take_mine(lanes), my_thetas, options);
  return put_together(std::move(lanes), std::move(mine), options);
}

Unrolled RankUnroller::unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                            bool from_start, Values& gradient) const {
  const float weight = 1.0F / static_cast<float>(lanes.size() * static_cast<std::size_t>(options.steps));
  std::vector<std::vector<Array>> gradients;
  Unrolled mine = lanes_.unroll_with_gradients(take_mine(lanes), theta, options, from_start, weight, gradients);
  std::vector<float> rows;
  std::size_t width = 0;
  for (const Array& leaf : theta.leaves()) width += leaf.size();
  for (const std::vector<Array>& leaves : gradients)
    for (const Array& leaf : leaves) rows.insert(rows.end(), leaf.values<float>().begin(), leaf.values<float>().end());
  const std::vector<float> all = exchange(lanes, rows, width);
  Unrolled result = put_together(std::move(lanes), std::move(mine), options);
  std::vector<std::vector<Array>> all_gradients;
  const float* at = all.data();
  for (std::size_t i = 0; i < result.lanes.size(); ++i) {
    all_gradients.emplace_back();
    for (const Array& leaf : theta.leaves()) {
      all_gradients.back().emplace_back(leaf.shape(), std::span(at, leaf.size()));
      at += leaf.size();
    }
  }
  clip_lanes(all_gradients, options.most_lane_norm);
  gradient = sum_in_order(gradient, all_gradients);
  return result;
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
  constexpr std::size_t facts = 3;
  std::vector<float> known;
  for (const Lane& lane : lanes)
    if (is_mine(lane)) known.insert(known.end(), {static_cast<float>(lane.task), lane.first_loss, lane.least_loss});
  const std::vector<float> of_all = exchange(lanes, known, facts);
  std::vector<std::size_t> sizes(static_cast<std::size_t>(ranks_.size()), 0);
  std::vector<std::byte> mine;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].task = static_cast<std::uint32_t>(of_all[i * facts]);
    lanes[i].first_loss = of_all[i * facts + 1];
    lanes[i].least_loss = of_all[i * facts + 2];
    for (const Type& type : lanes_.problem(lanes[i].task).state_types().leaves())
      sizes[lanes[i].owner] += 4 * static_cast<std::size_t>(element_count(type.shape));
    if (!is_mine(lanes[i])) continue;
    for (const Array& leaf : lanes[i].state.leaves()) {
      const auto* bytes = static_cast<const std::byte*>(leaf.data());
      mine.insert(mine.end(), bytes, bytes + leaf.size() * 4);
    }
  }
  const std::vector<std::byte> all = ranks_.gather(mine, sizes);
  if (ranks_.rank() != 0) return;
  std::vector<std::size_t> next = starts_of(sizes);
  for (Lane& lane : lanes) {
    const Types& types = lanes_.problem(lane.task).state_types();
    std::vector<Array> leaves = arrays_of(types.leaves());
    for (Array& leaf : leaves) {
      std::memcpy(leaf.mutable_data(), &all[next[lane.owner]], leaf.size() * 4);
      next[lane.owner] += leaf.size() * 4;
    }
    if (!is_mine(lane)) lane.state = types.with_leaves<Array>(leaves);
  }
}

void RankUnroller::scatter(std::vector<Lane>& lanes) const {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].owner = owner_of(i, lanes.size());
    if (!is_mine(lanes[i])) lanes[i].state = Values();
  }
}

}  // namespace lopt
