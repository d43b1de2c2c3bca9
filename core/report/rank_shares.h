#pragma once
// How the ranks of a run share its work: who computes for how much of the time, and who waits for whom. A run under
// way keeps it in ranks.json.

#include "data/json.h"

#include <string>
#include <vector>

namespace lopt {

constexpr const char* rank_shares_file = "ranks.json";

/// One rank since it was last asked.
struct RankShare {
  int rank = 0;
  std::string host;
  int threads = 1;
  double computing = 1;  // of the time; the rest it waited for others
};

struct RankShares {
  std::vector<RankShare> ranks;

  /// Whom the others wait for: a rank that computes for a quarter more of the time than the middle one.
  bool is_straggler(const RankShare& share) const;
  /// Those first that compute most; the first row names the columns.
  std::vector<std::vector<std::string>> table(std::size_t most_rows) const;
};

Json to_json(const RankShare& share);
/// Of a run's folder; without ranks where there are none.
RankShares rank_shares_in(const std::string& run_folder);

}  // namespace lopt
