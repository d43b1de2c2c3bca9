#include "learn/population.h"

#include "spec/distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numeric>

namespace lopt {
namespace {

/// Where the randomness of a population comes from, beside that of its members' trainings.
constexpr std::uint32_t settings_key = 0x706f7031, exchange_key = 0x706f7032;
/// A setting that is moved is multiplied by one of these.
constexpr double smaller = 0.8, larger = 1.25;

HostKey key_of(const Experiment& experiment, std::uint32_t purpose, int number) {
  return fold_in(fold_in(HostKey::from_seed(experiment.seed), purpose), static_cast<std::uint32_t>(number));
}

double unit(HostKey key) { return static_cast<double>(uniform(key, {1}).values<float>()[0]); }

std::string draw(const std::pair<std::string, SpecNode>& varied, HostKey key) {
  SpecErrors errors;
  const SpecNode node = SpecDraw(key).of(varied.second, varied.first, errors);
  errors.raise();
  return to_line(node);
}

/// A number times a factor, within the distribution's range; nothing where it is not one of numbers in a range.
std::optional<std::string> moved(const SpecNode& distribution, const std::string& value, double factor) {
  const auto& [name, range] = distribution.entries.front();
  if (name == "choice" || range.items.size() != 2) return std::nullopt;
  const auto number = [](const std::string& text) {
    double result = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), result);
    return code == std::errc() ? result : std::nan("");
  };
  const double result = std::clamp(number(value) * factor, number(range.items[0].text), number(range.items[1].text));
  if (!std::isfinite(result)) return std::nullopt;
  return name == "integers" ? fmt::format("{}", std::llround(result)) : fmt::format("{}", result);
}

Json settings_json(const MemberSettings& settings) {
  Json json = Json::array();
  for (const auto& [path, value] : settings) json.push_back({path, value});
  return json;
}
MemberSettings settings_from(const Json& json) {
  MemberSettings result;
  for (const Json& one : json) result.emplace_back(one.at(0).get<std::string>(), one.at(1).get<std::string>());
  return result;
}

Json losses_json(const std::vector<float>& losses) {
  Json json = Json::array();
  for (const float loss : losses) json.push_back(std::isfinite(loss) ? Json(loss) : Json());
  return json;
}
std::vector<float> losses_from(const Json& json) {
  std::vector<float> losses;
  for (const Json& loss : json) losses.push_back(loss.is_number() ? loss.get<float>() : std::nanf(""));
  return losses;
}

std::string prefix_of(std::size_t member) { return fmt::format("member {}/", member); }

}  // namespace

Json to_json(const Descent& descent) {
  return {{"step", descent.step},
          {"member", descent.member},
          {"parent", descent.parent},
          {"settings", settings_json(descent.settings)}};
}

Population::Population(const Experiment& experiment, const Registry& registry, int threads, Communicator* ranks)
    : experiment_(experiment), registry_(registry), threads_(threads), ranks_(ranks) {
  for (int member = 0; member < size(); ++member) now_.settings.push_back(drawn(member));
  now_.scores.assign(now_.settings.size(), std::numeric_limits<double>::infinity());
  now_.losses.assign(now_.settings.size(), {});
  for (int member = 0; member < size(); ++member) {
    members_.push_back(is_mine(member) ? made(now_.settings[static_cast<std::size_t>(member)]) : Member{});
    // From the same θ, with randomness of their own.
    if (MetaTraining* training = members_.back().training.get())
      training->inherit(training->inheritance(), key_of(experiment_, settings_key + 2, member));
  }
  remember();
}

MemberSettings Population::drawn(int member) const {
  MemberSettings result;
  for (const auto& varied : experiment_.population.varied)
    result.emplace_back(varied.first, draw(varied, fold_in(key_of(experiment_, settings_key, member),
                                                           static_cast<std::uint32_t>(result.size()))));
  return result;
}

Population::Member Population::made(const MemberSettings& settings) {
  SpecNode spec = experiment_.population.spec;
  for (const auto& [path, value] : settings) apply_override(spec, path + "=" + value);
  Member member;
  member.experiment = std::make_unique<Experiment>(load_experiment(spec, registry_, experiment_.most_steps));
  member.training = std::make_unique<MetaTraining>(*member.experiment, threads_);
  return member;
}

