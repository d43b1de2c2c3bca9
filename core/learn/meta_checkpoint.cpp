// What a meta-training writes into a checkpoint, and takes from it.
#include "learn/lane_rows.h"
#include "learn/meta_training.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {
namespace {

using json = Json;

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

}  // namespace

void MetaTraining::gather_lanes() {
  if (!shared_lanes_) return;
  shared_lanes_->gather(now_.state.lanes);
  shared_lanes_->gather(best_.state.lanes);
}

Checkpoint MetaTraining::checkpoint() const {
  Checkpoint result;
  result.facts = {{"step", now_.step},
                  {"key", {now_.key.high, now_.key.low}},
                  {"skipped_in_a_row", now_.skipped_in_a_row},
                  {"roll_backs", now_.roll_backs},
                  {"stage", now_.stage},
                  {"stage_begin", now_.stage_begin},
                  {"validation_baseline", validation_baseline_},
                  {"best_validated_step", best_validated_.step},
                  {"lanes", rows_of(now_.state.lanes)},
                  {"best_step", best_.step},
                  {"best_lanes", rows_of(best_.state.lanes)}};
  result.trees = {{"theta", now_.theta},
                  {"optimizer", now_.optimizer},
                  {"estimator", now_.state.values},
                  {"lanes", states_of(now_.state.lanes)},
                  {"recent", as_array(now_.recent)},
                  {"best_loss", Array::scalar(best_.loss)}};
  if (now_.stage > 0) result.trees.emplace_back("stage_theta", all_theta_.at_start());
  if (has_average_) result.trees.emplace_back("average", now_.average);
  if (baseline_ && baseline_->filled()) result.trees.emplace_back("baseline", as_tree(baseline_->losses()));
  if (best_validated_.step > 0) {
    result.trees.emplace_back("best_validated_theta", best_validated_.theta);
    result.trees.emplace_back("best_validated_loss", Array::scalar(best_validated_.loss));
  }
  if (best_.step == 0) return result;
  result.trees.emplace_back("best_theta", best_.theta);
  if (stage_->gradient_rules.roll_back_above <= 0) return result;
  result.trees.emplace_back("best_optimizer", best_.optimizer);
  result.trees.emplace_back("best_estimator", best_.state.values);
  result.trees.emplace_back("best_lanes", states_of(best_.state.lanes));
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
    now.state.values = checkpoint.tree("estimator");
    now.state.lanes = lanes_from(facts.at("lanes"), checkpoint.tree("lanes"));
    const Array recent = checkpoint.tree("recent").leaf();
    now.recent.assign(recent.values<float>().begin(), recent.values<float>().end());
    if (has_average_) now.average = like(checkpoint, "average", now_.theta);
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
      best.state.values = checkpoint.tree("best_estimator");
      best.state.lanes = lanes_from(facts.at("best_lanes"), checkpoint.tree("best_lanes"));
    }
    for (const auto* lanes : {&now.state.lanes, &best.state.lanes})
      for (const Lane& lane : *lanes) lanes_->require_state(lane);
    if (shared_lanes_) {
      shared_lanes_->scatter(now.state.lanes);
      shared_lanes_->scatter(best.state.lanes);
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
