#include "learn/paper_spec.h"

#include "spec/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

namespace lopt {
namespace {

class PaperLoader {
 public:
  PaperLoader(const SpecNode& spec, std::string folder)
      : spec_(spec), folder_(std::move(folder)), reader_(spec, "", errors_, {}), settings_(reader_) {}

  PaperSpec load() {
    result_.name = settings_.text("name").doc("what the experiment is called");
    result_.paper = settings_.text("paper").doc("authors, title, where and when");
    result_.claim = settings_.text("claim").doc("what the paper says, as a sentence");
    for (const std::string& file : std::vector<std::string>(
             settings_.texts("runs", std::vector<std::string>{}).doc("specs of meta-trainings, beside this file")))
      result_.runs.push_back({std::filesystem::path(file).stem().string(), existing(file, "runs")});
    if (const std::string file =
            settings_.text("worth", "")
                .doc("the spec whose meta-objective of whole problems, at a run's last θ, is its `loss`");
        !file.empty())
      result_.worth = existing(file, "worth");
    result_.worth_problems = settings_.integer("worth_problems", 16).between(1, 100000).doc("problems for that");
    each("figures", [this](const SpecNode& node, const std::string& path) { load_figure(node, path); });
    each("holds", [this](const SpecNode& node, const std::string& path) { load_claim(node, path); });
    reader_.check_unknown();
    errors_.raise();
    return std::move(result_);
  }

 private:
  std::string existing(const std::string& file, const std::string& key) {
    const std::string path = (std::filesystem::path(folder_) / file).string();
    if (!std::filesystem::is_regular_file(path)) {
      const SpecNode* node = spec_.find(key);
      errors_.add(node ? node->where : spec_.where, key, fmt::format("there is no file {}", path));
    }
    return path;
  }

  template <class Function>
  void each(const std::string& key, Function load) {
    const SpecNode* list = reader_.take(key, "list of mappings", "");
    if (!list) return;
    if (list->kind != SpecNode::Kind::sequence) return errors_.add(list->where, key, "must be a list of mappings");
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const std::string path = fmt::format("{}[{}]", key, i);
      if (list->items[i].is_mapping())
        load(list->items[i], path);
      else
        errors_.add(list->items[i].where, path, "must be a mapping");
    }
  }

  void load_figure(const SpecNode& node, const std::string& path) {
    SpecReader reader(node, path, errors_, {});
    Settings s(reader);
    PaperFigure figure;
    const std::string kind = s.text("kind").one_of({"curves", "surface", "estimators", "evaluation"});
    figure.title = s.text("title", result_.name);
    figure.x_label = s.text("x", "");
    figure.y_label = s.text("y", "");
    figure.log_x = s.boolean("log_x", false);
    figure.log_y = s.boolean("log_y", false);
    if (const SpecNode* marks = reader.take("marks", "mapping of numbers", "")) {
      SpecReader numbers(*marks, path + ".marks", errors_, {});
      Settings of_marks(numbers);
      for (const auto& [words, value] : marks->entries) figure.marks.emplace_back(words, double{of_marks.real(words)});
    }
    figure.runs = s.texts("runs", std::vector<std::string>{});
    for (const std::string& label : figure.runs) require_run(label, node, path + ".runs");
    if (kind == "curves") {
      figure.what = s.text("what", "meta_loss");
      figure.by = s.text("by", "steps").one_of({"steps", "seconds"});
    } else {
      figure.spec = (std::filesystem::path(folder_) / std::string{s.text("spec")}).string();
      if (!std::filesystem::is_regular_file(figure.spec))
        errors_.add(node.where, path + ".spec", fmt::format("there is no file {}", figure.spec));
      if (kind == "surface") load_surface(figure, s, node, path);
      if (kind == "estimators") load_estimators(figure, s, node, path);
      if (kind == "evaluation") figure.kind = PaperFigure::Kind::evaluation;
    }
    reader.check_unknown();
    result_.figures.push_back(std::move(figure));
  }

  void load_surface(PaperFigure& figure, Settings& s, const SpecNode& node, const std::string& path) {
    figure.kind = PaperFigure::Kind::surface;
    figure.across = s.text("across");
    figure.up = s.text("up");
    figure.across_range = s.reals("across_range");
    figure.up_range = s.reals("up_range");
    for (const auto* range : {&figure.across_range, &figure.up_range})
      if (range->size() != 2 || !((*range)[0] < (*range)[1]))
        errors_.add(node.where, path, "across_range and up_range are two numbers each, the lower first");
    figure.cells = s.integer("cells", 32).between(2, 200);
    figure.problems = s.integer("problems", 4).between(1, 10000);
    figure.largest = s.real("largest", std::numeric_limits<double>::max());
  }

  void load_estimators(PaperFigure& figure, Settings& s, const SpecNode& node, const std::string& path) {
    figure.kind = PaperFigure::Kind::estimators;
    figure.estimators = s.texts("estimators").not_empty();
    figure.lengths = s.integers("lengths").between(1, 1 << 30);
    figure.seconds = s.real("seconds", 60).above(0);
    figure.shown = s.text("show", "noise").one_of({"bias", "noise"});
    figure.crossing = s.texts("crossing", std::vector<std::string>{});
    if (!figure.crossing.empty() && figure.crossing.size() != 2)
      errors_.add(node.where, path + ".crossing", "must be two estimators");
  }

  void load_claim(const SpecNode& node, const std::string& path) {
    SpecReader reader(node, path, errors_, {});
    Settings s(reader);
    PaperClaim claim;
    claim.where = node.where;
    claim.what = s.text("what");
    claim.of = s.texts("of").not_empty();
    if (node.find("at_least")) claim.at_least = double{s.real("at_least")};
    if (node.find("at_most")) claim.at_most = double{s.real("at_most")};
    claim.below = s.text("below", "");
    claim.above = s.text("above", "");
    claim.times = s.real("times", 1).above(0);
    if (!claim.at_least && !claim.at_most && claim.below.empty() && claim.above.empty())
      errors_.add(node.where, path, "says nothing: at_least or at_most a number, or below or above another label");
    reader.check_unknown();
    result_.holds.push_back(std::move(claim));
  }

  void require_run(const std::string& label, const SpecNode& node, const std::string& path) {
    if (std::none_of(result_.runs.begin(), result_.runs.end(), [&](const PaperRun& run) { return run.label == label; }))
      errors_.add(node.where, path, fmt::format("there is no run '{}'", label));
  }

  const SpecNode& spec_;
  std::string folder_;
  SpecErrors errors_;
  SpecReader reader_;
  Settings settings_;
  PaperSpec result_;
};

}  // namespace

PaperSpec load_paper(const SpecNode& spec, const std::string& folder) { return PaperLoader(spec, folder).load(); }

}  // namespace lopt
