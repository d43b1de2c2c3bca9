#include "learn/experiment_sections.h"

#include "spec/distribution.h"

#include <charconv>
#include <cmath>

namespace lopt {
namespace {

constexpr int most_count = 1 << 30;

/// An optimizer at a key of a section; none where the key is not there, or unusable.
std::optional<Comparison> comparison_at(const SpecSection& section, const std::string& key,
                                        const std::string& documentation) {
  const SpecNode* node = section.reader.take(key, "optimizer, or {tuned: optimizer}", documentation);
  if (!node || node->kind == SpecNode::Kind::null) return std::nullopt;
  SpecNode resolved;
  std::optional<Comparison> comparison =
      read_comparison(*node, section.path + "." + key, section.registry, section.errors, resolved);
  section.reader.set_resolved(key, std::move(resolved));
  return comparison;
}

/// Reads "50 steps", "60 s" or "never"; false for anything else.
bool read_every(const std::string& text, CheckpointRules& rules) {
  rules.wanted = text != "never";
  if (!rules.wanted) return true;
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' '));
  if (code != std::errc() || !(number > 0) || number > most_count) return false;
  const bool by_steps = unit == "steps" || unit == "step" || unit.empty();
  if (by_steps && number != std::floor(number)) return false;
  rules.every_steps = by_steps ? static_cast<int>(number) : 0;
  rules.every_seconds = by_steps ? 0 : unit == "min" ? 60 * number : unit == "h" ? 3600 * number : number;
  return by_steps || unit == "s" || unit == "min" || unit == "h";
}

}  // namespace

void read_objective(const SpecSection& section, MetaObjective& objective, std::optional<Comparison>& relative_to) {
  Settings& s = section.settings;
  using Over = MetaObjective::Over;
  const std::string over =
      s.text("of", "mean")
          .one_of({"mean", "last", "least"})
          .doc("the mean over an unroll's losses, the last, or the smallest of the problem so far");
  objective.over = over == "last" ? Over::last : over == "least" ? Over::least : Over::mean;
  const std::string data =
      s.text("data", "train")
          .one_of({"train", "validation", "both"})
          .doc("whose losses: of the batches that are trained on, of others, or of both, half and half");
  objective.validation = data != "train";
  objective.with_training = data == "both";
  const double share = s.real("validation_share", 0.2)
                           .above(0)
                           .below(1)
                           .doc("of the training examples, which no inner problem is trained on then");
  if (objective.validation) objective.validation_share = share;
  const std::string metric =
      s.text("metric", "loss").doc("what is measured: the loss, or a metric of the task, as in accuracy");
  if (metric != "loss") objective.metric = metric;
  objective.normalized = s.boolean("normalized", false).doc("each loss over the problem's first");
  objective.log = s.boolean("log", false).doc("the logarithm of each loss");
  objective.normalizer =
      s.boolean("normalizer", false).doc("each loss on the task's own scale, where about 1 is a guess");
  relative_to =
      comparison_at(section, "relative_to", "an optimizer whose losses those of inner problems are divided by");
  objective.relative_by_step =
      std::string(s.text("relative", "mean")
                      .one_of({"mean", "step"})
                      .doc("relative_to: each loss over the mean of that optimizer's on the same member, or over its "
                           "loss at the same step")) == "step";
  if (!objective.metric.empty() && objective.with_training)
    section.reader.error(section.node, "data", "of both goes with losses alone, not with a metric");
  if (!objective.metric.empty() && (objective.log || objective.normalized || relative_to))
    section.reader.error(section.node,
                         objective.log          ? "log"
                         : objective.normalized ? "normalized"
                                                : "relative_to",
                         "goes with losses alone, not with a metric");
  if (relative_to && objective.normalized)
    section.reader.error(section.node, "normalized", "goes without relative_to: both say what a loss is divided by");
}

