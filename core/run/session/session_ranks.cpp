// What the ranks of a session do together: find out that they are alike, agree after each step, and tell how they get
// on.
#include "data/batch.h"
#include "data/sha256.h"
#include "run/train/hosts.h"
#include "run/session/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace lopt {
namespace {

constexpr double seconds_between_shares = 2;

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

/// Of rows that lie evenly in a split, at most so many; where there is no such split, of nothing.
void add_rows(Sha256& hash, const Dataset& dataset, Split split) {
  constexpr std::int64_t most_rows = 4096;
  const std::int64_t count = dataset.count(split), rows = std::min(count, most_rows);
  std::vector<std::int32_t> indices;
  for (std::int64_t row = 0; row < rows; ++row) indices.push_back(static_cast<std::int32_t>(row * count / rows));
  std::vector<Array> batch = batch_arrays(dataset.example_types(), rows);
  if (rows > 0) dataset.rows(split, indices, batch);
  hash.add({reinterpret_cast<const std::uint8_t*>(&count), sizeof count});
  for (const Array& rows_of_leaf : batch)
    hash.add({static_cast<const std::uint8_t*>(rows_of_leaf.data()), 4 * rows_of_leaf.size()});
}

/// What two ranks must have alike of the data that their tasks see.
std::string data_digest(const TaskFamily& family) {
  constexpr std::size_t most_members = 64;
  Sha256 hash;
  std::set<const Dataset*> seen;
  for (std::size_t member = 0; member < std::min(most_members, family.size()); ++member) {
    const Batches batches = family.task(member).batches();
    if (!batches.dataset || !seen.insert(&*batches.dataset).second) continue;
    add_rows(hash, *batches.dataset, Split::train);
    add_rows(hash, *batches.dataset, Split::test);
  }
  return hash.digest();
}

}  // namespace

void Session::require_equal_ranks() {
  if (!ranks_) return;
  Json mine = identity();
  mine["data"] = data_digest(*experiment_.family);
  const std::vector<std::string> texts = texts_of_all(*ranks_, to_text(mine));
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    if (texts[rank] == texts[0]) continue;
    const auto first = parse_json(texts[0]), other = parse_json(texts[rank]);
    for (const char* what : {"lopt", "simd", "spec", "plugins", "data"})
      if (first.at(what) != other.at(what))
        throw std::runtime_error(
            fmt::format("rank {} differs from rank 0 in its {}: the results would not be those of one process{}", rank,
                        std::string(what) == "lopt" ? "version" : what,
                        std::string(what) == "simd" ? "; LOPT_SIMD chooses a level that all processors have" : ""));
  }
}

Session::Wish Session::agree() {
  const bool due = checkpoint_is_due();
  if (!ranks_ || experiment_.asynchronous) return stop_wanted() ? Wish::stop : due ? Wish::checkpoint : Wish::go_on;
  const Wish mine = stop_wanted()                                       ? Wish::stop
                    : due                                               ? Wish::checkpoint
                    : seconds_since(told_.at) >= seconds_between_shares ? Wish::tell
                                                                        : Wish::go_on;
  const auto wish = static_cast<Wish>(most(*ranks_, static_cast<std::int64_t>(mine)));
  if (wish != Wish::go_on) tell_shares();
  return wish;
}

void Session::tell_shares() {
  const double seconds = seconds_since(told_.at), waited = ranks_->traffic().waited - told_.waited;
  const RankShare mine{ranks_->rank(), own_host_name(), threads_,
                       seconds > 0 ? std::clamp(1 - waited / seconds, 0.0, 1.0) : 1};
  told_ = {std::chrono::steady_clock::now(), ranks_->traffic().waited};
  const std::vector<std::vector<std::byte>> all = gather(*ranks_, bytes_of(to_text(to_json(mine))));
  if (!writes()) return;
  Json json{{"ranks", Json::array()}};
  for (const std::vector<std::byte>& one : all) json["ranks"].push_back(parse_json(text_of(one)));
  // For whoever looks on: not worth a sentence where it fails.
  const std::string file = folder_->file(rank_shares_file), partial = file + ".partial";
  std::ofstream(partial) << to_text(json) << "\n";
  std::error_code ignored;
  std::filesystem::rename(partial, file, ignored);
}

Json Session::hosts_of_all() {
  const Json mine{{"host", own_host_name()}, {"processor", processor_name()}, {"threads", threads_}};
  Json hosts = Json::array();
  int rank = 0;
  for (const std::string& text : ranks_ ? texts_of_all(*ranks_, to_text(mine)) : std::vector{to_text(mine)}) {
    const Json one = parse_json(text);
    const auto known = std::find_if(hosts.begin(), hosts.end(), [&](const Json& host) {
      return host["host"] == one["host"] && host["processor"] == one["processor"] && host["threads"] == one["threads"];
    });
    Json& host = known == hosts.end() ? hosts.emplace_back(one) : *known;
    host["ranks"].push_back(rank++);
  }
  return hosts;
}

}  // namespace lopt
