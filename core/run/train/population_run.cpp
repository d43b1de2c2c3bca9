// A population of meta-trainings from its first round, or a checkpoint, to its end.
#include "run/train/runs.h"

#include "learn/population.h"
#include "learn/theta_file.h"
#include "report/lineage.h"
#include "report/progress.h"
#include "run/train/apply_theta.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace lopt {
namespace {

class PopulationRun {
 public:
  PopulationRun(Session& session, const Checkpoint* from)
      : session_(session),
        experiment_(session.experiment()),
        population_(experiment_, session.registry(), session.threads(), session.ranks()) {
    session_.require_equal_ranks();
    first_settings_ = population_.settings();
    if (from) resume(*from);
  }

  int run() {
    if (!resumed_) session_.begin();
    session_.say(fmt::format("A population of {} meta-trainings '{}': {} steps each, an exchange after every {}.",
                             population_.size(), experiment_.name, experiment_.steps,
                             experiment_.population.every_steps));
    Progress progress("least meta-loss", experiment_.steps, session_.quiet(), population_.steps_done());
    Session::Wish wish = Session::Wish::go_on;
    while (!population_.is_done() && wish != Session::Wish::stop) {
      try {
        add(population_.advance(session_.ranks() ? std::function<bool()>() : stop_wanted), progress);
      } catch (const Interrupted&) {
        break;  // what is kept is the last round's end
      }
      wish = session_.agree();
      if (wish == Session::Wish::checkpoint && !population_.is_done()) keep();
    }
    keep();
    const Values theta = population_.best_theta();
    if (session_.writes()) {
      report(theta);
      if (!stop_wanted()) apply_theta(session_, theta, std::nullopt);
      add_pictures(session_, theta, experiment_.estimator->problem_steps());
    }
    return session_.finish(true, population_.steps_done());
  }

 private:
  void resume(const Checkpoint& from) {
    population_.restore(from);
    resumed_ = true;
    if (!session_.writes()) return;
    std::ifstream metrics(session_.folder().file("metrics.jsonl"));
    for (std::string line; std::getline(metrics, line);) {
      const Json json = parse_json(line);
      if (!json.is_object() || !json.contains("meta_loss")) continue;
      losses_.push_back(json["meta_loss"].is_number() ? json["meta_loss"].get<float>() : std::nanf(""));
      session_.record.add(json);
    }
  }

  void add(const Population::Round& round, Progress& progress) {
    if (session_.writes())
      for (std::size_t k = 0; k < round.losses[0].size(); ++k) {
        Json members = Json::object();
        float least = std::nanf("");
        double seconds = 0;
        for (std::size_t i = 0; i < round.losses.size(); ++i) {
          const float loss = round.losses[i][k];
          members[std::to_string(i)] = std::isfinite(loss) ? Json(loss) : Json();
          if (std::isfinite(loss) && !(least <= loss)) least = loss;
          seconds += round.seconds[i] / static_cast<double>(round.losses[i].size());
        }
        losses_.push_back(least);
        session_.add_metrics({{"step", round.first_step + static_cast<int>(k)},
                              {"meta_loss", std::isfinite(least) ? Json(least) : Json()},
                              {"population", std::move(members)},
                              {"seconds", seconds}});
      }
    for (const Descent& descent : round.descents)
      notes_ = fmt::format("{} went on from {}", descent.member, descent.parent);
    const double best = *std::min_element(round.scores.begin(), round.scores.end());
    progress.update(population_.steps_done(), best, notes_);
    if (session_.page_is_due()) {
      session_.shown["population"] = population_json();
      session_.write_page(session_.record, fmt::format("A population goes on: {} of {} steps; best score {:.4g}.",
                                                       population_.steps_done(), experiment_.steps, best));
    }
  }

  void keep() {
    Checkpoint checkpoint = population_.checkpoint();
    session_.keep(population_.steps_done(), std::move(checkpoint));
  }

  Json population_json() const {
    Json settings = Json::array(), lineage = Json::array();
    for (const MemberSettings& member : first_settings_) {
      settings.push_back(Json::array());
      for (const auto& [path, value] : member) settings.back().push_back({path, value});
    }
    for (const Descent& descent : population_.lineage()) lineage.push_back(to_json(descent));
    return {{"members", population_.size()},
            {"steps", std::max(1, population_.steps_done())},
            {"best", population_.best()},
            {"settings", std::move(settings)},
            {"lineage", std::move(lineage)}};
  }

  void report(const Values& theta) {
    const std::int64_t horizon = experiment_.estimator->problem_steps();
    write_theta(session_.folder().file("theta.npz"), theta, *experiment_.resolved.find("learned_optimizer"), horizon);
    const Json population = population_json();
    session_.folder().write_json("population.json", population);
    session_.folder().write("lineage.svg", lineage_svg(population));
    session_.shown["population"] = population;
    session_.curves.push_back({"least meta-loss of the members", losses_});
    Json& summary = session_.summary;
    summary["meta_steps"] = losses_.size();
    summary["meta_loss_first_20"] = mean_first(losses_);
    summary["meta_loss_last_20"] = mean_last(losses_);
    summary["descents"] = population_.lineage().size();
    summary["best_member"] = population_.best();
    Json members = Json::array();
    std::string of_best;
    for (std::size_t i = 0; i < population_.settings().size(); ++i) {
      Json settings = Json::object();
      for (const auto& [path, value] : population_.settings()[i]) {
        settings[path] = value;
        if (static_cast<int>(i) == population_.best())
          of_best += fmt::format("{}{} {}", of_best.empty() ? "" : ", ", path, value);
      }
      const double score = population_.scores()[i];
      members.push_back({{"score", std::isfinite(score) ? Json(score) : Json()}, {"settings", std::move(settings)}});
    }
    summary["members"] = std::move(members);
    session_.say(
        fmt::format("\nLeast meta-loss: {:.3f} → {:.3f}; {} times a member went on from a better one. Best is member "
                    "{}{}{}; its θ is "
                    "in theta.npz.",
                    mean_first(losses_), mean_last(losses_), population_.lineage().size(), population_.best(),
                    of_best.empty() ? "" : ", with ", of_best));
  }

  Session& session_;
  Experiment& experiment_;
  Population population_;
  std::vector<MemberSettings> first_settings_;
  std::vector<float> losses_;
  std::string notes_;
  bool resumed_ = false;
};

}  // namespace

int run_population(Session& session, const Checkpoint* from) {
  if (!session.options().trace.empty())
    throw UsageError(
        "--trace is for one meta-training: of a population, population.json and metrics.jsonl say who did what");
  return PopulationRun(session, from).run();
}

}  // namespace lopt
