// What a meta-training writes into a checkpoint, and takes from it.
#include "estimate/lane_rows.h"
#include "learn/meta_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lopt {
namespace {

using json = Json;

/// Which shards a checkpoint has: names of facts, and with a number behind of trees.
constexpr const char *shards_name = "shards", *best_shards_name = "best_shards";
/// Rank 0 sends to one rank after the other, and gives up one that takes nothing before the others give up rank 0.
constexpr double patience_of_states = 4;

std::string name_of(const char* shards, std::size_t shard) { return fmt::format("{} {}", shards, shard); }

void add_shards(Checkpoint& checkpoint, const char* name, const std::vector<EstimatorState>& shards) {
  json rows = json::array();
  for (const EstimatorState& state : shards) {
    checkpoint.trees.emplace_back(name_of(name, rows.size()), tree_of(state));
    rows.push_back(rows_of(state.lanes));
  }
  checkpoint.facts[name] = std::move(rows);
}

/// A tree of the checkpoint that must be structured as one that is there.
Values like(const Checkpoint& checkpoint, const std::string& name, const Values& present) {
  const Values& tree = checkpoint.tree(name);
  if (tree.paths() != present.paths() || types_of(tree).leaves() != types_of(present).leaves())
    throw DataError(fmt::format("the checkpoint's '{}' has other names or shapes than this spec's", name));
  return tree;
}

Array as_array(const std::deque<float>& values) {
  return Array({static_cast<std::int64_t>(values.size())}, std::vector<float>(values.begin(), values.end()));
}

/// Lists of numbers, named "0", "1", …
Values as_tree(const std::vector<std::vector<float>>& rows) {
  std::vector<Values::Entry> entries;
  for (const std::vector<float>& row : rows)
    entries.emplace_back(std::to_string(entries.size()), Array({static_cast<std::int64_t>(row.size())}, row));
  return Values(std::move(entries));
}
std::vector<std::vector<float>> rows_of_tree(const Values& tree, std::size_t count) {
  std::vector<std::vector<float>> rows;
  for (const Array& leaf : tree.leaves()) rows.emplace_back(leaf.values<float>().begin(), leaf.values<float>().end());
  if (rows.size() != count || std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.empty(); }))
    throw DataError("the checkpoint's baseline has other members than this spec's family");
  return rows;
}

/// What a rank needs of it.
Checkpoint for_rank(int rank, int ranks, const Checkpoint& all) {
  Checkpoint part{all.facts, {}};
  const int first = all.facts.value("asynchronous", false) ? 1 : 0;  // the first rank that has shards
  std::set<std::string> others;
  for (const char* name : {shards_name, best_shards_name}) {
    if (!part.facts.contains(name)) continue;
    json& rows = part.facts[name];
    const ShardLayout layout{static_cast<int>(rows.size()), ranks - first};
    for (int shard = 0; shard < layout.shards; ++shard) {
      if (rank >= first && shard >= layout.first_of(rank - first) && shard < layout.last_of(rank - first)) continue;
      rows[static_cast<std::size_t>(shard)] = nullptr;
      others.insert(name_of(name, static_cast<std::size_t>(shard)));
    }
  }
  for (const auto& tree : all.trees)
    if (!others.contains(tree.first)) part.trees.push_back(tree);
  return part;
}
}  // namespace