void read_gradient_rules(const SpecSection& section, GradientRules& rules) {
  Settings& s = section.settings;
  const double clip = s.real("clip_norm", 0).at_least(0).at_most(1e30).doc("largest global norm; 0: any");
  if (clip > 0) rules.clip_norm = static_cast<float>(clip);
  rules.clip_non_finite =
      std::string(s.text("non_finite", "skip")
                      .one_of({"skip", "clip"})
                      .doc("what becomes of it: the step is skipped, or elements that are not finite count as 0")) ==
      "clip";
  rules.stop_after = s.integer("stop_after", 20).between(1, most_count).unit("steps").doc("skipped in a row");
  rules.roll_back_above =
      static_cast<float>(double{s.real("roll_back_above", 0)
                                    .between(0, 1e6)
                                    .doc("times the best mean meta-loss of 20 steps, at which θ goes back; 0: never")});
  rules.most_roll_backs = s.integer("most_roll_backs", 5).between(1, most_count).doc("after which training ends");
}

void read_checkpoint_rules(const SpecSection& section, CheckpointRules& rules) {
  Settings& s = section.settings;
  const std::string every = s.text("every", "60 s").doc("`50 steps`, `60 s` or `never`");
  if (!read_every(every, rules) && section.node.find("every"))
    section.reader.error(*section.node.find("every"), "every",
                         "must be a number of steps or seconds, as in `50 steps` or `60 s`, or `never`");
  rules.keep = s.integer("keep", 3).between(1, 1000000).doc("how many checkpoints stay");
  rules.stop_if_it_fails = std::string(s.text("if_it_fails", "go_on")
                                           .one_of({"go_on", "stop"})
                                           .doc("what the run does where one cannot be written")) == "stop";
}

void read_measure_rules(const SpecSection& section, MeasureRules& rules) {
  Settings& s = section.settings;
  rules.every_steps = s.integer("every", 0)
                          .between(0, most_count)
                          .unit("steps")
                          .doc("after which loss and metrics are measured on the split; 0: at the end alone");
  rules.split = std::string(s.text("split", "test").one_of({"test", "train"}).doc("what is measured on")) == "train"
                    ? Split::train
                    : Split::test;
}

void read_validation(const SpecSection& section, ValidationRules& rules, std::optional<int> length) {
  Settings& s = section.settings;
  rules.every_steps =
      s.integer("every", 100).between(1, most_count).unit("meta-steps").doc("after which θ is tried on these tasks");
  rules.steps = s.integer("steps", 100).between(1, most_count).unit("steps").doc("how long each task is trained");
  rules.steps = length.value_or(rules.steps);
  rules.seeds = s.integer("seeds", 2).between(1, 10000).doc("problems of each task");
  rules.problems =
      read_named_families(section.reader, section.node, section.path + ".", "tasks", section.registry, section.errors);
  rules.against = comparison_at(section, "against", "an optimizer whose losses those of the tasks are divided by");
}

void read_population(const SpecSection& section, PopulationRules& rules) {
  Settings& s = section.settings;
  rules.size = s.integer("population").between(2, 10000).doc("members: meta-trainings beside each other");
  rules.every_steps = s.integer("every", 20)
                          .between(1, most_count)
                          .unit("meta-steps")
                          .doc("after which the worst members go on from better ones");
  rules.replaced = s.real("replaced", 0.25).above(0).at_most(0.5).doc("share of the members that do");
  rules.resampled = s.real("resampled", 0.25)
                        .between(0, 1)
                        .doc("chance of a setting to be drawn anew then; else it moves by a fifth");
  const SpecNode* varied = section.reader.take("vary", "mapping of distributions",
                                               "settings by which members differ, as in {meta_optimizer.learning_rate: "
                                               "{log_uniform: [0.0001, 0.01]}}");
  if (!varied) return;
  if (!varied->is_mapping() || varied->entries.empty())
    return section.reader.error(*varied, "vary",
                                "must be a mapping of key paths to distributions, as in {estimator.std: {log_uniform: "
                                "[0.003, 0.03]}}");
  for (const auto& [path, distribution] : varied->entries) {
    static_cast<void>(SpecDraw(HostKey{}).of(distribution, section.path + ".vary." + path, section.errors));
    if (!distribution.is_mapping())
      section.reader.error(distribution, "vary", "'" + path + "' must be a distribution, as in {uniform: [1, 2]}");
    rules.varied.emplace_back(path, distribution);
  }
  section.reader.set_resolved("vary", *varied);
}

}  // namespace lopt
