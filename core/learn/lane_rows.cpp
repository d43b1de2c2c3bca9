#include "learn/lane_rows.h"

#include <bit>

namespace lopt {

using json = Json;

json rows_of(const std::vector<Lane>& lanes) {
  json rows = json::array();
  for (const Lane& lane : lanes)
    rows.push_back({lane.stream, lane.position, lane.iteration, lane.key.high, lane.key.low, lane.task, lane.length,
                    std::bit_cast<std::uint32_t>(lane.first_loss), std::bit_cast<std::uint32_t>(lane.least_loss)});
  return rows;
}
Values states_of(const std::vector<Lane>& lanes) {
  std::vector<Values::Entry> entries;
  for (const Lane& lane : lanes) entries.emplace_back(std::to_string(entries.size()), lane.state);
  return Values(std::move(entries));
}
std::vector<Lane> lanes_from(const json& rows, const Values& states) {
  if (rows.size() != states.entries().size()) throw DataError("the checkpoint has lanes without states");
  std::vector<Lane> lanes;
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
    lane.state = states.entries()[lanes.size()].second;
    lanes.push_back(std::move(lane));
  }
  return lanes;
}

}  // namespace lopt