std::optional<Checkpoint> dealt_out(Communicator& ranks, const std::optional<Checkpoint>& checkpoint) {
  if (ranks.rank() == 0) {
    for (int rank = 1; rank < ranks.size(); ++rank)
      ranks.send(rank, bytes_of(checkpoint ? encode_checkpoint(for_rank(rank, ranks.size(), *checkpoint)) : ""));
    return checkpoint;
  }
  const std::vector<std::byte> bytes = ranks.receive(0, patience_of_states);
  if (bytes.empty()) return std::nullopt;
  return decode_checkpoint({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "rank 0's checkpoint");
}

std::vector<EstimatorState> MetaTraining::at_rank_0(const std::vector<EstimatorState>& own) const {
  std::vector<EstimatorState> mine = own;
  if (shared_lanes_)
    for (EstimatorState& state : mine) shared_lanes_->gather(state.lanes);
  if (collector_) {
    std::vector<EstimatorState> all;
    if (&own == &now_.shards)
      for (const std::vector<std::byte>& bytes : collector_->states(now_.theta, now_.step))
        all.push_back(decoded_state(bytes));
    return all;
  }
  if (!ranks_ || own.empty()) return mine;
  const std::vector<std::vector<std::byte>> others = shards_of_others(
      *ranks_, layout_, [&](int shard) { return encoded(mine[static_cast<std::size_t>(shard - first_shard_)]); });
  std::vector<EstimatorState> all;
  for (std::size_t shard = 0; shard < others.size(); ++shard)
    all.push_back(others[shard].empty() ? std::move(mine[shard]) : decoded_state(others[shard]));
  return all;
}

EstimatorState MetaTraining::whole_state() const {
  EstimatorState result = state();
  if (shared_lanes_) shared_lanes_->gather(result.lanes);
  return result;
}

Checkpoint MetaTraining::checkpoint() const {
  const std::vector<EstimatorState> shards = at_rank_0(now_.shards), best_shards = at_rank_0(best_.shards);
  if (ranks_ && ranks_->rank() != 0) return {};
  Checkpoint result;
  result.facts = {{"step", now_.step},
                  {"key", {now_.key.high, now_.key.low}},
                  {"skipped_in_a_row", now_.skipped_in_a_row},
                  {"roll_backs", now_.roll_backs},
                  {"stage", now_.stage},
                  {"stage_begin", now_.stage_begin},
                  {"validation_baseline", validation_baseline_},
                  {"best_validated_step", best_validated_.step},
                  {"best_step", best_.step},
                  {"asynchronous", stage_->asynchronous}};
  result.trees = {{"theta", now_.theta},
                  {"optimizer", now_.optimizer},
                  {"recent", as_array(now_.recent)},
                  {"best_loss", Array::scalar(best_.loss)}};
  add_shards(result, shards_name, shards);
  if (now_.stage > 0) result.trees.emplace_back("stage_theta", all_theta_.at_start());
  if (has_average()) result.trees.emplace_back("average", now_.average);
  if (baseline_ && baseline_->filled()) result.trees.emplace_back("baseline", as_tree(baseline_->losses()));
  if (best_validated_.step > 0) {
    result.trees.emplace_back("best_validated_theta", best_validated_.theta);
    result.trees.emplace_back("best_validated_loss", Array::scalar(best_validated_.loss));
  }
  if (best_.step == 0) return result;
  result.trees.emplace_back("best_theta", best_.theta);
  if (stage_->gradient_rules.roll_back_above <= 0) return result;
  result.trees.emplace_back("best_optimizer", best_.optimizer);
  add_shards(result, best_shards_name, best_shards);
  return result;
}

std::vector<EstimatorState> MetaTraining::own_shards(const Checkpoint& checkpoint, const char* name) const {
  const json& rows = checkpoint.facts.at(name);
  if (rows.size() != static_cast<std::size_t>(layout_.shards))
    throw DataError(fmt::format("the checkpoint has {} shards, and this spec {}", rows.size(), layout_.shards));
  std::vector<EstimatorState> result;
  const auto [first, last] = own_range();
  for (auto shard = static_cast<std::size_t>(first); shard < static_cast<std::size_t>(last); ++shard) {
    result.push_back(state_from(rows[shard], checkpoint.tree(name_of(name, shard))));
    for (const Lane& lane : result.back().lanes) lanes_->require_state(lane);
    if (shared_lanes_) shared_lanes_->scatter(result.back().lanes);
  }
  return result;
}

void MetaTraining::restore(const Checkpoint& checkpoint) {
  try {
    const json& facts = checkpoint.facts;
    const auto stage = facts.at("stage").get<std::size_t>();
    if (stage >= stage_count()) throw DataError("the checkpoint is of a stage that this spec does not have");
    if (stage > 0) begin_stage(stage, like(checkpoint, "stage_theta", all_theta_.at_start()));
    Now now;
    now.stage = stage;
    now.stage_begin = facts.at("stage_begin").get<int>();
    now.step = facts.at("step").get<int>();
    now.key = {facts.at("key").at(0).get<std::uint32_t>(), facts.at("key").at(1).get<std::uint32_t>()};
    now.skipped_in_a_row = facts.at("skipped_in_a_row").get<int>();
    now.roll_backs = facts.at("roll_backs").get<int>();
    now.theta = like(checkpoint, "theta", now_.theta);
    now.optimizer = like(checkpoint, "optimizer", now_.optimizer);
    now.shards = own_shards(checkpoint, shards_name);
    const Array recent = checkpoint.tree("recent").leaf();
    now.recent.assign(recent.values<float>().begin(), recent.values<float>().end());
    if (has_average()) now.average = like(checkpoint, "average", now_.theta);
    BestValidated validated;
    validated.step = facts.at("best_validated_step").get<int>();
    if (validated.step > 0) {
      validated.theta = like(checkpoint, "best_validated_theta", now_.theta);
      validated.loss = checkpoint.tree("best_validated_loss").leaf().item<float>();
    }
    Best best;
    best.step = facts.at("best_step").get<int>();
    best.loss = checkpoint.tree("best_loss").leaf().item<float>();
    if (best.step > 0) best.theta = like(checkpoint, "best_theta", now_.theta);
    if (best.step > 0 && stage_->gradient_rules.roll_back_above > 0) {
      best.optimizer = like(checkpoint, "best_optimizer", now_.optimizer);
      best.shards = own_shards(checkpoint, best_shards_name);
    }
    if (baseline_ && checkpoint.has_tree("baseline"))
      baseline_->restore(rows_of_tree(checkpoint.tree("baseline"), stage_->family->size()));
    validation_baseline_ = facts.at("validation_baseline").get<std::vector<double>>();
    now_ = std::move(now);
    best_ = std::move(best);
    best_validated_ = std::move(validated);
  } catch (const json::exception& error) {
    throw DataError(fmt::format("the checkpoint lacks something: {}", error.what()));
  } catch (const std::invalid_argument& error) {
    throw DataError(fmt::format("the checkpoint does not fit: {}", error.what()));
  }
}

}  // namespace lopt