double Population::score_of(const MetaTraining& training, const std::vector<float>& losses) const {
  if (training.validates() && training.best_step() > 0) return static_cast<double>(training.best_loss());
  double total = 0;
  for (const float loss : losses) total += static_cast<double>(loss);
  return std::isfinite(total) ? total / static_cast<double>(losses.size()) : std::numeric_limits<double>::infinity();
}

Population::Round Population::advance(const std::function<bool()>& interrupt) {
  Round round;
  round.first_step = now_.step;
  // Rounds end where they would if the run were longer, so that it can be made longer.
  const int every = experiment_.population.every_steps, done = now_.step % every;
  if (now_.step > 0 && done == 0) round.descents = exchange();
  if (done == 0) now_.losses.assign(now_.settings.size(), {});
  const int steps = std::min(every - done, experiment_.steps - now_.step);
  std::vector<std::string> told(now_.settings.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    MetaTraining* training = members_[i].training.get();
    if (!training) continue;
    training->set_interrupt(interrupt);
    const auto start = std::chrono::steady_clock::now();
    std::vector<float> losses = now_.losses[i];
    for (int k = 0; k < steps; ++k) {
      if (interrupt && interrupt()) throw Interrupted();
      losses.push_back(training->step().loss);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    told[i] =
        to_text(Json{{"score", score_of(*training, losses)}, {"seconds", seconds}, {"losses", losses_json(losses)}});
  }
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (ranks_) told[i] = texts_of_all(*ranks_, told[i])[i % static_cast<std::size_t>(ranks_->size())];
    const Json json = parse_json(told[i]);
    now_.scores[i] = json["score"].is_number() ? json["score"].get<double>() : std::numeric_limits<double>::infinity();
    round.seconds.push_back(json["seconds"].get<double>());
    now_.losses[i] = losses_from(json["losses"]);
    round.losses.emplace_back(now_.losses[i].end() - steps, now_.losses[i].end());
  }
  now_.step += steps;
  round.scores = now_.scores;
  remember();
  return round;
}

int Population::best() const {
  return static_cast<int>(std::min_element(now_.scores.begin(), now_.scores.end()) - now_.scores.begin());
}

MemberSettings Population::explored(const MemberSettings& of_parent, HostKey key) const {
  MemberSettings result = of_parent;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto& varied = experiment_.population.varied[i];
    const HostKey own = fold_in(key, static_cast<std::uint32_t>(i));
    const std::optional<std::string> near =
        moved(varied.second, result[i].second, unit(fold_in(own, 1)) < 0.5 ? smaller : larger);
    result[i].second =
        !near || unit(fold_in(own, 0)) < experiment_.population.resampled ? draw(varied, fold_in(own, 2)) : *near;
  }
  return result;
}

std::vector<Descent> Population::exchange() {
  std::vector<int> order(now_.settings.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return now_.scores[static_cast<std::size_t>(a)] < now_.scores[static_cast<std::size_t>(b)];
  });
  const auto replaced = static_cast<std::size_t>(
      std::max(1.0, std::floor(experiment_.population.replaced * static_cast<double>(order.size()))));
  std::vector<Descent> descents;
  for (std::size_t i = 0; i < replaced; ++i) {
    const int member = order[order.size() - 1 - i];
    const HostKey key = fold_in(key_of(experiment_, exchange_key, now_.step), static_cast<std::uint32_t>(member));
    const int parent = order[static_cast<std::size_t>(unit(fold_in(key, 100)) * static_cast<double>(replaced))];
    if (now_.scores[static_cast<std::size_t>(parent)] >= now_.scores[static_cast<std::size_t>(member)]) continue;
    descents.push_back({now_.step, member, parent, explored(now_.settings[static_cast<std::size_t>(parent)], key)});
  }
  for (const Descent& descent : descents) {
    const auto child = static_cast<std::size_t>(descent.member), parent = static_cast<std::size_t>(descent.parent);
    now_.settings[child] = descent.settings;
    now_.lineage.push_back(descent);
    // Parents are never replaced in the same exchange, so they are as they were.
    std::string bytes;
    if (const MetaTraining* training = members_[parent].training.get()) {
      const MetaTraining::Inheritance from = training->inheritance();
      bytes = encode_checkpoint(
          {{{"step", from.step}}, {{"theta", from.theta}, {"optimizer", from.optimizer}, {"average", from.average}}});
    }
    if (ranks_) bytes = texts_of_all(*ranks_, bytes)[parent % static_cast<std::size_t>(ranks_->size())];
    if (!is_mine(descent.member)) continue;
    const Checkpoint from =
        decode_checkpoint({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "a member");
    members_[child] = made(descent.settings);
    members_[child].training->inherit(
        {from.facts.at("step").get<int>(), from.tree("theta"), from.tree("optimizer"), from.tree("average")},
        fold_in(key_of(experiment_, exchange_key + 1, now_.step), static_cast<std::uint32_t>(child)));
  }
  return descents;
}

