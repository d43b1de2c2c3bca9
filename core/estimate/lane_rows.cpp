#include "estimate/lane_rows.h"

#include <bit>

namespace lopt {

using json = Json;

json rows_of(const std::vector<Lane>& lanes) {
  json rows = json::array();
  for (const Lane& lane : lanes)
    rows.push_back({lane.stream, lane.position, lane.iteration, lane.key.high, lane.key.low, lane.task, lane.length,
                    std::bit_cast<std::uint32_t>(lane.first_loss), std::bit_cast<std::uint32_t>(lane.least_loss),
                    lane.tangents.size()});
  return rows;
}
Values states_of(const std::vector<Lane>& lanes) {
  std::vector<Values::Entry> entries;
  for (const Lane& lane : lanes) {
    entries.emplace_back(std::to_string(entries.size()), lane.state);
    for (const Values& tangent : lane.tangents) entries.emplace_back(std::to_string(entries.size()), tangent);
  }
  return Values(std::move(entries));
}
std::vector<Lane> lanes_from(const json& rows, const Values& states) {
  std::vector<Lane> lanes;
  auto next = states.entries().begin();
  const auto take = [&] {
    if (next == states.entries().end()) throw DataError("the checkpoint has lanes without states");
    return (next++)->second;
  };
  for (const json& row : rows) {
    Lane lane;
    lane.stream = row.at(0).get<std::uint32_t>();
    lane.position = row.at(1).get<std::int64_t>();
    lane.iteration = row.at(2).get<std::int64_t>();
    lane.key = {row.at(3).get<std::uint32_t>(), row.at(4).get<std::uint32_t>()};
    lane.task = row.at(5).get<std::uint32_t>();
    lane.length = row.at(6).get<std::int64_t>();
    lane.first_loss = std::bit_cast<float>(row.at(7).get<std::uint32_t>());
    lane.least_loss = std::bit_cast<float>(row.at(8).get<std::uint32_t>());
    lane.state = take();
    for (auto left = row.size() > 9 ? row.at(9).get<std::size_t>() : 0; left > 0; --left)
      lane.tangents.push_back(take());
    lanes.push_back(std::move(lane));
  }
  if (next != states.entries().end()) throw DataError("the checkpoint has states without lanes");
  return lanes;
}

Values tree_of(const EstimatorState& state) { return {{"values", state.values}, {"lanes", states_of(state.lanes)}}; }
EstimatorState state_from(const json& rows, const Values& tree) {
  return {lanes_from(rows, tree["lanes"]), tree["values"]};
}

std::string encoded(const EstimatorState& state) {
  return encode_checkpoint({rows_of(state.lanes), {{"state", tree_of(state)}}});
}
EstimatorState decoded_state(std::span<const std::byte> bytes) {
  const Checkpoint checkpoint = decode_checkpoint({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                                                  "what a rank sent of its shard");
  return state_from(checkpoint.facts, checkpoint.tree("state"));
}

}  // namespace lopt
