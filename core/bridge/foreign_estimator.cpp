// An estimator in another language: host code on arrays, which asks back for unrolls. Lanes stay here; what is told of
// them are their numbers.
#include "bridge/foreign_component.h"

#include <fmt/format.h>

namespace lopt {
namespace {

Json values_json(TracerMessage& message, const Values& values) {
  return tree_json(values, [&](const Array& array) { return message.put(array); });
}
Values values_of(const TracerMessage& message, const Json& json) {
  return tree_from_json<Array>(json, [&](const Json& place) { return message.array_at(place); });
}
Json key_json(HostKey key) { return {key.high, key.low}; }
HostKey key_of(const Json& json) { return {json.at(0).get<std::uint32_t>(), json.at(1).get<std::uint32_t>()}; }

UnrollOptions options_of(const Json& json) {
  UnrollOptions options;
  options.steps = json.value("steps", 1);
  if (json.contains("problem_length") && !json.at("problem_length").is_null())
    options.problem_length = json.at("problem_length").get<std::int64_t>();
  if (json.contains("loss_clip") && !json.at("loss_clip").is_null())
    options.loss_clip = json.at("loss_clip").get<float>();
  options.recompute_states = json.value("recompute_states", false);
  options.least_length = json.value("least_length", std::int64_t{0});
  options.most_lane_norm = json.value("most_lane_norm", 0.0F);
  return options;
}

/// The lanes of one call, by their numbers.
class Conversation {
 public:
  explicit Conversation(const Unroller& unroller) : unroller_(unroller) {}

  Json lanes_json(const std::vector<Lane>& lanes) {
    Json json = Json::array();
    for (const Lane& lane : lanes) {
      json.push_back({{"number", lanes_.size()},
                      {"stream", lane.stream},
                      {"position", lane.position},
                      {"iteration", lane.iteration},
                      {"key", key_json(lane.key)},
                      {"task", lane.task},
                      {"length", lane.length}});
      lanes_.push_back(lane);
    }
    return json;
  }
  std::vector<Lane> lanes_of(const Json& json) const {
    std::vector<Lane> lanes;
    for (const Json& told : json) {
      lanes.push_back(lanes_.at(told.at("number").get<std::size_t>()));
      lanes.back().key = key_of(told.at("key"));
      lanes.back().position = told.at("position").get<std::int64_t>();
      lanes.back().stream = told.at("stream").get<std::uint32_t>();
    }
    return lanes;
  }

  TracerMessage answer(const TracerMessage& question) {
    const std::string what = question.json.at("ask").get<std::string>();
    TracerMessage said;
    if (what == "start") {
      std::vector<Values> thetas;
      for (const Json& start : question.json.at("starts")) thetas.push_back(values_of(question, start.at("theta")));
      std::vector<LaneStart> starts;
      for (std::size_t i = 0; i < thetas.size(); ++i) {
        const Json& start = question.json.at("starts").at(i);
        starts.push_back({thetas[i], key_of(start.at("key")), start.at("stream").get<std::uint32_t>(),
                          start.value("position", std::int64_t{0})});
      }
      said.json["lanes"] = lanes_json(unroller_.start(starts));
      return said;
    }
    std::vector<Lane> lanes = lanes_of(question.json.at("lanes"));
    const UnrollOptions options = options_of(question.json.at("options"));
    Unrolled unrolled;
    if (what == "gradient") {
      const Values theta = values_of(question, question.json.at("theta"));
      Values gradient = zeros_like(theta);
      unrolled = unroller_.unroll_with_gradient(std::move(lanes), theta, options,
                                                question.json.at("from_start").get<bool>(), gradient);
      said.json["gradient"] = values_json(said, gradient);
    } else {
      std::vector<Values> thetas;
      for (const Json& theta : question.json.at("thetas")) thetas.push_back(values_of(question, theta));
      unrolled = unroller_.unroll(std::move(lanes), thetas, options);
    }
    const auto count = static_cast<std::int64_t>(unrolled.lanes.size());
    std::vector<std::int32_t> began(unrolled.began.begin(), unrolled.began.end());
    said.json["losses"] = said.put(Array({count, options.steps}, unrolled.losses));
    said.json["began"] = said.put(Array({count, options.steps}, began));
    said.json["lanes"] = lanes_json(unrolled.lanes);
    return said;
  }

 private:
  const Unroller& unroller_;
  std::vector<Lane> lanes_;
};

class ForeignEstimator final : public GradientEstimator {
 public:
  explicit ForeignEstimator(ForeignComponent component) : component_(std::move(component)) {}

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    Conversation conversation(unroller);
    TracerMessage question;
    question.json = {{"key", key_json(key)}};
    question.json["theta"] = values_json(question, theta);
    const TracerMessage said = component_.ask_now(
        "estimator init", std::move(question), [&](const TracerMessage& asked) { return conversation.answer(asked); });
    return state_of(said, conversation);
  }
  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    Conversation conversation(unroller);
    TracerMessage question;
    question.json = {{"key", key_json(key)}, {"lanes", conversation.lanes_json(state.lanes)}};
    question.json["theta"] = values_json(question, theta);
    question.json["values"] = values_json(question, state.values);
    const TracerMessage said = component_.ask_now(
        "estimate", std::move(question), [&](const TracerMessage& asked) { return conversation.answer(asked); });
    state = state_of(said, conversation);
    return {said.array_at(said.json.at("loss")).item<float>(), values_of(said, said.json.at("gradient"))};
  }
  std::string bias() const override { return component_.ask("bias").json.at("text").get<std::string>(); }
  std::int64_t problem_steps() const override {
    return component_.ask("problem steps").json.at("steps").get<std::int64_t>();
  }

 private:
  static EstimatorState state_of(const TracerMessage& said, const Conversation& conversation) {
    return {conversation.lanes_of(said.json.at("lanes")), values_of(said, said.json.at("values"))};
  }
  ForeignComponent component_;
};

}  // namespace

std::shared_ptr<const GradientEstimator> foreign_estimator(ForeignComponent component) {
  return std::make_shared<const ForeignEstimator>(std::move(component));
}

}  // namespace lopt