void Population::remember() {
  kept_ = now_;
  encoded_.assign(members_.size(), "");
  for (std::size_t i = 0; i < members_.size(); ++i)
    if (members_[i].training) encoded_[i] = encode_checkpoint(members_[i].training->checkpoint());
}

Checkpoint Population::checkpoint() const {
  Checkpoint result;
  Json members = Json::array();
  for (std::size_t i = 0; i < encoded_.size(); ++i) {
    const std::string bytes =
        ranks_ ? texts_of_all(*ranks_, encoded_[i])[i % static_cast<std::size_t>(ranks_->size())] : encoded_[i];
    Checkpoint member =
        decode_checkpoint({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "a member");
    members.push_back({{"settings", settings_json(kept_.settings[i])},
                       {"facts", std::move(member.facts)},
                       {"losses", losses_json(kept_.losses[i])},
                       {"score", std::isfinite(kept_.scores[i]) ? Json(kept_.scores[i]) : Json()}});
    for (auto& [name, tree] : member.trees) result.trees.emplace_back(prefix_of(i) + name, std::move(tree));
  }
  Json lineage = Json::array();
  for (const Descent& descent : kept_.lineage) lineage.push_back(to_json(descent));
  result.facts = {{"step", kept_.step}, {"members", std::move(members)}, {"lineage", std::move(lineage)}};
  return result;
}

void Population::restore(const Checkpoint& checkpoint) {
  try {
    const Json& members = checkpoint.facts.at("members");
    if (members.size() != now_.settings.size())
      throw DataError(
          fmt::format("the checkpoint has {} members, and this spec {}", members.size(), now_.settings.size()));
    now_.step = checkpoint.facts.at("step").get<int>();
    now_.lineage.clear();
    for (const Json& one : checkpoint.facts.at("lineage"))
      now_.lineage.push_back({one.at("step").get<int>(), one.at("member").get<int>(), one.at("parent").get<int>(),
                              settings_from(one.at("settings"))});
    for (std::size_t i = 0; i < now_.settings.size(); ++i) {
      now_.settings[i] = settings_from(members[i].at("settings"));
      now_.losses[i] = losses_from(members[i].at("losses"));
      now_.scores[i] = members[i].at("score").is_number() ? members[i].at("score").get<double>()
                                                          : std::numeric_limits<double>::infinity();
      if (!is_mine(static_cast<int>(i))) continue;
      members_[i] = made(now_.settings[i]);
      Checkpoint own{members[i].at("facts"), {}};
      for (const auto& [name, tree] : checkpoint.trees)
        if (name.starts_with(prefix_of(i))) own.trees.emplace_back(name.substr(prefix_of(i).size()), tree);
      members_[i].training->restore(own);
    }
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("the checkpoint lacks something: {}", error.what()));
  }
  remember();
}

Values Population::best_theta() const {
  const auto member = static_cast<std::size_t>(best());
  std::string bytes;
  if (const MetaTraining* training = members_[member].training.get()) {
    const Values& theta = training->validates() && training->best_step() > 0 ? training->best_theta()
                          : training->has_average()                          ? training->average()
                                                                             : training->theta();
    bytes = encode_checkpoint({Json::object(), {{"theta", training->whole(theta)}}});
  }
  if (ranks_) bytes = texts_of_all(*ranks_, bytes)[member % static_cast<std::size_t>(ranks_->size())];
  return decode_checkpoint({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "a member")
      .tree("theta");
}

}  // namespace lopt
