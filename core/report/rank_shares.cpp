#include "report/rank_shares.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {

bool RankShares::is_straggler(const RankShare& share) const {
  constexpr double more = 1.25;
  std::vector<double> all;
  for (const RankShare& one : ranks) all.push_back(one.computing);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) / 2);
  std::nth_element(all.begin(), middle, all.end());
  return share.computing > more * *middle;
}

std::vector<std::vector<std::string>> RankShares::table(std::size_t most_rows) const {
  std::vector<const RankShare*> order;
  for (const RankShare& share : ranks) order.push_back(&share);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) { return a->computing > b->computing; });
  std::vector<std::vector<std::string>> rows{{"rank", "host", "threads", "computing", ""}};
  for (const RankShare* share : order) {
    if (rows.size() > most_rows) break;
    rows.push_back({std::to_string(share->rank), share->host, std::to_string(share->threads),
                    fmt::format("{:.0f} %", 100 * share->computing),
                    is_straggler(*share) ? "the others wait for it" : ""});
  }
  if (ranks.size() > most_rows) rows.push_back({fmt::format("… {} more", ranks.size() - most_rows)});
  return rows;
}

Json to_json(const RankShare& share) {
  return {{"rank", share.rank}, {"host", share.host}, {"threads", share.threads}, {"computing", share.computing}};
}

RankShares rank_shares_in(const std::string& run_folder) {
  RankShares shares;
  const Json json = object_in_file(run_folder + "/" + rank_shares_file);
  if (json.contains("ranks"))
    for (const Json& one : json["ranks"])
      shares.ranks.push_back(
          {one.value("rank", 0), one.value("host", ""), one.value("threads", 1), one.value("computing", 1.0)});
  return shares;
}

}  // namespace lopt
