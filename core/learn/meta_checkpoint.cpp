// What a meta-training writes into a checkpoint, and takes from it.
#include "learn/lane_rows.h"
#include "learn/meta_training.h"

#include <fmt/format.h>

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
                  {"lanes", rows_of(now_.state.lanes)},
                  {"best_step", best_.step},
                  {"best_lanes", rows_of(best_.state.lanes)}};
  result.trees = {{"theta", now_.theta},
                  {"optimizer", now_.optimizer},
                  {"estimator", now_.state.values},
                  {"lanes", states_of(now_.state.lanes)},
                  {"recent", as_array(now_.recent)},
                  {"best_loss", Array::scalar(best_.loss)}};
  if (best_.step == 0) return result;
  result.trees.emplace_back("best_theta", best_.theta);
  if (experiment_.gradient_rules.roll_back_above <= 0) return result;
  result.trees.emplace_back("best_optimizer", best_.optimizer);
  result.trees.emplace_back("best_estimator", best_.state.values);
  result.trees.emplace_back("best_lanes", states_of(best_.state.lanes));
  return result;
}

void MetaTraining::restore(const Checkpoint& checkpoint) {
  try {
    const json& facts = checkpoint.facts;
    Now now;
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
    Best best;
    best.step = facts.at("best_step").get<int>();
    best.loss = checkpoint.tree("best_loss").leaf().item<float>();
    if (best.step > 0) best.theta = like(checkpoint, "best_theta", now_.theta);
    if (best.step > 0 && experiment_.gradient_rules.roll_back_above > 0) {
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
    now_ = std::move(now);
    best_ = std::move(best);
  } catch (const json::exception& error) {
    throw DataError(fmt::format("the checkpoint lacks something: {}", error.what()));
  } catch (const std::invalid_argument& error) {
    throw DataError(fmt::format("the checkpoint does not fit: {}", error.what()));
  }
}

}  // namespace lopt
